"""What is to be said about a layout, a file or a run, as data: a code, the instance it is about, and values.

A sentence is made where it is read: the log and the console in English (:meth:`Note.sentence`, from the templates of
sentences.py), the page in its own language (``locales/<language>/main.json``, ``roictrl.note.<code>``).  Whatever makes
a note names things by :func:`subject`, so that no sentence has to be searched for whom it means.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .sentences import ITEMS, SENTENCES

log = logging.getLogger("ROICtrl")  # of the whole pack

MAX_NOTES = 100  # of one source or node; what is beyond is counted
MAX_QUOTE = 60  # characters of foreign text in a sentence
MAX_QUOTED = 12  # entries of a foreign list in a sentence
MAX_TITLE = 40  # characters of a caption or label in a subject's name

Value = str | int | float | dict | list


@dataclass(frozen=True)
class Note:
    """One thing to be said.

    ``code`` is a key of :data:`~.sentences.SENTENCES`; ``instance`` the index from 1 of the one in the layout that it
    is about, if it is about one; ``values`` fill the template: text, numbers, and subjects or lists of them.
    """

    code: str
    instance: int | None = None
    values: Mapping[str, Value] = field(default_factory=dict)

    def sentence(self) -> str:
        """In English."""
        text = SENTENCES[self.code].format(**{name: _shown(value) for name, value in self.values.items()})
        return text[:1].upper() + text[1:]

    def to_dict(self) -> dict:
        """Plain data for the page: the note, and its English sentence for a language without one of its own."""
        return {"code": self.code, "instance": self.instance, "values": dict(self.values), "text": self.sentence()}


def subject(item: str, number: int, title: object = "") -> dict:
    """Whom a note means: the ``number``-th ``item`` (a key of :data:`~.sentences.ITEMS`), and what it is called."""
    title = " ".join(title[: 4 * MAX_TITLE].split()) if isinstance(title, str) else ""
    return {"item": item, "number": number, "title": title if len(title) <= MAX_TITLE else title[: MAX_TITLE - 1] + "…"}


def named(who: Mapping) -> str:
    """A subject in English: "instance 2 ('a red fox')"."""
    name = f"{ITEMS[who['item']]} {who['number']}"
    return f"{name} ('{who['title']}')" if who["title"] else name


def listed(names: Iterable[str]) -> str:
    """Names in a sentence, shown as :func:`quote` shows a text, without its marks."""
    return quote(", ".join(names))[1:-1]


def quote(value: object, limit: int = MAX_QUOTE) -> str:
    """A foreign value as sentences show it: its beginning, however long or deep it is."""
    if isinstance(value, str):
        return repr(value[:limit] + ("…" if len(value) > limit else ""))
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, (list, tuple)):
        short = len(value) <= MAX_QUOTED and not any(isinstance(item, (Mapping, list, tuple)) for item in value)
        return f"[{', '.join(quote(item, limit) for item in value)}]"[:limit] if short else f"a list of {len(value)}"
    if isinstance(value, int) and abs(value) >= 10**limit:
        return f"a number of over {limit} digits"  # whose digits Python may refuse to print
    return repr(value)[:limit]


def capped(notes: Sequence[Note], unsaid: int = 0) -> list[Note]:
    """The first :data:`MAX_NOTES`, and how many more there would be; ``unsaid`` are counted already."""
    unsaid += max(0, len(notes) - MAX_NOTES)
    return [*notes[:MAX_NOTES], *([Note("notes.more", values={"count": unsaid})] if unsaid else [])]


def sentences(notes: Iterable[Note]) -> list[str]:
    """All of them in English."""
    return [note.sentence() for note in notes]


def _shown(value: Value) -> str:
    if isinstance(value, Mapping):
        return named(value)
    if isinstance(value, (list, tuple)):
        return ", ".join(_shown(item) for item in value)
    if isinstance(value, (int, float)):
        return _Number(f"{value:.6g}" if isinstance(value, float) else value)
    return str(value)


class _Number(str):
    """A number as a sentence shows it; ``{count:box|boxes}`` is the word that goes with it."""

    def __format__(self, spec: str) -> str:
        one, both, many = spec.partition("|")
        return (one if self == "1" else many) if both else super().__format__(spec)
