"""Joins a folder of PNG frames: into one small animated WebP, or into one sheet (.png).

python pictures.py FOLDER FILE
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

WIDTH = 560  # pixels
STEP_MS = 180
LAST_MS = 2500
COLUMNS, GAP = 3, 8  # of a sheet; pixels
COLORS = 256


def main(folder: str, file: str) -> None:
    (sheet if file.endswith(".png") else film)(folder, file)


def sheet(folder: str, file: str) -> None:
    """Stills of one size, row by row."""
    stills = [Image.open(path).convert("RGB") for path in sorted(Path(folder).glob("*.png"))]
    width, height = (side + GAP for side in stills[0].size)
    joined = Image.new("RGB", (width * COLUMNS - GAP, height * -(-len(stills) // COLUMNS) - GAP), "white")
    for i, still in enumerate(stills):
        joined.paste(still, (i % COLUMNS * width, i // COLUMNS * height))
    joined.quantize(COLORS).save(file, optimize=True)


def film(folder: str, file: str) -> None:
    frames = [Image.open(path).convert("RGB") for path in sorted(Path(folder).glob("*.png"))]
    size = (WIDTH, round(WIDTH * frames[0].height / frames[0].width))
    frames = [frame.resize(size, Image.LANCZOS) for frame in frames]
    durations = [STEP_MS] * (len(frames) - 1) + [LAST_MS]
    frames[0].save(file, save_all=True, append_images=frames[1:], duration=durations, loop=0, quality=70, method=6)


if __name__ == "__main__":
    main(*sys.argv[1:])
