"""Checks of configs: what a file or a person says a network is like, before anything is built from it."""

from __future__ import annotations

import math
from dataclasses import MISSING, fields
from typing import TypeVar

from .fields import kind_of
from .notes import quote
from .safe_text import parse_json

# What a config may ask for, well beyond every known network: a file, or a person, is not believed with more.
MAX_SLOTS = 256
MAX_WIDTH = 16384
MAX_JSON = 2**20  # characters; the config of SDXL's 70 blocks has 15,000

T = TypeVar("T")


def check_whole(value: object, low: int, high: int, what: str) -> None:
    """Raises ValueError with a sentence that begins with ``what`` unless ``value`` is a whole number in low..high."""
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"{what} must be a whole number from {low} to {high}, not {quote(value)}.")


def check_share(value: object, what: str) -> None:
    """Raises ValueError with a sentence that begins with ``what`` unless ``value`` is a number from 0 to below 1."""
    if type(value) not in (int, float) or not math.isfinite(value) or not 0 <= value < 1:
        raise ValueError(f"{what} must be a number from 0 to below 1, not {quote(value)}.")


def object_of_json(text: str) -> dict:
    """The JSON object that a config is written as. Raises ValueError with a sentence."""
    if len(text) > MAX_JSON:
        raise ValueError(f"The config has {len(text)} characters; at most {MAX_JSON} are read.")
    data = parse_json(text, "The config")
    if not isinstance(data, dict):
        raise ValueError(f"The config must be an object, not {kind_of(data)}.")
    return data


def list_in(data: dict, key: str) -> list:
    """The list under a key. Raises ValueError with a sentence."""
    if not isinstance(data.get(key), list):
        raise ValueError(f"The config's {key} must be a list, not {kind_of(data.get(key))}.")
    return data[key]


def made_of(kind: type[T], data: object, what: str) -> T:
    """An instance of a dataclass from an object with its fields. Raises ValueError with a sentence,
    the dataclass's own included."""
    if not isinstance(data, dict):
        raise ValueError(f"{what} must be an object, not {kind_of(data)}.")
    known = {field.name: field.default is MISSING for field in fields(kind)}
    missing = [name for name, required in known.items() if required and name not in data]
    unknown = [key for key in data if key not in known]
    if missing or unknown:
        raise ValueError(
            f"{what} lacks {missing[0]}." if missing else f"{what} has {quote(unknown[0])}, which is not known here."
        )
    return kind(**data)
