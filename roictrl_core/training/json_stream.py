"""Reading one array of a large JSON object element by element."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

from ..notes import quote

CHUNK = 1 << 20  # characters
LONGEST_VALUE = 64 << 20  # characters: of one element
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
DELIMITERS = tuple(",:]} \t\r\n")


class Doubled(dict):
    """An object that has a key twice: the first value is lost, so it is for the reader of the row to refuse it."""

    twice = ""  # the key


def object_of_pairs(pairs: list[tuple[str, object]]) -> dict:
    """For the decoder: a dict, or a Doubled."""
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    seen: set[str] = set()
    doubled = Doubled(made)
    doubled.twice = next(key for key, _ in pairs if key in seen or seen.add(key))
    return doubled


def check_encoding(file: BufferedReader, name: str | Path) -> None:
    """Raises ValueError for UTF-16 text, with a mark and without: ASCII's every other byte is 0 there."""
    start = file.peek(4)[:4]
    if start.startswith(UTF16_MARKS) or b"\0" in start and start.strip(b"\0"):
        raise ValueError(f"{name} is UTF-16 text: save it as UTF-8")


def stream_array(file: str | Path, key: str, whole: bool = False) -> Iterator:
    """Yield the elements of the array under top-level `key`; memory holds about one element and one MiB of text.

    whole: read on after them to the end of the file, and refuse what does not belong there.
    Raises ValueError naming the file when it cannot be read, the key is missing or no array, or the JSON is broken.
    """
    try:
        with Path(file).open(encoding="utf-8-sig") as text:
            check_encoding(text.buffer, file)
            reader = _Reader(text, f"{file}")
            if reader.find(key):
                yield from reader.elements(key)
                if whole:
                    reader.finish()
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
        self.decoder = json.JSONDecoder(object_pairs_hook=object_of_pairs)
        self.names: set[str] = set()  # keys of the object that the file is

    def find(self, key: str) -> bool:
        """Go to the value of a key of the object that the file is; False where it has none such."""
        self.expect("{")
        while self.peek() != "}":
            if self.name_of_value() == key:
                return True
            self.skip_value()
            if self.peek() != "}":
                self.expect(",")
        return False

    def finish(self) -> None:
        """Read on to the end of the file, after the value of a key."""
        while self.peek() != "}":
            self.expect(",")
            self.name_of_value()
            self.skip_value()
        self.expect("}")
        if self.peek():
            raise ValueError(
                f"{self.name} goes on after the end of its JSON, at character {self.dropped + self.at + 1}"
            )

    def name_of_value(self) -> str:
        name = self.value()
        if not isinstance(name, str):
            raise ValueError(
                f"{self.name} is not valid JSON: a key is no text (character {self.dropped + self.at + 1})"
            )
        self.expect(":")
        if name in self.names:
            raise ValueError(f"{self.name} has the key {quote(name)} twice: keep one")
        self.names.add(name)
        return name

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
                f"{self.name} is not the JSON that was expected: no {character!r} at character "
                f"{self.dropped + self.at + 1}"
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
        except ValueError:  # Python's limit of digits, whose own sentence is for programmers
            raise ValueError(
                f"{self.name} holds a number of thousands of digits after character {self.dropped + self.at + 1}"
            ) from None

    def elements(self, key: str = "") -> Iterator:
        """The elements of the array that begins here; `key` is its name in messages."""
        if key and self.peek() not in ("[", ""):
            raise ValueError(f"{self.name}: {key!r} is not a list: is it a COCO file of the right kind?")
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
                f"{self.name} has a value of over {LONGEST_VALUE >> 20} million characters at character "
                f"{self.dropped + self.at + 1}"
            )
        chunk = "" if self.ended else self.text.read(max(CHUNK, kept))
        self.ended = not chunk
        if self.ended:
            return False
        self.dropped += self.at
        self.buffer, self.at = self.buffer[self.at :] + chunk, 0
        return True
