"""Text to the plain data that it stands for: JSON, YOLO's lines (which stay text) or YAML, also inside prose.

What people paste is often told rather than written: JSON inside a fence, after a sentence, or as Python prints it; a
file in another encoding; no text at all.  Each is read, or refused by what it is and not by the last parser's message.
"""

from __future__ import annotations

import json
import re

from ..safe_text import check_size, parse_json, parse_yaml
from .common import Reader
from .yolo import is_yolo

_FENCE = re.compile(r"^[ \t]*(```+|~~~+)[^\n`]*\n(.*?)(?:^[ \t]*\1|\Z)", re.MULTILINE | re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")
_YAML_LINE = re.compile(r"^(?:- |[^\s#].*:(?:[ \t]*$|[ \t]+[\[{&!*|>\d.\-]))", re.MULTILINE)
_PROSE = 256 * 1024         # characters; longer texts are not searched for JSON
_TRIED = 100                # places in prose at which JSON may begin
_SCANNED = 4 * _PROSE       # characters that are scanned in vain, at most


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
    wide = text.count("\0") > len(text) // 4
    advice = "Save it as UTF-8." if wide else "Give a text file: JSON, YAML or YOLO's lines."
    return (f"This is {'text in UTF-16' if wide else 'no text but a binary file'}: its character {at + 1} is the control "
            f"character {ord(text[at])}. {advice}")


def _unfenced(text: str) -> str:
    """What stands between the first pair of ``` fences that holds anything; the text itself without one."""
    return next((inner for match in _FENCE.finditer(text) if (inner := match[2].strip())), text)


def _data(text: str) -> object:
    if text[0] in "{[":
        return _json(text)
    if is_yolo(text):
        return text
    if (found := _json_within(text)) is not None:
        return found
    if _YAML_LINE.search(text[:4000]):
        try:
            return parse_yaml(text)
        except ValueError as error:
            raise ValueError(f"This is neither JSON nor YOLO's lines. {error}") from None
    return text


def _json(text: str) -> object:
    """JSON; objects in a row, as in JSON lines; what Python prints, with single quotes; or JSON with prose after it."""
    try:
        return parse_json(text)
    except ValueError as error:
        found = _objects_in_a_row(text) or _json_within(text)
        if found is None and "'" in text and '"' not in text:
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
    lines = [line.strip().rstrip(",") for line in text.splitlines() if line.strip()]
    if len(lines) < 2 or not all(line[0] == "{" and line[-1] == "}" for line in lines if line):
        return None
    try:
        return parse_json(f"[{','.join(lines)}]")
    except ValueError:
        return None


def _json_within(text: str) -> object | None:
    """The first object, or list with more than numbers in it, that stands anywhere in the text as JSON."""
    decoder, scanned = json.JSONDecoder(), 0
    for match, _ in zip(re.finditer(r"[{\[]", text if len(text) <= _PROSE else ""), range(_TRIED)):
        try:
            data, end = decoder.raw_decode(text, match.start())
        except json.JSONDecodeError as error:
            scanned += error.pos - match.start()
        except (ValueError, RecursionError):
            return None
        else:
            if isinstance(data, dict) and data or isinstance(data, list) and any(isinstance(item, (dict, list)) for item in data):
                return parse_json(text[match.start():end])
            scanned += end - match.start()
        if scanned > _SCANNED:
            return None
    return None
