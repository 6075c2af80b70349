"""XML text from outside, bounded before it is parsed: no DOCTYPE and so no entities, few tags, little nesting."""

from __future__ import annotations

import re
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from ..safe_text import MAX_DEPTH, check_size
from .common import is_number

# How often the signs of these may stand in a text; 10,000 boxes of CVAT have a third of the first two.
COUNTS = (("<", 200_000, "tags"), ("=", 300_000, "attributes"), (",;", 600_000, "coordinates"))
MAX_DIGITS = 40  # of a number

_BEGINS = re.compile(
    r"<(?:\?xml|!|annotation|html)", re.IGNORECASE
)  # others, such as <OD>, are marks in a model's answer
_INSIDE = re.compile(r"<\?xml\s|<annotations?[\s>]")
_ENDS = ("</annotations>", "</annotation>")
_DOCTYPE = re.compile(r"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)


class _Tree(ElementTree.TreeBuilder):
    """A tree of at most MAX_DEPTH levels."""

    depth = 0

    def start(self, tag, attributes):
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ValueError(
                f"The XML is nested more than {MAX_DEPTH} levels deep; box files need far fewer. Check that it "
                "is the right file."
            )
        return super().start(tag, attributes)

    def end(self, tag):
        self.depth -= 1
        return super().end(tag)


def xml_part(text: str) -> str | None:
    """The XML or web page that begins the text, or the box file inside it, up to its end; None where there is none."""
    end = max(text.rfind(tag) + len(tag) if tag in text else 0 for tag in _ENDS)
    if _BEGINS.match(text):
        return text[: end or len(text)]
    begin = _INSIDE.search(text, 0, end)
    return text[begin.start() : end] if begin else None


def parse_xml(text: str) -> Element:
    """The root of XML text. Raises ValueError with a sentence, the place of the fault included."""
    check_size(text)
    if _DOCTYPE.search(text):
        raise ValueError(
            "The text has a DOCTYPE, as web pages and hostile XML do, and is not read. If it is a box file "
            "of CVAT or Pascal VOC, delete the part from <!DOCTYPE to its closing >."
        )
    for signs, most, things in COUNTS:
        if (count := sum(map(text.count, signs))) > most:
            raise ValueError(f"The XML has {count} {things}; at most {most} are read. Split it into smaller pieces.")
    parser = ElementTree.XMLParser(target=_Tree())
    try:
        parser.feed(text)
        return parser.close()
    except UnicodeEncodeError:
        raise ValueError("The XML holds half a character (a lone surrogate). Save the file as UTF-8 again.") from None
    except ElementTree.ParseError as error:
        line, column = error.position
        reason = str(error).rsplit(":", 1)[0]
        raise ValueError(
            f"The text is not valid XML: {reason} at line {line}, column {column + 1}. Correct it there."
        ) from None


def number(text: str | None) -> float | None:
    """A finite decimal number; None for anything else."""
    text = (text or "").strip()
    if not text or len(text) > MAX_DIGITS or "_" in text:
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if is_number(value) else None


def attribute(element: Element, name: str) -> float | None:
    """A number in an attribute."""
    return number(element.get(name))


def whole(text: str | None) -> object:
    """What a file says of a side in pixels, for Reader.own_size: a number; text that is none stays;
    None where nothing stands."""
    value = number(text)
    return (text or "").strip() or None if value is None else value
