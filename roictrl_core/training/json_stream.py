"""Reading one array of a large JSON object element by element."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

CHUNK = 1 << 20  # characters
DELIMITERS = tuple(",:]} \t\r\n")


def stream_array(file: str | Path, key: str) -> Iterator:
    """Yield the elements of the array under top-level `key`; memory holds about one element and one MiB of text.

    Raises ValueError naming the file when the key is missing, is no array, or the JSON is broken.
    """
    with Path(file).open(encoding="utf-8") as text:
        reader = _Reader(text, f"{file}")
        reader.expect("{")
        while reader.peek() != "}":
            name = reader.value()
            reader.expect(":")
            if name == key:
                yield from reader.elements()
                return
            reader.skip_value()
            if reader.peek() == ",":
                reader.expect(",")
    raise ValueError(f"{file} has no {key!r}: is it a COCO file of the right kind?")


class _Reader:
    def __init__(self, text, name: str) -> None:
        self.text, self.name, self.buffer, self.at, self.ended = text, name, "", 0, False
        self.decoder = json.JSONDecoder()

    def peek(self) -> str:
        """The next character that is not white space; "" at the end."""
        while True:
            while self.at < len(self.buffer) and self.buffer[self.at].isspace():
                self.at += 1
            if self.at < len(self.buffer):
                return self.buffer[self.at]
            if not self._more():
                return ""

    def expect(self, character: str) -> None:
        if self.peek() != character:
            raise ValueError(f"{self.name} is not the JSON that was expected: no {character!r} where one must be")
        self.at += 1

    def value(self):
        """Decode the next value, reading on until it is complete."""
        self.peek()
        while True:
            try:
                value, end = self.decoder.raw_decode(self.buffer, self.at)
                # A number may go on in the next chunk ("1." of "1.5" decodes as 1): only a delimiter ends it.
                if self.buffer[end:end + 1] in DELIMITERS or not self._more():
                    self.at = end
                    return value
            except json.JSONDecodeError as error:
                if not self._more():
                    raise ValueError(f"{self.name} is not valid JSON: {error}") from None

    def elements(self) -> Iterator:
        self.expect("[")
        while self.peek() != "]":
            yield self.value()
            if self.peek() == ",":
                self.expect(",")
            elif self.peek() != "]":
                raise ValueError(f"{self.name} is not valid JSON: an array does not end")
        self.expect("]")

    def skip_value(self) -> None:
        if self.peek() == "[":
            for _ in self.elements():
                pass
        else:
            self.value()

    def _more(self) -> bool:
        """Drop what was read, append a chunk; False at the end of the file."""
        chunk = "" if self.ended else self.text.read(CHUNK)
        self.ended = not chunk
        self.buffer, self.at = self.buffer[self.at:] + chunk, 0
        return bool(chunk)
