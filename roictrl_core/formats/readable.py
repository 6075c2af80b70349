"""Text from outside before it is parsed: its size, whether it is text at all, its encoding, its line ends."""

from __future__ import annotations

import re

from ..safe_text import check_size
from .common import Reader

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")


def readable(text: str, reader: Reader, what: str = "This", not_utf8: str = "read.not_utf8") -> str:
    """The text with \\n as line ends and nothing blank around it; raises ValueError with a sentence where it is none.

    ``not_utf8`` is the code of the note that characters were lost.
    """
    check_size(text, "The text" if what == "This" else what)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if (wrong := _CONTROL.search(text)) is not None:
        raise ValueError(_binary(text, wrong.start(), what))
    if "\ufffd" in text:
        line = text.count("\n", 0, text.index("\ufffd")) + 1
        reader.note(not_utf8, count=text.count("\ufffd"), line=line)
    return text.lstrip("\ufeff").strip()


def _binary(text: str, at: int, what: str) -> str:
    """What a text with control characters is, for an error."""
    if max(text[::2].count("\0"), text[1::2].count("\0")) > 0.4 * len(text):
        return f"{what} is text in UTF-16, which cannot be read here. Save it as UTF-8."
    line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
    return (
        f"{what} is a binary file, or a damaged text: the character with the code {ord(text[at])} stands at line "
        f"{line}, column {column}. Save it as text in UTF-8."
    )
