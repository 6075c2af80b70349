"""Foreign values as plain data for JSON: numbers of numpy and torch as Python's own, and nothing that JSON cannot hold.

Nodes of other packs hand over whatever they have: a score as ``numpy.float32``, a picture, a set.  One such value in a
node's answer would end the server that writes it as JSON.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from .notes import Note, quote
from .safe_text import MAX_DEPTH, MAX_DIGITS

LEFT_OUT = object()  # stands for a value that has no plain form
MAX_KINDS = 5  # kinds of what was left out that are named
_LONGEST = 10**MAX_DIGITS
_OVERHEAD = 8  # characters that a value takes beside its own
_SHORT_FLOATS = (np.float16, np.float32)


class PlainData:
    """Makes plain data, and counts what it had to leave out.

    ``kinds`` are the kinds of what JSON cannot hold, each with its count, ``first`` the key at which the first stood.
    ``room`` is how many characters :meth:`fields` may keep in all; ``crowded`` counts what was beyond.
    """

    def __init__(self, room: float = math.inf) -> None:
        self.kinds: dict[str, int] = {}
        self.first = ""
        self.crowded = 0
        self._room = room
        self._key: object = ""

    def fields(self, source: Mapping) -> dict:
        """The fields that are not empty and have a plain form, and for which there is room."""
        kept = {}
        if self._room <= 2 * _OVERHEAD:
            self.crowded += len(source)
            return kept
        for key, value in source.items():
            if value is None or isinstance(value, (str, list, dict)) and not value:
                continue
            before = self._room
            self._room -= _OVERHEAD + len(str(key))
            plain = self._value(key, value)
            if self._room < 0:
                self._room = before
                self.crowded += 1
            elif plain is not LEFT_OUT:
                kept[str(key)] = plain
        return kept

    def of(self, value: object, depth: int = 1) -> object:
        """``value`` as plain data; of objects the fields that have a plain form; LEFT_OUT where it has none itself."""
        if type(value) not in (dict, list):
            value = scalar(value)
            if value is None or isinstance(value, (str, int, float)):
                return self._single(value)
        if depth > MAX_DEPTH:
            return self._leave_out("nesting")
        if isinstance(value, (dict, Mapping)):
            found = [(str(key), self._value(key, item, depth + 1)) for key, item in value.items()]
            return {key: item for key, item in found if item is not LEFT_OUT}
        if isinstance(value, (list, tuple)):
            items = [self.of(item, depth + 1) for item in value]
            return LEFT_OUT if any(item is LEFT_OUT for item in items) else items
        return self._leave_out(type(value).__name__)

    def notes(self, code: str) -> list[Note]:
        """The note about what JSON cannot hold, where there was anything."""
        kinds = [quote(kind)[1:-1] for kind in list(self.kinds)[:MAX_KINDS]]
        values = {"count": sum(self.kinds.values()), "kinds": kinds, "field": self.first}
        return [Note(code, values=values)] if kinds else []

    def _value(self, key: object, value: object, depth: int = 1) -> object:
        self._key = key
        if type(key) is not str and not isinstance(scalar(key), (str, int, float)):
            return self._leave_out(f"{type(key).__name__} as a key")
        return self.of(value, depth)

    def _single(self, value: object) -> object:
        if isinstance(value, str):
            self._room -= len(value)
        elif isinstance(value, float) and not math.isfinite(value):
            return self._leave_out(str(value))
        elif isinstance(value, int) and not -_LONGEST < value < _LONGEST:
            return self._leave_out("a number too long")
        self._room -= _OVERHEAD
        return value

    def _leave_out(self, kind: str) -> object:
        self.first = self.first or quote(self._key)
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        return LEFT_OUT


def scalar(value: object) -> object:
    """Text and numbers of numpy's, torch's and other kinds as Python's own; anything else as it is."""
    if value is None or type(value) in (str, int, float, bool):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, _SHORT_FLOATS):
        return float(str(value))  # 0.9, where its digits in the longer form are 0.8999999761581421
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value)
    if isinstance(value, str):
        return str.__str__(value)
    if hasattr(value, "detach") and getattr(value, "ndim", None) == 0:  # a tensor of one number
        return value.item()
    return value
