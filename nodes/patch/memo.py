"""Values that are made once per sampling run."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar

T = TypeVar("T")


class Memo(dict):
    """Values by key; two threads that meet make the same value twice."""

    def make(self, key: Hashable, value: Callable[[], T]) -> T:
        if key not in self:
            self[key] = value()
        return self[key]
