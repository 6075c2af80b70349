"""Parsing of text from outside: JSON and YAML, bounded before they are parsed.

Whatever a text holds, no more work is done on it than its :class:`Limits` allow: bytes, and how many lists, values or
lines there are, counted over the bytes; then nesting (:data:`MAX_DEPTH`) and the length of numbers, found by linear
scans.  So no text keeps the interpreter for long, and none unfolds into more than some tens of MB.

Read are plain data only: finite numbers, and no key twice in one mapping (the first value would be lost without a
word).  YAML is read by JSON's rules: text, numbers, true, false and null; its tags, aliases and further documents are
refused, its keys are text.  Every refusal is a :class:`ValueError` whose message is a sentence.
"""

from __future__ import annotations

import json
import math
import re
from typing import NamedTuple

from .notes import MAX_QUOTE, quote

MAX_BYTES = 10 * 1024 * 1024
MAX_DEPTH = 32
MAX_DIGITS = 300  # of one number; the largest float has 309
_LONGEST = 10**MAX_DIGITS


class Limits(NamedTuple):
    """What a text may hold: bytes of UTF-8, and how often each of some sets of characters, which stand for what."""

    size: int
    counts: tuple[tuple[str, int, str], ...] = ()


# Chosen so that pure Python needs under 2 s and 100 MB for any text: scripts/fuzz.py prints what the worst ones take.
JSON = Limits(
    MAX_BYTES, (("[{", 300_000, "lists and objects"), (",", 1_200_000, "commas"), ('"', 800_000, "quotation marks"))
)
YAML = Limits(
    256 * 1024, (("[{", 10_000, "lists and mappings"), (",", 10_000, "commas"), ("\n\r", 10_000, "line breaks"))
)
LINES = Limits(MAX_BYTES, (("\n", 50_000, "line breaks"), (" \t", 400_000, "spaces")))


def check_size(text: str | bytes, what: str = "The text", limits: Limits = JSON) -> bytes:
    """The text's bytes; refuses one that is larger than ``limits`` allow, without counting anything in it."""
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    if len(data) > limits.size:
        most = f"{limits.size // 2**20} MB" if limits.size >= 2**20 else f"{limits.size // 2**10} KB"
        raise ValueError(
            f"{what} has {len(data) / 2**20:.1f} MB; at most {most} are read. Split it into smaller pieces."
        )
    return data


def check_counts(data: bytes, limits: Limits, what: str) -> None:
    """Refuse more of anything than ``limits`` allow."""
    for characters, most, things in limits.counts:
        found = sum(data.count(character.encode()) for character in characters)
        if found > most:
            raise ValueError(
                f"{what} has {found} {things}; at most {most} are read. "
                "Check that it is the right file, or split it into smaller pieces."
            )


def lines_of(text: str, what: str = "The text", limits: Limits = LINES) -> list[str]:
    """The text's lines, whichever line ends it has; refuses more than ``limits`` allow."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    check_counts(check_size(text, what, limits), limits, what)
    return text.split("\n")


def check_depth(value: object, what: str = "The data", finite: bool = True) -> None:
    """Refuse what text is refused for: nesting over :data:`MAX_DEPTH`, numbers that are too long
    or not ``finite``; in one walk."""
    stack = [(value, 1)]
    while stack:
        node, depth = stack.pop()
        if finite and isinstance(node, float) and not math.isfinite(node):
            raise ValueError(_not_finite(what, node, _path_to(node, value)))
        if isinstance(node, int) and not -_LONGEST < node < _LONGEST:
            raise ValueError(_too_long(what))
        if not isinstance(node, (dict, list, tuple)):
            continue
        if depth > MAX_DEPTH:
            raise ValueError(_too_deep(what))
        children = node.values() if isinstance(node, dict) else node
        stack.extend((child, depth + 1) for child in children)


def _path_to(number: float, value: object) -> str:
    """Where in plain data that very number stands, as [0].score; in the order of :func:`check_depth`,
    so no deeper than it."""
    stack: list[tuple[object, tuple]] = [(value, ())]
    while stack:
        node, trail = stack.pop()
        if node is number:
            return "".join(trail).lstrip(".")
        if isinstance(node, dict):
            stack.extend((child, (*trail, f".{str(key)[:MAX_QUOTE]}")) for key, child in node.items())
        elif isinstance(node, (list, tuple)):
            stack.extend((child, (*trail, f"[{i}]")) for i, child in enumerate(node))
    return ""


def _not_finite(what: str, number: object, place: str = "") -> str:
    number = "NaN" if number != number else number
    at = f" at {place}" if place else ""
    return f"{what} holds the number {number}{at}; only finite numbers can be used. Replace NaN and infinite values."


def _too_long(what: str) -> str:
    return f"{what} holds a number of over {MAX_DIGITS} digits. Check that it is the right file."


def _too_deep(what: str) -> str:
    return (
        f"{what} is nested more than {MAX_DEPTH} levels deep; box lists need far fewer. "
        "Check that it is the right file."
    )


# --- JSON ---


def parse_json(text: str, what: str = "The text", limits: Limits = JSON, finite: bool = True) -> object:
    """JSON text to plain data. Raises ValueError with a sentence (place of the fault included).

    Without ``finite`` NaN and infinite numbers are read as such, for a reader that names what holds them.
    """
    exponents = _check_json(check_size(text, what, limits), limits, what)
    endless: list[tuple[str, float]] = []  # numbers that are not finite: as written, as read

    def number(written: str) -> float:
        value = float(written)
        if not math.isfinite(value):
            endless.append((quote(written)[1:-1], value))
        return value

    def unique(pairs: list[tuple[str, object]]) -> dict:
        result = dict(pairs)
        if len(result) < len(pairs):
            twice = quote(_first_double(key for key, _ in pairs))
            raise ValueError(f"{what} has the key {twice} twice in one object; give each its own name.")
        return result

    try:
        data = json.loads(
            text, object_pairs_hook=unique, parse_float=number if exponents else None, parse_constant=number
        )
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{what} is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}. Correct it there."
        ) from None
    if finite and endless:
        written, value = endless[0]
        raise ValueError(_not_finite(what, written, _path_to(value, data)))
    return data


def _check_json(data: bytes, limits: Limits, what: str) -> bool:
    """Refuse what is over the limits, in linear scans; whether a number has an exponent, and so may be infinite."""
    data = data.replace(rb"\\", b"").replace(rb"\"", b"")
    check_counts(data, Limits(limits.size, tuple(entry for entry in limits.counts if '"' in entry[0])), what)
    data = re.sub(rb'"[^"]*"?', b'""', data)  # the strings emptied; never wrong about valid JSON
    check_counts(data, limits, what)
    _check_nesting(data, what)
    _check_digits(data, what)
    return re.search(rb"[0-9.][eE]\+?[0-9]", data) is not None


def _check_nesting(data: bytes, what: str) -> None:
    depth = 0
    for bracket in re.sub(rb"[^][{}]+", b"", data):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            raise ValueError(_too_deep(what))


def _check_digits(data: bytes, what: str) -> None:
    """Refuse numbers that some versions of Python take quadratic time for."""
    if b"0" * (MAX_DIGITS + 1) in data.translate(_DIGITS_AS_0):
        raise ValueError(_too_long(what))


_DIGITS_AS_0 = bytes.maketrans(b"123456789", b"000000000")


def _first_double(keys) -> object:
    seen: set = set()
    return next(key for key in keys if key in seen or seen.add(key))


# --- YAML ---

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORDS = {"": None, "null": None, "true": True, "false": False}


def parse_yaml(text: str, what: str = "The text") -> object:
    """YAML text to plain data, by JSON's rules. Raises ValueError with a sentence (place of the fault included)."""
    import yaml  # part of every ComfyUI; only this format needs it

    data = check_size(text, what, YAML)
    check_counts(data, YAML, what)
    _check_digits(data, what)
    try:
        return _Document(what).read(yaml.parse(text, Loader=yaml.BaseLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ValueError(_yaml_sentence(what, problem, mark)) from None
    except (ValueError, OverflowError) as error:  # "%YAML 1.99999..." or an escape that stands for no character
        raise error if isinstance(error, _Refusal) else ValueError(_yaml_sentence(what, str(error), None)) from None


def _yaml_sentence(what: str, problem: str, mark) -> str:
    place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"{what} is not usable YAML: {problem[:200]}{place}. Correct it there."


class _Refusal(ValueError):
    """A sentence of ours, raised while somebody else's parser runs."""


class _Document:
    """Plain data from the events of a YAML parser, without recursion: a list or mapping per open level."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._open: list[list | dict] = [[]]  # the outermost holds the document
        self._keys: list[str | None] = [None]  # of each open mapping, the key whose value comes next

    def read(self, events) -> object:
        for event in events:
            self._take(type(event).__name__.removesuffix("Event"), event)
        document = self._open[0]
        return document[0] if document else None

    def _take(self, kind: str, event) -> None:
        if kind == "DocumentStart" and self._open[0]:
            self._refuse("a second document (---) begins here; only one is read", event)
        if kind == "Alias":
            self._refuse("aliases (*name) are not allowed", event)
        if getattr(event, "tag", None):
            self._refuse("tags (!name) are not allowed", event)
        if kind in ("SequenceStart", "MappingStart"):
            self._begin([] if kind == "SequenceStart" else {}, event)
        elif kind in ("SequenceEnd", "MappingEnd"):
            self._open.pop()
            self._keys.pop()
        elif kind == "Scalar":
            self._scalar(event)

    def _begin(self, collection: list | dict, event) -> None:
        if len(self._open) > MAX_DEPTH:
            raise _Refusal(_too_deep(self._what))
        if self._wants_key():
            self._refuse("a list or mapping stands where a key should", event)
        self._add(collection)
        self._open.append(collection)
        self._keys.append(None)

    def _scalar(self, event) -> None:
        if not self._wants_key():
            self._add(event.value if event.style else self._plain(event))
        elif event.value in self._open[-1]:
            self._refuse(f"the key {quote(event.value)} stands twice", event)
        else:
            self._keys[-1] = event.value

    def _wants_key(self) -> bool:
        return isinstance(self._open[-1], dict) and self._keys[-1] is None

    def _add(self, value: object) -> None:
        if isinstance(self._open[-1], dict):
            self._open[-1][self._keys[-1]] = value
            self._keys[-1] = None
        else:
            self._open[-1].append(value)

    def _plain(self, event) -> object:
        """A scalar without quotation marks."""
        text = event.value
        if text in _WORDS:
            return _WORDS[text]
        number = _NUMBER.fullmatch(text)
        if not number:
            return text
        value = float(text) if number[1] or number[2] else int(text)
        if isinstance(value, float) and math.isinf(value):
            place = f"line {event.start_mark.line + 1}, column {event.start_mark.column + 1}"
            raise _Refusal(_not_finite(self._what, quote(text)[1:-1], place))
        return value

    def _refuse(self, problem: str, event) -> None:
        raise _Refusal(_yaml_sentence(self._what, problem, event.start_mark))
