"""Rows of training data as the readers yield them, and the checks that what a foreign row holds goes through."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

Box = tuple[float, float, float, float]

MAX_SHOWN = 40  # characters of a name or caption in a message


@dataclass(frozen=True)
class Example:
    """One picture. `boxes` are xyxy, normalised 0..1 in the picture as it is seen; one instance caption per box."""

    file: Path
    captions: tuple[str, ...]  # global captions: one is drawn each time the picture is used
    boxes: tuple[Box, ...]
    instance_captions: tuple[str, ...]
    where: str  # "metadata.jsonl line 12", for messages


@dataclass(frozen=True)
class BadRow:
    where: str
    problem: str

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}"


class RowProblem(Exception):
    """What is wrong with a row, as a sentence that goes on after its place."""


def shown(text: object) -> str:
    """A foreign name or caption as a message shows it: its beginning, on one line, without what a terminal would obey."""
    if not isinstance(text, str):
        return "?"
    text = "".join(
        c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(text[: 8 * MAX_SHOWN].split())
    )
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"


def number_of(value: object) -> float | None:
    """A finite number as a float; None for everything else: text, booleans, NaN, 400 digits."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def text_of(value: object, name: str) -> str:
    """A text that can be encoded: JSON can write halves of characters, which no file and no tokenizer takes."""
    if not isinstance(value, str):
        raise RowProblem(f"{name} is not a text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise RowProblem(f"{name} holds half a character (a lone surrogate): write the text anew") from None
    return value


def four_numbers(value: object) -> Box | None:
    """Four finite numbers, or None."""
    if not isinstance(value, (list, tuple)) or len(value) != 4:
        return None
    numbers = tuple(number_of(v) for v in value)
    return None if None in numbers else numbers


def share_box(value: object, name: str) -> Box:
    """xyxy in shares of the picture, clipped to it."""
    box = _corners(value, name)
    if max(map(abs, box)) > 2:
        raise RowProblem(f"the box of {name} is not in 0..1; give pixels as `box_px`")
    return _clipped(box, name)


def pixel_box(value: object, name: str, size: tuple[float, float]) -> Box:
    """xyxy in pixels of a picture of size (width, height) -> normalised, clipped to it."""
    x1, y1, x2, y2 = _corners(value, name)
    width, height = size
    box = (x1 / width, y1 / height, x2 / width, y2 / height)
    if max(map(abs, box)) > 2:
        raise RowProblem(f"the box of {name} lies far outside the picture, which is {width:g} x {height:g} pixels")
    return _clipped(box, name)


def _corners(value: object, name: str) -> Box:
    box = four_numbers(value)
    if box is None:
        raise RowProblem(f"the box of {name} is not four finite numbers x1, y1, x2, y2")
    return box


def _clipped(box: Box, name: str) -> Box:
    x1, y1, x2, y2 = (min(max(v, 0.0), 1.0) for v in box)
    if x2 <= x1 or y2 <= y1:
        raise RowProblem(f"the box of {name} is empty, inverted or outside the picture")
    return x1, y1, x2, y2
