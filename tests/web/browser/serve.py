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
from devtools.places import find_comfyui  # noqa: E402
from devtools.server import Server  # noqa: E402


def main() -> None:
    python, comfyui = Path(sys.executable), find_comfyui()
    version = sys.argv[1] if len(sys.argv) > 1 else None
    page = ["--front-end-root", str(frontend_root(python, version))] if version else frontend_arguments(python, comfyui)
    with tempfile.TemporaryDirectory() as folder:
        base = make_base(Path(folder))
        rows, columns = np.mgrid[0:384, 0:512]
        picture = np.stack([rows / 2, columns / 2, 128 + 60 * np.sin(columns / 40)], -1).astype(np.uint8)
        Image.fromarray(picture).save(base / "input" / "scene.png")
        with Server(python, comfyui, base, arguments=page) as server:
            print(server.url, flush=True)
            sys.stdin.read()


if __name__ == "__main__":
    main()
