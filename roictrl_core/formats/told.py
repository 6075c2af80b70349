"""JSON inside other text: every value that stands there, between sentences, one after another, or as Python prints it.

All of it is linear in the text's length: brackets are paired once, no value is tried twice, and what is not closed is
not tried at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from ..safe_text import parse_json

MAX_VALUES = 10_000
BROKEN = object()  # stands for a value that cannot be read
UNCLOSED = object()  # stands for a list without an end, whose items follow as far as they are whole

# Strings end with their line, as in JSON. Single quotes are Python's only where a value may begin:
# else they are apostrophes.
_TOKEN = re.compile(r"""([][{}(,:])[ \t\n]*'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"?|[][{}]""")
_BEGINS = re.compile(r"""\{\s*["'\d]|\[\s*[\[{(]""")  # objects, and lists of objects or lists
_INDENT = re.compile(r"^([ \t]*)(?=\S)", re.MULTILINE)
_OPENS = {"]": "[", "}": "{"}


class Told(NamedTuple):
    """A value, or one of BROKEN and UNCLOSED, and where it begins: the line from 1, and the index in the text."""

    line: int
    start: int
    value: object


def values_in(text: str) -> list[Told]:
    """The values in the order in which they stand. Raises ValueError with a sentence where they are too many."""
    found, line, at = [], 1, 0
    for start, end in _places(text):
        if len(found) == MAX_VALUES:
            raise ValueError(
                f"The text has more than {MAX_VALUES} pieces of JSON; at most that many are read. "
                "Split it into smaller texts."
            )
        line += text.count("\n", at, start)
        at = start
        closed = _value(text[start:end]) if end is not None else UNCLOSED if text[start] == "[" else BROKEN
        found.append(Told(line, start, closed))
    return found


def broken_json(text: str, start: int) -> ValueError:
    """What is wrong with the JSON that begins there, inside other text."""
    try:
        # Only the place is asked: no number is made of its digits, however many there are.
        json.JSONDecoder(parse_int=len, parse_float=len).raw_decode(text, start)
    except json.JSONDecodeError as error:
        return ValueError(
            f"The JSON inside this text is not valid: {error.msg} at line {error.lineno}, column {error.colno}. "
            "Correct it there."
        )
    except RecursionError:
        pass
    try:
        parse_json(text[start:], "The JSON inside this text")
    except ValueError as error:
        return error
    line = text.count("\n", 0, start) + 1
    return ValueError(f"The JSON that begins in line {line} of this text cannot be read. Correct it there.")


def _places(text: str) -> Iterator[tuple[int, int | None]]:
    """Where values begin and end (None = it is not closed), none of them inside another;
    and where an object only ends."""
    last = text.rfind("\n")
    after = 0
    for start, end in _ends(text).items():
        if start < after:
            continue
        if text[start] == "}" and "\n" not in text[after:start]:
            after = start + 1  # a brace too many, after what could be read, is no loss
        elif text[start] == "[" and end is None and start < last and _BEGINS.match(text, start):
            yield start, None
            after = start + 1
        elif text[start] == "}" or _BEGINS.match(text, start):
            yield start, end
            after = end or _after_cut(text, start)


def _ends(text: str) -> dict[int, int | None]:
    """Of each bracket that opens, in the text's order, the index after the one that closes it; None where none does.

    Also with None the braces that close what nothing opens.
    """
    ends: dict[int, int | None] = {}
    stack: list[tuple[str, int]] = []
    depth = {"[": 0, "{": 0}
    for token in _TOKEN.finditer(text):
        sign = token[1] or token[0]
        if sign in depth:
            ends[token.start()] = None
            stack.append((sign, token.start()))
            depth[sign] += 1
        elif sign == "}" and not depth["{"]:
            ends[token.start()] = None
        elif sign in _OPENS and depth[_OPENS[sign]]:
            opened = ""
            while opened != _OPENS[sign]:  # what was opened later is not closed
                opened, start = stack.pop()
                depth[opened] -= 1
            ends[start] = token.start() + 1
    return ends


def _after_cut(text: str, start: int) -> int:
    """The next line that is not part of what begins at ``start`` and is not closed: one that is not further in."""
    begins = text.rfind("\n", 0, start) + 1
    indent = len(_INDENT.match(text, begins)[1])
    ends = text.find("\n", start)
    lines = _INDENT.finditer(text, ends) if ends >= 0 else ()
    return next((line.start() for line in lines if len(line[1]) <= indent), len(text))


def _value(text: str) -> object:
    try:
        return parse_json(text, finite=False)
    except ValueError:
        strict = as_json(text)
    try:
        return BROKEN if strict == text else parse_json(strict, finite=False)
    except ValueError:
        return BROKEN


# --- JSON as Python prints it, and as people write it ---

_LOOSE = re.compile(
    r"""(?P<text>"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?)
    |(?P<comment>//[^\n]*|\#[^\n]*|/\*(?:[^*]|\*(?!/))*(?:\*/)?)
    |(?P<comma>,\s*(?=[\]})]))
    |(?:np|numpy)\.\w{1,20}\((?P<number>[^()\n]*)\)
    |(?P<word>\b(?:True|False|None)\b)
    |(?P<round>[()])
    |(?P<key>(?<=[{,\s])\d+(?=\s*:))""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"""\\x([0-9a-fA-F]{2})|\\U([0-9a-fA-F]{8})|\\'|\\.|["]""")
_SIGNS = {"True": "true", "False": "false", "None": "null", "(": "[", ")": "]"}


def as_json(text: str) -> str:
    """Strict JSON of a value with Python's quotes, words, tuples or numbers as keys, with comments,
    or commas before an end.

    It is no check: what is no such value stays as wrong as it is.
    """
    return _LOOSE.sub(_strict, _LOOSE.sub(lambda part: "" if part["comment"] else part[0], text))


def _strict(part: re.Match) -> str:
    kind = part.lastgroup
    if kind == "text":
        return '"' + _ESCAPE.sub(_escape, part[0][1:-1]) + '"'
    if kind == "number":
        return part[kind]
    if kind == "key":
        return f'"{part[0]}"'
    return _SIGNS.get(part[0], "")


def _escape(part: re.Match) -> str:
    if part[1]:
        return "\\u00" + part[1]
    if part[2]:
        return json.dumps(chr(int(part[2], 16)))[1:-1] if int(part[2], 16) <= 0x10FFFF else part[0]
    return {"\\'": "'", '"': '\\"'}.get(part[0], part[0])
