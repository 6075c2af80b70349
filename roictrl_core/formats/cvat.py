"""CVAT's XML, version 1.1: "for images", shapes under each image; "for video", tracks with a shape for each key frame.

Source: CVAT's documentation (docs.cvat.ai/docs/other/xml_format).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

import numpy as np

from ..layout import Layout
from ..masks import RunLengthMask
from ..notes import quote, subject
from .common import MAX_MASK_PIXELS, Reader, choose, entries
from .geometry import add_ellipse, add_outline, add_strokes, corners, turned
from .outlines import Polygon
from .placing import in_pixels, settle_unit
from .shapes import point_of
from .xml_text import attribute, number, whole

_WHAT = "The CVAT file"
_BOX, _ELLIPSE = ("xtl", "ytl", "xbr", "ybr"), ("cx", "cy", "rx", "ry")


def is_cvat(data: object) -> bool:
    return isinstance(data, Element) and data.tag == "annotations"


def read_cvat(root: Element, reader: Reader) -> Layout:
    images, tracks = root.findall("image"), root.findall("track")
    if tracks and not images:
        return _read_video(root, tracks, reader)
    if not images:
        raise ValueError("The CVAT file has neither images nor tracks, and so no boxes.")
    names = [image.get("name") or f"image {i}" for i, image in enumerate(images, 1)]
    image = images[choose(names, reader.pick, "image", reader)]
    reader.own_size(whole(image.get("width")), whole(image.get("height")), _WHAT)
    reader.need_size(_WHAT)
    shapes = list(enumerate(entries(list(image), _WHAT), 1))
    settle_unit((value for _, shape in shapes for value in _numbers(shape)), reader)
    for i, shape in sorted(shapes, key=lambda entry: attribute(entry[1], "z_order") or 0):  # the higher, the nearer
        _read_shape(shape, shape.get("label") or "", subject("shape", i, shape.get("label")), reader)
    return reader.layout(extra={"file_name": image.get("name")} if image.get("name") else {})


# --- video: one frame of all tracks ---


def _read_video(root: Element, tracks: list[Element], reader: Reader) -> Layout:
    size = next(root.iter("original_size"), None)
    if size is not None:
        reader.own_size(whole(size.findtext("width")), whole(size.findtext("height")), _WHAT)
    reader.need_size(_WHAT)
    frames = sorted({frame for track in tracks for frame, _ in _keyframes(track)})
    if not frames:
        return reader.layout()
    frame = frames[choose([f"frame {number:g}" for number in frames], reader.pick, "frame", reader)]
    settle_unit((value for track in tracks for shape in track for value in _numbers(shape)), reader)
    absent = 0
    for i, track in enumerate(entries(tracks, _WHAT), 1):
        at, shape = max(
            (entry for entry in _keyframes(track) if entry[0] <= frame),
            key=lambda entry: entry[0],
            default=(frame, None),
        )
        if shape is None or shape.get("outside") == "1":
            absent += 1
            continue
        who = subject("track", i, track.get("label"))
        if at < frame:
            reader.note("read.earlier_frame", who=who, frame=f"{at:g}")
        _read_shape(shape, track.get("label") or "", who, reader)
    if absent:
        reader.note("read.absent", count=absent)
    return reader.layout()


def _keyframes(track: Element) -> Iterator[tuple[float, Element]]:
    """The frame numbers of a track's shapes, and the shapes."""
    for shape in track:
        frame = attribute(shape, "frame")
        if frame is not None:
            yield frame, shape


# --- one shape ---


def _read_shape(shape: Element, caption: str, who: dict, reader: Reader) -> None:
    read = _SHAPES.get(shape.tag)
    if read is None:
        reader.note("read.other_kind", who=who, kind=quote(shape.tag))
        return
    attributes = {
        child.get("name"): child.text for child in shape.findall("attribute") if child.get("name") and child.text
    }
    read(shape, who, reader, caption=caption, imported={"attributes": attributes} if attributes else {})


def _numbers(shape: Element) -> Iterator[float]:
    """What says where a shape is, except of masks, whose pixels are counted."""
    if shape.tag != "mask":
        texts = [shape.get(name) for names in (_BOX, _ELLIPSE) for name in names]
        texts += re.split("[,;]", shape.get("points") or "")
        yield from (value for text in texts if (value := number(text)) is not None)


def _values(shape: Element, names: tuple[str, ...], who: dict, reader: Reader) -> list[float] | None:
    """Numbers of attributes; None with a note where one is missing or none."""
    values = [attribute(shape, name) for name in names]
    if None in values:
        reader.note("read.not_numbers", who=who, count=len(names), value=quote([shape.get(name) for name in names]))
        return None
    return values


def _read_box(shape: Element, who: dict, reader: Reader, **fields) -> None:
    values = _values(shape, _BOX, who, reader)
    if values is None:
        return
    (x1, y1), (x2, y2) = in_pixels((values[:2], values[2:]), reader)
    if not (angle := _angle(shape, who, reader)):
        reader.add(reader.pixels((x1, y1, x2, y2)), who, **fields)
        return
    points = turned(corners((x1, y1, x2, y2)), angle, ((x1 + x2) / 2, (y1 + y2) / 2))
    add_outline([_normalised(points, reader)], who, reader, **fields)


def _read_ellipse(shape: Element, who: dict, reader: Reader, **fields) -> None:
    values = _values(shape, _ELLIPSE, who, reader)
    if values is not None:
        middle, radii = in_pixels((values[:2], values[2:]), reader)
        add_ellipse(middle, radii, _angle(shape, who, reader), who, reader, **fields)


def _angle(shape: Element, who: dict, reader: Reader) -> float:
    """By how many degrees a shape is turned around its middle, which is said."""
    angle = attribute(shape, "rotation") or 0.0
    if angle:
        reader.note("read.turned", who=who, angle=angle)
    return angle


def _normalised(points: Polygon, reader: Reader) -> np.ndarray:
    return np.asarray(points) / (reader.width, reader.height)


def _points(shape: Element, least: int, who: dict, reader: Reader) -> list[tuple[float, float]] | None:
    """ "x,y;x,y" as points in pixels; None with a note where they are not, or fewer than ``least``."""
    text = shape.get("points") or ""
    found = [tuple(map(number, pair.split(",", 2))) for pair in text.split(";")] if text else []
    if len(found) < least or any(len(pair) != 2 or None in pair for pair in found):
        reader.note("read.points_not_numbers", who=who, value=quote(text))
        return None
    return in_pixels(found, reader)


def _read_polygon(shape: Element, who: dict, reader: Reader, **fields) -> None:
    points = _points(shape, 3, who, reader)
    if points is not None:
        add_outline([_normalised(points, reader)], who, reader, **fields)


def _read_polyline(shape: Element, who: dict, reader: Reader, **fields) -> None:
    points = _points(shape, 2, who, reader)
    if points is not None:
        add_strokes([points], who, reader, **fields)


def _read_points(shape: Element, who: dict, reader: Reader, **fields) -> None:
    points = _points(shape, 1, who, reader)
    if points is None:
        return
    if len(points) > 1:
        reader.note("read.other_kind", who=who, kind=quote(f"set of {len(points)} points"))
    elif (point := point_of(points[0], who, reader)) is not None:
        reader.add_point(who, point, **fields)


def _read_mask(shape: Element, who: dict, reader: Reader, **fields) -> None:
    """Runs of pixels, row by row and zeros first, of the part of the picture that left, top, width and height name."""
    values = _values(shape, ("left", "top", "width", "height"), who, reader)
    if values is None:
        return
    left, top, width, height = map(int, values)
    box, mask = reader.pixels((left, top, left + width, top + height)), None
    inside = 0 <= left < left + width <= reader.width and 0 <= top < top + height <= reader.height
    runs = _runs(shape.get("rle") or "")
    if not inside or runs is None or sum(runs) != width * height:
        reader.note("read.mask", who=who, reason="Its runs do not fit its place in the picture.")
    elif width * height > reader.mask_pixels:
        reader.note(
            "read.mask", who=who, reason=f"The masks of the file have more than {MAX_MASK_PIXELS} pixels together."
        )
    else:
        reader.mask_pixels -= width * height
        part = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(height, width)
        mask = RunLengthMask.from_part(part, left, top, (reader.height, reader.width))
    reader.add(box, who, mask=mask, **fields)


def _runs(text: str) -> list[int] | None:
    words = text.split(",")
    runs = [int(word) for word in words if word.strip().isdecimal() and len(word) < 12]
    return runs if len(runs) == len(words) else None


_SHAPES = {
    "box": _read_box,
    "polygon": _read_polygon,
    "polyline": _read_polyline,
    "points": _read_points,
    "ellipse": _read_ellipse,
    "mask": _read_mask,
}
