"""Reading one array of a large JSON object element by element."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

CHUNK = 1 << 20  # characters
LONGEST_VALUE = 64 << 20  # characters: of one element
DELIMITERS = tuple(",:]} \t\r\n")


def stream_array(file: str | Path, key: str) -> Iterator:
    """Yield the elements of the array under top-level `key`; memory holds about one element and one MiB of text.

    Raises ValueError naming the file when it cannot be read, the key is missing or no array, or the JSON is broken.
    """
    try:
        with Path(file).open(encoding="utf-8-sig") as text:
            reader = _Reader(text, f"{file}")
            if reader.find(key):
                yield from reader.elements()
                return
    except OSError as error:
        raise ValueError(f"{file} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ValueError(f"{file} is not UTF-8 text: save it as UTF-8") from None
    raise ValueError(f"{file} has no {key!r}: is it a COCO file of the right kind?")


class _Reader:
    def __init__(self, text, name: str) -> None:
        self.text, self.name, self.buffer, self.at, self.ended = text, name, "", 0, False
        self.dropped = 0  # characters before the buffer
        self.decoder = json.JSONDecoder()

    def find(self, key: str) -> bool:
        """Go to the value of a key of the object that the file is; False where it has none such."""
        self.expect("{")
        while self.peek() != "}":
            name = self.value()
            self.expect(":")
            if name == key:
                return True
            self.skip_value()
            if self.peek() != "}":
                self.expect(",")
        return False

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
            raise ValueError(
                f"{self.name} is not the JSON that was expected: no {character!r} at character {self.dropped + self.at + 1}"
            )
        self.at += 1

    def value(self):
        """Decode the next value, reading on until it is complete."""
        self.peek()
        while True:
            value, end, problem = self._decoded()
            # A number may go on in the next chunk ("1." of "1.5" decodes as 1): only a delimiter ends it.
            if (problem or self.buffer[end : end + 1] not in DELIMITERS) and self._more():
                continue
            if problem:
                raise ValueError(f"{self.name} is not valid JSON: {problem} (character {self.dropped + end + 1})")
            self.at = end
            return value

    def _decoded(self) -> tuple[object, int, str]:
        """(value, place after it, "") of what is in the buffer, or (None, place, what is wrong there)."""
        try:
            return *self.decoder.raw_decode(self.buffer, self.at), ""
        except json.JSONDecodeError as error:
            return None, error.pos, error.msg
        except RecursionError:
            raise ValueError(
                f"{self.name} has too many brackets inside brackets after character {self.dropped + self.at + 1}"
            ) from None
        except ValueError as error:  # a number of thousands of digits
            raise ValueError(
                f"{self.name} cannot be read after character {self.dropped + self.at + 1} ({error})"
            ) from None

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
        """Drop what was read and append a chunk, as long as what is kept: the value begun is decoded anew each time.

        False at the end of the file.
        """
        kept = len(self.buffer) - self.at
        if kept > LONGEST_VALUE:
            raise ValueError(
                f"{self.name} has a value of over {LONGEST_VALUE >> 20} million characters at character {self.dropped + self.at + 1}"
            )
        chunk = "" if self.ended else self.text.read(max(CHUNK, kept))
        self.ended = not chunk
        if self.ended:
            return False
        self.dropped += self.at
        self.buffer, self.at = self.buffer[self.at :] + chunk, 0
        return True
