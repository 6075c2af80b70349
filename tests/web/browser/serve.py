"""A ComfyUI for the browser tests: prints its address, and ends with this script's standard input.

Usage: python serve.py [frontend version, when not the one that ComfyUI pins]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))

from devtools.base import make_base  # noqa: E402
from devtools.frontend import frontend_arguments, frontend_root  # noqa: E402
from devtools.neighbours import add_neighbours  # noqa: E402
from devtools.places import find_comfyui  # noqa: E402
from devtools.server import Server  # noqa: E402


def landscape(height: int, width: int) -> np.ndarray:
    """[H, W, 3] of uint8: an evening sky over hills, a ground to draw boxes on."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / np.float32([[[height]], [[width]]])
    picture = np.stack([250 - 90 * y, 190 - 60 * y, 150 + 60 * y], -1)
    sun = np.hypot((x - 0.72) * width / height, y - 0.3)
    picture += np.clip(0.3 - sun, 0, 0.3)[..., None] * (180, 160, 60)
    for level, (waves, depth, color) in enumerate(
        [(5, 0.05, (120, 110, 130)), (3, 0.07, (80, 100, 90)), (2, 0.06, (50, 75, 60))]
    ):
        hill = y > 0.5 + 0.16 * level + depth * np.sin(waves * np.pi * x + level)
        picture[hill] = color
    return picture.clip(0, 255).astype(np.uint8)


def main() -> None:
    python, comfyui = Path(sys.executable), find_comfyui()
    version = sys.argv[1] if len(sys.argv) > 1 else None
    page = ["--front-end-root", str(frontend_root(python, version))] if version else frontend_arguments(python, comfyui)
    with tempfile.TemporaryDirectory() as folder:
        base = add_neighbours(make_base(Path(folder)))
        Image.fromarray(landscape(384, 512)).save(base / "input" / "scene.png")
        with Server(python, comfyui, base, arguments=[*page, "--preview-method", "latent2rgb"]) as server:
            print(server.url, flush=True)
            sys.stdin.read()


if __name__ == "__main__":
    main()
