"""Rows of training data as the readers yield them, and the checks that what a foreign row holds goes through."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from .json_stream import Doubled

Box = tuple[float, float, float, float]

MAX_SHOWN = 40  # characters of a name or caption in a message
MOST_OUTSIDE = 0.05  # of the picture's side: loose drawing; a box that reaches further was meant otherwise
ORDERS = {"xyxy": "x1, y1, x2, y2", "xywh": "x, y, width, height"}


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
    """A foreign name or caption as a message shows it: its beginning, on one line,
    without what a terminal would obey."""
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


def object_of(value: object, problem: str = "is not a JSON object", who: str = "") -> dict:
    """A JSON object that has each key once. Raises RowProblem: `problem`, or that `who` has a key twice."""
    if not isinstance(value, dict):
        raise RowProblem(problem)
    if isinstance(value, Doubled):
        raise RowProblem(f"{who} has the key `{shown(value.twice)}` twice: keep one".lstrip())
    return value


def four_numbers(value: object) -> Box | None:
    """Four finite numbers, or None."""
    if not isinstance(value, (list, tuple)) or len(value) != 4:
        return None
    numbers = tuple(number_of(v) for v in value)
    return None if None in numbers else numbers


def share_box(value: object, name: str) -> Box:
    """xyxy in shares of the picture, clipped to it."""
    box = _numbers(value, name, "xyxy")
    if max(map(abs, box)) > 2:
        raise RowProblem(f"the box of {name} is not in 0..1; give pixels as `box_px`")
    return _clipped(box, name, f"give {ORDERS['xyxy']} in 0..1")


def pixel_box(value: object, name: str, size: tuple[float, float], order: str = "xyxy") -> Box:
    """Numbers in pixels of a picture of size (width, height), in one of ORDERS -> normalised xyxy, clipped to it."""
    box, (width, height) = _numbers(value, name, order), size
    if 0 < max(map(abs, box)) <= 1 < max(size):
        raise RowProblem(
            f"the box of {name} looks like shares of the picture, but its numbers count pixels: multiply them"
        )
    x1, y1, x2, y2 = box if order == "xyxy" else (*box[:2], box[0] + box[2], box[1] + box[3])
    box = (x1 / width, y1 / height, x2 / width, y2 / height)
    if max(map(abs, box)) > 2:
        raise RowProblem(f"the box of {name} lies far outside the picture, which is {width:g} x {height:g} pixels")
    return _clipped(box, name, f"give {ORDERS[order]} in pixels of {width:g} x {height:g}")


def _numbers(value: object, name: str, order: str) -> Box:
    box = four_numbers(value)
    if box is None:
        raise RowProblem(f"the box of {name} is not four finite numbers {ORDERS[order]}")
    return box


def _clipped(box: Box, name: str, remedy: str) -> Box:
    """xyxy cut at the border. A box that reaches far over it is most often one in another order or unit."""
    x1, y1, x2, y2 = (min(max(v, 0.0), 1.0) for v in box)
    if x2 <= x1 or y2 <= y1:
        raise RowProblem(f"the box of {name} is empty, inverted or outside the picture")
    outside = max(-min(box), max(box) - 1)
    if outside > MOST_OUTSIDE:
        raise RowProblem(
            f"the box of {name} reaches {outside:.0%} of the picture beyond its border: {remedy}, or cut it there"
        )
    return x1, y1, x2, y2
