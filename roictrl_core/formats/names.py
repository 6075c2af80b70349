"""Class numbers to captions: the names that come with the boxes, or that a person gives."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..notes import quote
from ..safe_text import lines_of, parse_json, parse_yaml
from .choices import Choice
from .common import Reader
from .readable import readable
from .told import as_json

_NAMES = re.compile(r"\s*names\s*:")
_LISTED = re.compile(r"""[\[{]\s*["'\d\[{\]}]""")  # JSON, or what Python prints; not "[sign] a dog"
_NUMBERED = re.compile(r"\s*([0-9]{1,9})\s*:[ \t](.*)")  # a mapping from numbers, without the names: above it
_PRINTED = 256 * 1024  # characters of what Python printed


class ClassNames:
    """Captions of class numbers for one reading. ``own`` are the names that the data itself holds; they win."""

    def __init__(self, reader: Reader, own: Mapping[int, str] | None = None) -> None:
        self.reader = reader
        self.own = own
        self.names = own or given_names(reader.names, reader)
        self.asked = self.unnamed = False

    def caption(self, number: int) -> str:
        self.asked = True
        if number not in self.names:
            self.unnamed = True
        return self.names.get(number) or f"class {number}"

    def say(self, number: int, who: dict) -> None:
        """Say of one entry that the names, which there are, do not hold its class."""
        if self.names and number not in self.names:
            self.reader.note("read.class_unnamed", who=who, number=number)

    def close(self) -> None:
        """Say once that there were no names at all, where they would have been needed; other names may be given."""
        if self.unnamed and not self.names:
            self.reader.note("read.classes_without_names")
        if self.asked and not self.own:
            self.reader.choices["class_names"] = Choice(self.reader.names)


def given_names(text: str, reader: Reader) -> dict[int, str]:
    """Names from one per line, or from one line with commas; from JSON, or a data.yaml's ``names:``.

    What holds them there may be a list, or a mapping from numbers.
    """
    one_line = not text.endswith(("\n", "\r"))  # a file of one line ends in a line break; its name may have commas
    text = readable(text, reader, "The list of names", "read.names_not_utf8")
    lines = lines_of(text, "The list of names")
    if _LISTED.match(text):
        return _names_or_refusal(_json(text))
    if any(_NAMES.match(line) for line in lines):
        return _names_or_refusal(parse_yaml(text, "The file of names"))
    if all(numbered := [_NUMBERED.match(line) for line in lines]):
        return {int(match[1]): match[2].strip() for match in numbered}
    if one_line and len(lines) == 1 and "," in text:
        lines = text.strip(",").split(",")
    return {i: line.strip() for i, line in enumerate(lines)} if lines != [""] else {}


def _json(text: str) -> object:
    """JSON, or what Python prints; raises ValueError with a sentence."""
    try:
        return parse_json(text, "The list of names")
    except ValueError as error:
        if len(text) > _PRINTED:
            raise
        try:
            return parse_json(as_json(text), "The list of names")
        except ValueError:
            raise error from None


def _names_or_refusal(data: object) -> dict[int, str]:
    names = names_in(data["names"] if isinstance(data, dict) and "names" in data else data)
    if names is None:
        raise ValueError("The names of the YOLO file must be a list, or a mapping from class numbers to names.")
    return names


def names_in(value: object) -> dict[int, str] | None:
    """A list of names, or a mapping from class numbers (JSON writes them as text), as such a mapping; else None."""
    if isinstance(value, list):
        value = dict(enumerate(value))
    if isinstance(value, dict) and all(type(key) is int or _is_class(key) for key in value):
        return {int(key): name if isinstance(name, str) else quote(name) for key, name in value.items()}
    return None


def _is_class(key: object) -> bool:
    return isinstance(key, str) and len(key) < 10 and key.isascii() and key.isdecimal()
