"""Boxes with captions drawn on a picture: edges anti-aliased, colours that colour-blind eyes tell apart."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .layout import Instance, Layout
from .notes import Note

# As in the editor. Okabe and Ito's colour-blind-safe palette; a pale mint stands for its black, unseen on dark grounds.
PALETTE = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#c3f5c3")
DISABLED = "#9a9a9a"
MAX_LINES = 40  # rows of the table, and notes, that are put beneath a picture
MAX_TEXT = 400  # characters of one caption or note that are measured and drawn
MAX_DRAWN = 500  # boxes: more hide one another, and each takes milliseconds
MAX_STROKED = 50_000  # points of all scribbles together, half a second
MAX_TINTED = 2**26  # pixels of all fills together, about a second; at least four times the picture's

Rgb = tuple[int, int, int]
Pixels = tuple[float, float, float, float]  # xyxy


def color_of(instance: Instance, index: int) -> Rgb:
    """The instance's own colour, else the palette's by its index from 1; grey when it is not enabled."""
    text = (instance.color or PALETTE[(index - 1) % len(PALETTE)]) if instance.enabled else DISABLED
    return tuple(int(text[i : i + 2], 16) for i in (1, 3, 5))


def ink_on(background: Rgb) -> Rgb:
    """Black or white, whichever has the higher contrast (relative luminance of sRGB as in WCAG 2)."""
    linear = [(c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4) for c in background]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return (0, 0, 0) if (luminance + 0.05) / 0.05 > 1.05 / (luminance + 0.05) else (255, 255, 255)


def draw_layout(
    layout: Layout, image: Image.Image | None = None, rows: Sequence[Sequence[str]] = (), notes: Sequence[str] = ()
) -> Image.Image:
    """An RGB picture with every box and caption; instances that are not enabled are thin and grey.

    ``image`` is drawn on, at its own size; without one a dark ground of the layout's size.  ``rows``, a table with its
    header first, and ``notes``, sentences, are put beneath the picture.  Of very many boxes the last are not drawn
    (:func:`undrawn` says so), or without their fill or scribble.
    """
    if image is None:
        image = Image.new("RGB", (layout.width, layout.height), (38, 38, 38))
    pixels = np.array(image.convert("RGB"), dtype=np.float32)  # [H, W, 3]
    height, width = pixels.shape[:2]
    line = max(2.0, min(width, height) / 256)
    layout = replace(layout, instances=layout.instances[:MAX_DRAWN])
    boxes = [_in_pixels(instance, width, height) for instance in layout.instances]
    tintable = max(MAX_TINTED, 4 * width * height)
    for i, (instance, box) in enumerate(zip(layout.instances, boxes, strict=True), 1):
        color, own_line = color_of(instance, i), line if instance.enabled else line / 2
        tintable -= _area(_window(pixels, box))
        if instance.enabled and tintable >= 0:
            _tint(pixels, instance, box, color)
        _outline(pixels, tuple(b + o for b, o in zip(box, (-1, -1, 1, 1), strict=True)), (0, 0, 0), own_line + 2, 0.5)
        _outline(pixels, box, color, own_line, 1.0)
    picture = Image.fromarray(np.clip(pixels + 0.5, 0, 255).astype(np.uint8))
    _points(picture, layout, line)
    _captions(picture, layout, boxes, line)
    return _with_text(picture, rows, notes) if rows or notes else picture


def undrawn(layout: Layout) -> list[Note]:
    """A note where the layout has more boxes than are drawn."""
    count = len(layout.instances)
    return [Note("preview.first_boxes", values={"count": count, "most": MAX_DRAWN})] if count > MAX_DRAWN else []


def _in_pixels(instance: Instance, width: int, height: int) -> Pixels:
    return tuple(value * side for value, side in zip(instance.box, (width, height, width, height), strict=True))


def _coverage(box: Pixels, rows: slice, columns: slice) -> np.ndarray:
    """[h, w] share of each pixel of the window that the box covers."""

    def along(low: float, high: float, window: slice) -> np.ndarray:
        at = np.arange(window.start, window.stop)
        return np.clip(np.minimum(high, at + 1) - np.maximum(low, at), 0.0, 1.0)

    return np.outer(along(box[1], box[3], rows), along(box[0], box[2], columns)).astype(np.float32)


def _window(pixels: np.ndarray, box: Pixels) -> tuple[slice, slice]:
    """The rows and columns of the picture that the box touches."""
    height, width = pixels.shape[:2]
    x1, x2 = (int(np.clip(value, 0, width)) for value in (np.floor(box[0]), np.ceil(box[2])))
    y1, y2 = (int(np.clip(value, 0, height)) for value in (np.floor(box[1]), np.ceil(box[3])))
    return slice(y1, max(y1, y2)), slice(x1, max(x1, x2))


def _area(window: tuple[slice, slice]) -> int:
    return (window[0].stop - window[0].start) * (window[1].stop - window[1].start)


def _paint(pixels: np.ndarray, window: tuple[slice, slice], alpha: np.ndarray, color: Rgb) -> None:
    target = pixels[window]  # [h, w, 3], a view
    target += alpha[..., None] * (np.asarray(color, dtype=np.float32) - target)


def _outline(pixels: np.ndarray, box: Pixels, color: Rgb, line: float, opacity: float) -> None:
    """A frame of ``line`` pixels just inside the box; only its four sides are touched."""
    inner = (box[0] + line, box[1] + line, box[2] - line, box[3] - line)
    for window in _sides(_window(pixels, box), inner):
        _paint(pixels, window, opacity * (_coverage(box, *window) - _coverage(inner, *window)), color)


def _sides(window: tuple[slice, slice], inner: Pixels) -> list[tuple[slice, slice]]:
    """The window without the pixels that ``inner`` covers whole: above, below, left and right of them."""
    rows, columns = window
    left, top = max(columns.start, int(np.ceil(inner[0]))), max(rows.start, int(np.ceil(inner[1])))
    right, bottom = min(columns.stop, int(np.floor(inner[2]))), min(rows.stop, int(np.floor(inner[3])))
    if right <= left or bottom <= top:
        return [window]
    between = slice(top, bottom)
    return [
        (slice(rows.start, top), columns),
        (slice(bottom, rows.stop), columns),
        (between, slice(columns.start, left)),
        (between, slice(right, columns.stop)),
    ]


def _tint(pixels: np.ndarray, instance: Instance, box: Pixels, color: Rgb) -> None:
    """A faint fill of the box, or a stronger one of the instance's mask."""
    window = _window(pixels, box)
    alpha = 0.12 * _coverage(box, *window)
    if instance.mask is not None:
        own, (height, width) = instance.mask.to_array(), pixels.shape[:2]
        rows = np.arange(window[0].start, window[0].stop) * own.shape[0] // height
        columns = np.arange(window[1].start, window[1].stop) * own.shape[1] // width
        alpha = 0.35 * own[rows[:, None], columns].astype(np.float32)
    _paint(pixels, window, alpha, color)


def _font(size: int):
    return ImageFont.load_default(size)


def _drawable(text: str, font) -> str:
    """The beginning of ``text`` on one line, with what the font cannot even try to draw replaced: lone surrogates, or
    non-Latin in a bitmap font."""
    encoding = "utf-8" if isinstance(font, ImageFont.FreeTypeFont) else "latin-1"
    text = " ".join(text[:MAX_TEXT].split())
    return text.encode(encoding, "replace").decode(encoding)


def _points(picture: Image.Image, layout: Layout, line: float) -> None:
    """Each instance's point as a dot, and its scribble as strokes, of very many the first."""
    draw, left = ImageDraw.Draw(picture), MAX_STROKED
    for i, instance in enumerate(layout.instances, 1):
        color = color_of(instance, i)
        for stroke in instance.scribble:
            left -= len(stroke)
            if left < 0:
                break
            places = [(x * picture.width, y * picture.height) for x, y in stroke]
            draw.line(places if len(places) > 1 else places * 2, fill=color, width=round(line), joint="curve")
        if instance.point:
            x, y = instance.point[0] * picture.width, instance.point[1] * picture.height
            draw.ellipse((x - 2 * line, y - 2 * line, x + 2 * line, y + 2 * line), fill=color, outline=ink_on(color))


def _captions(picture: Image.Image, layout: Layout, boxes: list[Pixels], line: float) -> None:
    """A tag with index and caption in each box's upper left corner (above a box that it would hide), moved down where
    another tag stands already."""
    draw = ImageDraw.Draw(picture)
    font = _font(max(12, min(picture.size) // 36))
    placed: list[Pixels] = []
    for i, (instance, box) in enumerate(zip(layout.instances, boxes, strict=True), 1):
        title = ("" if instance.enabled else "(off) ") + (instance.caption or instance.label)
        room = max(box[2] - box[0] - 2 * line, 9 * font.size)
        text = _wrapped(draw, _drawable(f"{i} {title}", font), font, room, lines=3)
        left, top, right, bottom = draw.multiline_textbbox((0, 0), text, font=font, spacing=2)
        size = (right + 8, bottom + 6)
        hides = size[1] > 0.7 * (box[3] - box[1])
        corner = (box[0], box[1] - size[1] - 2) if hides else (box[0] + line, box[1] + line)
        tag = _free_place(corner, size, picture.size, placed[-100:])
        color = color_of(instance, i)
        draw.rectangle(tag, fill=color)
        draw.multiline_text((tag[0] + 4, tag[1] + 2), text, fill=ink_on(color), font=font, spacing=2)
        placed.append(tag)


def _wrapped(draw: ImageDraw.ImageDraw, text: str, font, room: float, lines: int) -> str:
    """``text`` broken at spaces, or inside a word wider than ``room``, to at most ``lines`` lines."""
    found, rest = [], text
    while rest and len(found) < lines:
        count = _longest(rest, lambda text: draw.textlength(text, font=font) <= room)
        if count < len(rest) and (cut := rest.rfind(" ", 0, count + 1)) > 0:
            count = cut
        found.append(rest[:count])
        rest = rest[count:].lstrip()
    if rest:
        found[-1] = found[-1].rstrip(" .,") + "…"
    return "\n".join(found)


def _longest(text: str, fits: Callable[[str], bool]) -> int:
    """How many of the text's first characters fit, at least 1. Short beginnings are tried first: measuring one costs
    its length."""
    low, high = 1, 16
    while high < len(text) and fits(text[:high]):
        low, high = high, 2 * high
    high = min(high, len(text))
    if fits(text[:high]):
        return high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(text[:middle]) else (low, middle)
    return low


def _free_place(
    corner: tuple[float, float], size: tuple[float, float], frame: tuple[int, int], placed: list[Pixels]
) -> Pixels:
    """The tag's xyxy: inside the picture, below the tags that it would cover as long as there is room."""
    x = max(0.0, min(corner[0], frame[0] - size[0]))
    y = max(0.0, min(corner[1], frame[1] - size[1]))
    for _ in range(len(placed)):
        over = [t for t in placed if t[0] < x + size[0] and x < t[2] and t[1] < y + size[1] and y < t[3]]
        below = max((t[3] for t in over), default=y) + 1
        if not over or below + size[1] > frame[1]:
            break
        y = below
    return (x, y, x + size[0], y + size[1])


def _with_text(picture: Image.Image, rows: Sequence[Sequence[str]], notes: Sequence[str]) -> Image.Image:
    """The picture, ``rows`` in columns beneath it, and ``notes`` in yellow under them; as wide as the table asks."""
    font = _font(max(12, min(picture.size) // 36))
    scratch, margin, step = ImageDraw.Draw(picture), font.size / 2, int(font.size * 1.5)
    rows = [*rows[:MAX_LINES], *([["…"] * len(rows[0])] if len(rows) > MAX_LINES else [])]
    notes = [*notes[:MAX_LINES], *([f"… and {len(notes) - MAX_LINES} more."] if len(notes) > MAX_LINES else [])]
    rows = [[_wrapped(scratch, _drawable(cell, font), font, 14 * font.size, 1) for cell in row] for row in rows]
    widths = [
        max(scratch.textlength(cell, font=font) for cell in column) + font.size for column in zip(*rows, strict=True)
    ]
    width = max(picture.width, int(sum(widths) + font.size))
    lines = [
        line
        for note in notes
        for line in _wrapped(scratch, _drawable(note, font), font, width - font.size, 20).split("\n")
    ]
    sheet = Image.new("RGB", (width, picture.height + step * (len(rows) + len(lines)) + font.size), (24, 24, 24))
    sheet.paste(picture, (0, 0))
    draw, y = ImageDraw.Draw(sheet), picture.height + margin
    for r, row in enumerate(rows):
        starts = itertools.accumulate(widths[:-1], initial=margin)
        for cell, x in zip(row, starts, strict=True):
            draw.text((x, y), cell, font=font, fill=(160, 160, 160) if r == 0 else (235, 235, 235))
        y += step
    for line in lines:
        draw.text((margin, y), line, font=font, fill=(240, 228, 66))
        y += step
    return sheet
