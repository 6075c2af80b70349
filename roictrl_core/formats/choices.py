"""What a person may say otherwise about a source, beside what was taken: the buttons under an import's notes.

The keys are those of the import route: ``box_order`` and ``box_unit``, ``pick`` and ``class_names``.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

MAX_OPTIONS = 100  # that are offered; of more pictures a name can still be given
MAX_TITLE = 60  # characters of a picture's or a prompt's name


class Option(NamedTuple):
    """A value that can be given, and how a person calls it."""

    value: str
    title: str


class Choice(NamedTuple):
    """The value that was taken, and all that can be; without options any text can."""

    now: str
    options: tuple[Option, ...] = ()

    def to_dict(self) -> dict:
        """Plain data for the page."""
        return {"now": self.now, "options": [option._asdict() for option in self.options]}


def among(values: Iterable[str], now: str) -> Choice:
    """One of fixed values."""
    return Choice(now, tuple(Option(value, value) for value in values))


def numbered(titles: Iterable[str], now: int) -> Choice:
    """One of several pictures, prompts or frames, given by its index from 1; ``now`` counts from 0."""
    shown = (" ".join(title[: 2 * MAX_TITLE].split())[:MAX_TITLE] for title in islice(titles, MAX_OPTIONS))
    return Choice(str(now + 1), tuple(Option(str(number), title) for number, title in enumerate(shown, 1)))
