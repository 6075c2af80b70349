"""Where the benchmark's weights and results lie."""
from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path


@dataclass(frozen=True)
class Places:
    """demo: folder of the demo model.  adapter: ROICtrl's weights.  trained: a folder per name of bench_train.py.  results: ours."""

    demo: Path
    adapter: Path
    trained: Path
    results: Path

    @property
    def base(self) -> tuple[Path, ...]:
        return self.demo / "base.safetensors", self.demo / "vae.safetensors"

    def weights(self, name: str) -> Path:
        """What `bench_train.py NAME` writes."""
        return self.trained / name / "weights.safetensors"

    def community(self) -> Path:
        """The fine-tuned base: a demo model's folder."""
        return self.trained / "community"


def digest(path: Path) -> str:
    """SHA-256 of a file, 16 digits of it."""
    status = path.stat()
    return _digest(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=None)
def _digest(path: Path, modified: int, size: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
