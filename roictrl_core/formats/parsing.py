"""Text to the plain data that it stands for: JSON, XML's tree, YOLO's lines (which stay text) or YAML, also inside prose.

What people paste is often told rather than written: JSON inside a fence, after a sentence, or as Python prints it; a
file in another encoding; no text at all.  Each is read, or refused by what it is and not by the last parser's message.
"""

from __future__ import annotations

import json
import re

from ..safe_text import check_size, parse_json, parse_yaml
from .common import Reader
from .xml_text import is_xml, parse_xml
from .yolo import is_yolo

# After the fence no more of it may follow: else a long row of tildes would be tried with every length.
_FENCE = re.compile(r"^[ \t]*(```+|~~~+)(?![`~])[^\n`]*\n(.*?)(?:^[ \t]*\1|\Z)", re.MULTILINE | re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")
_YAML_LINE = re.compile(r"^(?:- |[^\s#].*:(?:[ \t]*$|[ \t]+[\[{&!*|>\d.\-]))", re.MULTILINE)
_OBJECTS = re.compile(r'\{\s*"|\[\s*\{')  # where JSON's objects may begin in prose, and lists of lists
_LISTS = re.compile(r"\[\s*\[")
MAX_LINES = 50_000  # of objects in a row
_PROSE = 256 * 1024  # characters; longer texts are not searched for JSON


def parsed(text: str, reader: Reader) -> object:
    """The data; raises ValueError with a sentence where there is none. Blank text is an empty list."""
    check_size(text)
    if (wrong := _CONTROL.search(text)) is not None:
        raise ValueError(_binary(text, wrong.start()))
    if "\ufffd" in text:
        line = text.count("\n", 0, text.index("\ufffd")) + 1
        reader.note("read.not_utf8", count=text.count("\ufffd"), line=line)
    text = text.lstrip("\ufeff").strip()
    if not text:
        reader.note("read.blank")
        return []
    return _data(_unfenced(text))


def _binary(text: str, at: int) -> str:
    """What a text with control characters is, for an error."""
    if max(text[::2].count("\0"), text[1::2].count("\0")) > 0.4 * len(text):
        return "This is text in UTF-16, which cannot be read here. Save it as UTF-8."
    line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
    return (
        f"This is a binary file, or a damaged text: the character with the code {ord(text[at])} stands at line {line}, column "
        f"{column}. Give JSON, YAML or YOLO's lines, in UTF-8."
    )


def _unfenced(text: str) -> str:
    """What stands between the first pair of ``` fences that holds anything; the text itself without one."""
    return next((inner for match in _FENCE.finditer(text) if (inner := match[2].strip())), text)


def _data(text: str) -> object:
    if text[0] in "{[":
        return _json(text)
    if is_xml(text):
        return parse_xml(text)
    if is_yolo(text):
        return text
    if (start := _first(_OBJECTS, text)) is not None:
        return _json_inside(text, start)
    if _YAML_LINE.search(text[:4000]):
        try:
            return parse_yaml(text)
        except ValueError as error:
            raise ValueError(f"This is neither JSON nor YOLO's lines. {error}") from None
    start = _first(_LISTS, text)
    return text if start is None else _json_inside(text, start)


def _json(text: str) -> object:
    """JSON; objects in a row, as in JSON lines; what Python prints, with single quotes; or JSON with prose after it."""
    try:
        return parse_json(text, finite=False)
    except ValueError as error:
        found = _objects_in_a_row(text) or _before_prose(text)
        if found is None and "'" in text and '"' not in text and len(text) <= _PROSE:
            found = _printed_by_python(text)
        if found is None:
            raise error from None
        return found


def _printed_by_python(text: str) -> object | None:
    try:
        return parse_yaml(text)
    except ValueError:
        return None


def _objects_in_a_row(text: str) -> list | None:
    """Several objects, one a line; None where the lines are anything else."""
    if text.count("\n") > MAX_LINES:
        return None
    lines = [line.strip().rstrip(",") for line in text.splitlines() if line.strip()]
    if len(lines) < 2 or not all(line[0] == "{" and line[-1] == "}" for line in lines if line):
        return None
    try:
        return parse_json(f"[{','.join(lines)}]", finite=False)
    except ValueError:
        return None


def _before_prose(text: str) -> object | None:
    try:
        return _value_at(text, 0) if len(text) <= _PROSE else None
    except json.JSONDecodeError:
        return None


def _first(pattern: re.Pattern, text: str) -> int | None:
    match = pattern.search(text) if len(text) <= _PROSE else None
    return match and match.start()


def _json_inside(text: str, start: int) -> object:
    """The JSON that begins there, inside prose. Raises ValueError with a sentence where it is broken."""
    try:
        return _value_at(text, start)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"The JSON inside this text is not valid: {error.msg} at line {error.lineno}, column {error.colno}. "
            "Correct it there."
        ) from None


def _value_at(text: str, start: int) -> object:
    """The JSON value that begins there, whatever follows it. Raises JSONDecodeError where it is broken."""
    try:
        # Only the end is asked: no number is made of its digits, however many there are.
        _, end = json.JSONDecoder(parse_int=len, parse_float=len).raw_decode(text, start)
    except RecursionError:
        end = len(text)  # which parse_json has a sentence for
    return parse_json(text[start:end], finite=False)
