"""One example's picture at the training size; its boxes follow the crop and the mirror."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from .picture_files import read_rgb
from .rows import BadRow, Example, RowProblem

MIN_VISIBLE = 0.5  # share of a box that must be left after the crop; less no longer shows what the caption says
SIDED = re.compile(r"\b(left|right|leftmost|rightmost|clockwise|counterclockwise)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Prepared:
    """pixels: [height, width, 3] float32 in 0..1.  boxes: [n, 4] float32, xyxy normalised
    in the crop.  where: its row."""

    pixels: np.ndarray
    boxes: np.ndarray
    captions: tuple[str, ...]
    instance_captions: tuple[str, ...]
    where: str = ""

    @property
    def mirrorable(self) -> bool:
        """False where a caption tells left from right."""
        return not any(SIDED.search(text) for text in (*self.captions, *self.instance_captions))


def prepare(example: Example, width: int, height: int) -> Prepared | BadRow:
    """Read, scale to cover width x height pixels, cut the centre out; boxes less than half visible are left out."""
    try:
        picture = read_rgb(example.file)
    except RowProblem as problem:
        return BadRow(example.where, str(problem))
    boxes, kept = crop_boxes(box_array(example.boxes), picture.size, (width, height))
    pixels = ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS)
    texts = tuple(text for text, keep in zip(example.instance_captions, kept, strict=True) if keep)
    return Prepared(np.asarray(pixels, np.float32) / 255, boxes[kept], example.captions, texts, example.where)


def box_array(boxes: Sequence[Sequence[float]] | np.ndarray) -> np.ndarray:
    """Boxes as float32 [n, 4]. Raises ValueError for rows of another width, which would shift all boxes after them."""
    array = np.array(boxes, np.float32) if len(boxes) else np.zeros((0, 4), np.float32)
    if array.ndim != 2 or array.shape[1] != 4 or not np.isfinite(array).all():
        raise ValueError(f"boxes of shape {list(array.shape)}: every box must be four finite numbers")
    return array


def crop_boxes(boxes: np.ndarray, old: tuple[int, int], new: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Boxes of a picture of size `old` (width, height) after the centred cover crop to `new`.

    boxes [n, 4] normalised -> (boxes [n, 4] normalised and clipped, keep [n] bool: at least MIN_VISIBLE is left).
    """
    scale = max(new[0] / old[0], new[1] / old[1])
    ratio = np.array([old[0] * scale / new[0], old[1] * scale / new[1]] * 2, np.float32)
    moved = 0.5 + (boxes - 0.5) * ratio
    clipped = moved.clip(0, 1)
    return clipped, _area(clipped) >= MIN_VISIBLE * _area(moved).clip(1e-12)


def _area(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def mirror_boxes(boxes: np.ndarray) -> np.ndarray:
    """Boxes [..., 4] of the picture seen in a mirror: x1, x2 -> 1 - x2, 1 - x1."""
    return np.stack([1 - boxes[..., 2], boxes[..., 1], 1 - boxes[..., 0], boxes[..., 3]], -1).astype(np.float32)
