"""Text to the plain data that it stands for: JSON, XML's tree, YOLO's lines (which stay text)
or YAML, also inside prose.

What people paste is often told rather than written: JSON inside fences, between sentences, or as Python prints it; a
file in another encoding; no text at all.  Each is read, or refused by what it is and not by the last parser's message.
Of several values those of one kind are joined; what is left out is named by its line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from xml.etree.ElementTree import Element

from ..safe_text import parse_json, parse_yaml
from .common import Reader
from .readable import readable
from .told import BROKEN, UNCLOSED, Told, broken_json, values_in
from .xml_text import parse_xml, xml_part
from .yolo import is_yolo

Kind = Callable[[object], str | None]  # the name of the format of plain data; None where it has none that is known

# After the fence no more of it may follow: else a long row of tildes would be tried with every length.
_FENCE = re.compile(r"^[ \t]*(```+|~~~+)(?![`~])[^\n`]*\n(.*?)(?:^[ \t]*\1|\Z)", re.MULTILINE | re.DOTALL)
_YAML_LINE = re.compile(r"^(?:- |[^\s#].*:(?:[ \t]*$|[ \t]+[\[{&!*|>\d.\-]))", re.MULTILINE)
_YAML_BLOCK = re.compile(r"^[^\s#-][^\n]*:[ \t]*\n(?=[ \t]+\S)", re.MULTILINE)  # a key over lines further in
_AFTER_YAML = re.compile(r"^(?!.*:[ \t]*$)\S(?!.*:[ \t]).*", re.MULTILINE)  # a line at the border that is no key
_OBJECTS = re.compile(r'\{\s*"|\[\s*\{')  # where JSON's objects may begin in prose
_OTHERS = re.compile(r"\[\s*[\[(]|\{\s*'")  # lists of lists, and Python's
_NUMBERS = re.compile(r"\[\s*-?[\d.]")
MAX_LINES = 50_000  # of objects in a row
MAX_FENCES = 1000
_NO_VALUES = (BROKEN, UNCLOSED)
_PROSE = 256 * 1024  # characters; longer texts are not searched for JSON


def parsed(text: str, reader: Reader, kind: Kind) -> object:
    """The data; raises ValueError with a sentence where there is none. Blank text is an empty list."""
    text = readable(text, reader)
    if not text:
        reader.note("read.blank")
        return []
    return _joined(_fenced(text, kind) or _told(text, kind), reader, kind)


def _fenced(text: str, kind: Kind) -> list[Told]:
    """What stands between ``` fences; [] without any; what stands outside where only that is known."""
    found: list[Told] = []
    error = None
    for line, inner in _fences(text):
        try:
            found += [told._replace(line=told.line + line - 1) for told in _told(inner, kind)]
        except ValueError as wrong:
            error = error or wrong
            found.append(Told(line, 0, BROKEN))
    if not found or any(_kinds(found, kind)):
        return found
    try:
        outside = _told(text, kind)
    except ValueError as wrong:
        outside, error = [], error or wrong
    if any(_kinds(outside, kind)):
        return outside
    if error:
        raise error
    return found


def _fences(text: str) -> Iterator[tuple[int, str]]:
    """What stands between fences, where there is anything, each with its line."""
    count, line, at = 0, 1, 0
    for fence in _FENCE.finditer(text):
        if not (inner := fence[2].strip()):
            continue
        if (count := count + 1) > MAX_FENCES:
            raise ValueError(f"The text has more than {MAX_FENCES} pieces between fences. Give fewer of them at once.")
        begins = fence.start(2) + len(fence[2]) - len(fence[2].lstrip())
        line, at = line + text.count("\n", at, begins), begins
        yield line, inner


def _told(text: str, kind: Kind) -> list[Told]:
    """What a text without fences holds."""
    if text[0] in "{[":
        return _json(text, kind)
    if (part := xml_part(text)) is not None:
        return [_whole(parse_xml(part))]
    if is_yolo(text):
        return [_whole(text)]
    short = len(text) <= _PROSE
    if short and _OBJECTS.search(text):
        return _usable(text, values_in(text), kind)
    others = values_in(text) if short and _OTHERS.search(text) else []
    if not _YAML_LINE.search(text[:4000]):
        return _usable(text, others, kind)
    try:
        return [_whole(_yaml(text, kind, bool(others)))]
    except ValueError:
        if any(_kinds(others, kind)):
            return others
        raise


def _whole(value: object) -> Told:
    return Told(1, 0, value)


def _json(text: str, kind: Kind) -> list[Told]:
    """JSON; objects in a row, as in JSON lines; or several values, as Python prints them, or with prose after them."""
    try:
        return [_whole(parse_json(text, finite=False))]
    except ValueError as error:
        rows = _objects_in_a_row(text)
        if rows and kind(rows) and kind(rows) == kind(rows[0]):
            return [_whole(rows)]
        found = values_in(text) if len(text) <= _PROSE else _lines(text)
        if not any(_kinds(found, kind)) and (not found or any(told.value in _NO_VALUES for told in found)):
            raise error from None
        return found


def _usable(text: str, found: Sequence[Told], kind: Kind) -> Sequence[Told]:
    """Values from prose; raises ValueError with a sentence where the only ones of any use are broken."""
    broken = next((told for told in found if told.value in _NO_VALUES), None)
    if broken and not any(_kinds(found, kind)):
        raise broken_json(text, broken.start)
    return found or [_whole(text)]


def _rows(text: str) -> list[str]:
    """The lines with anything on them, where each may be an object, or each numbers;
    [] where they are anything else."""
    if text.count("\n") > MAX_LINES:
        return []
    lines = [line.strip().rstrip(",") for line in text.splitlines() if line.strip()]
    alike = all(line[:1] == "{" for line in lines) or all(map(_NUMBERS.match, lines))
    return lines if len(lines) > 1 and alike else []


def _objects_in_a_row(text: str) -> list | None:
    """Several objects, or boxes of four numbers, one a line; None where the lines are anything else."""
    if not (lines := _rows(text)):
        return None
    try:
        return parse_json(f"[{','.join(lines)}]", finite=False)
    except ValueError:
        return None


def _lines(text: str) -> list[Told]:
    """Objects of a text that is too long to be searched, each in a line of its own."""
    return (
        [Told(i, 0, _line(line)) for i, line in enumerate(text.split("\n"), 1) if line.strip()] if _rows(text) else []
    )


def _line(line: str) -> object:
    try:
        return parse_json(line.strip().rstrip(","), finite=False)
    except ValueError:
        return BROKEN


def _yaml(text: str, kind: Kind, only_known: bool) -> object:
    """YAML; also after or before a sentence, which is YAML as well if it ends in a colon.
    Raises ValueError with a sentence."""
    error, value = None, text
    for part in dict.fromkeys((text, _yaml_block(text))):
        try:
            value = parse_yaml(part)
        except ValueError as wrong:
            error = error or wrong
        else:
            if kind(value):
                return value
    if error or only_known:
        raise ValueError(f"This is neither JSON nor YOLO's lines. {error or 'It is YAML without boxes.'}") from None
    return value


def _yaml_block(text: str) -> str:
    """From the first key over lines further in to the last line before one at the border that is no key."""
    begin = _YAML_BLOCK.search(text)
    if begin is None:
        return text
    end = _AFTER_YAML.search(text, begin.end())
    return text[begin.start() : end.start() if end else len(text)]


# --- several values ---


def _joined(found: Sequence[Told], reader: Reader, kind: Kind) -> object:
    """The values of the first kind that is known, as one; what is left out is said."""
    if len(found) == 1:
        return found[0].value
    kinds = list(_kinds(found, kind))
    first = next((name for name in kinds if name), None)
    same = [
        told.value for told, name in zip(found, kinds, strict=True) if name == first and told.value not in _NO_VALUES
    ]
    value = same[0]
    if first and len(same) > 1 and kind(together := _together(same)) == first:
        if sum(isinstance(part, list) and len(part) > 1 for part in same) > 1:  # a draft and its correction, maybe
            reader.note("read.joined", count=len(same))
        value, same = together, []
    for told, name in zip(found, kinds, strict=True):
        if told.value is BROKEN:
            reader.note("read.broken", line=told.line)
        elif told.value is UNCLOSED:
            reader.note("read.unclosed", line=told.line)
        elif _says_something(told.value) and told.value is not value and (name != first or same):
            reader.note("read.another", line=told.line)
    return value


def _kinds(found: Sequence[Told], kind: Kind) -> Iterator[str | None]:
    """The kind of each value; what has the same keys is asked about once."""
    known: dict[object, str | None] = {}
    for told in found:
        looks = _looks(told.value)
        if looks not in known:
            known[looks] = kind(told.value)
        yield known[looks]


def _looks(value: object) -> object:
    first = value[0] if isinstance(value, list) and value else value
    keys = frozenset(first) if isinstance(first, dict) else len(first) if isinstance(first, list) else None
    return type(value), type(first), keys, id(value) if isinstance(value, (str, Element)) else None


def _says_something(value: object) -> bool:
    """Prose and empty lists hold no boxes that anybody could miss."""
    return isinstance(value, Element) or isinstance(value, (dict, list)) and bool(value)


def _together(values: Sequence) -> object:
    """Lists and their items in one list; lines one after another."""
    if isinstance(values[0], str):
        return "\n".join(values)
    return [item for value in values for item in (value if isinstance(value, list) else [value])]
