"""Where the benchmark's weights and results lie."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from safetensors import safe_open

TRANSFORMER = "transformer"  # the folder of the demo transformer's weights
BASE = "base"  # metadata of what bench_train.py makes: the digest of the base that it was trained on


@dataclass(frozen=True)
class Places:
    """demo: folder of the demo model.  adapter: ROICtrl's weights.  trained: a folder per name
    of bench_train.py.  results: ours."""

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

    def problem(self, path: Path) -> str | None:
        """Why a file of weights cannot be used, as the end of a sentence; None where it can."""
        if not path.is_file():
            return f"{path}, which is not there"
        with safe_open(path, "pt") as file:
            base = (file.metadata() or {}).get(BASE)
        return (
            None
            if base in (None, digest(self.base[0]))
            else f"{path}, which was trained on another base: delete {path.parent}"
        )


def digest(path: Path) -> str:
    """SHA-256 of a file, 16 digits of it."""
    status = path.stat()
    return _digest(path, status.st_mtime_ns, status.st_size)


@cache
def _digest(path: Path, modified: int, size: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
