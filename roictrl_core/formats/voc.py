"""Pascal VOC's XML: one ``annotation`` of one picture, its objects' ``bndbox`` in pixels.

Pixels count from 1 and the last one belongs to the box, so xmin - 1 to xmax is the box; files whose smallest number
is 0 count from 0, which is said.
Source: the PASCAL VOC2012 development kit (host.robots.ox.ac.uk/pascal/VOC/voc2012/htmldoc).
"""

from __future__ import annotations

from xml.etree.ElementTree import Element

from ..layout import Layout
from ..notes import quote, subject
from .common import Reader, entries
from .placing import in_pixels, settle_unit
from .xml_text import number, whole

_SIDES = ("xmin", "ymin", "xmax", "ymax")


def is_voc(data: object) -> bool:
    return isinstance(data, Element) and data.tag == "annotation"


def read_voc(root: Element, reader: Reader) -> Layout:
    width, height = (whole(root.findtext(f"size/{side}")) for side in ("width", "height"))
    if (width, height) != (0, 0):  # which some tools write where they do not know it
        reader.own_size(width, height, "The Pascal VOC file")
    reader.need_size("The Pascal VOC file")
    objects = entries(root.findall("object"), "The Pascal VOC file")
    settle_unit((value for item in objects for value in _values(item) if value is not None), reader)
    first = 1 if reader.to_pixels == (1, 1) else 0
    if first and any(0 in _values(item)[:2] for item in objects):
        first = 0
        reader.note("read.voc_from_zero")
    for i, item in enumerate(objects, 1):
        _read_object(item, i, first, reader)
    name = (root.findtext("filename") or "").strip()
    return reader.layout(extra={"file_name": name} if name else {})


def _read_object(item: Element, index: int, first: int, reader: Reader) -> None:
    caption = (item.findtext("name") or "").strip()
    who = subject("object", index, caption)
    if item.find("bndbox") is None:
        reader.note(
            "read.other_kind", who=who, kind=quote(next((child.tag for child in item if "box" in child.tag), "object"))
        )
        return
    values = _values(item)
    if None in values:
        texts = [item.findtext(f"bndbox/{side}") for side in _SIDES]
        reader.note("read.not_numbers", who=who, count=4, value=quote(texts))
        return
    (x1, y1), (x2, y2) = in_pixels((values[:2], values[2:]), reader)
    imported = {
        tag: item.findtext(tag)
        for tag in ("pose", "truncated", "difficult", "occluded")
        if (item.findtext(tag) or "").strip() not in ("", "0", "Unspecified")
    }
    reader.add(reader.pixels((x1 - first, y1 - first, x2, y2)), who, caption=caption, imported=imported)


def _values(item: Element) -> list[float | None]:
    """An object's four numbers; None in the place of one that is missing or none."""
    return [number(item.findtext(f"bndbox/{side}")) for side in _SIDES]
