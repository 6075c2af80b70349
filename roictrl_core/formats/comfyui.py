"""Box formats that live inside ComfyUI: BOUNDING_BOX, elements, bare box lists, Impact SEGS, MASK batches."""

from __future__ import annotations

import numpy as np

from ..layout import Layout
from ..masks import MAX_PIXELS, RunLengthMask, box_of
from ..notes import quote, subject
from .common import Reader, choose, entries, from_xywh, hex_color, imported_of, is_number, numbers, text_of

_XYWH = ("x", "y", "width", "height")


# --- BOUNDING_BOX: {x, y, width, height} in pixels; one, a list, or one list per frame ---

def is_bounding_boxes(data: object) -> bool:
    if isinstance(data, (list, tuple)) and data:
        return is_bounding_boxes(next((item for item in data if item not in ([], ())), None))
    return isinstance(data, dict) and all(key in data for key in _XYWH)


def read_bounding_boxes(data: object, reader: Reader) -> Layout:
    reader.need_size("BOUNDING_BOX")
    frame = [data] if isinstance(data, dict) else entries(data, "BOUNDING_BOX")
    if any(isinstance(item, (list, tuple)) for item in frame):
        options = [f"frame {i}" for i in range(1, len(frame) + 1)]
        frame = entries(frame[choose(options, reader.pick, "frame", reader)], "The frame of BOUNDING_BOX")
    for i, item in enumerate(frame, 1):
        _read_bounding_box(item, i, reader)
    return reader.layout()


def _read_bounding_box(item: object, index: int, reader: Reader) -> None:
    if not (isinstance(item, dict) and all(key in item for key in _XYWH)):
        reader.note("read.no_xywh", who=subject("box", index))
        return
    label = text_of(item.get("label"))
    meta = item.get("metadata") if isinstance(item.get("metadata"), dict) else {}
    caption = text_of(meta.get("desc"), label)
    who = subject("box", index, caption)
    values = numbers([item[key] for key in _XYWH], 4, who, reader)
    imported = {key: value for key, value in item.items() if key not in (*_XYWH, "label", "metadata")}
    imported.update((key, value) for key, value in meta.items() if key not in ("desc", "palette"))
    _add_element(values and from_xywh(values, reader.width, reader.height), caption, meta.get("palette"), imported,
                 who, reader, label=label)


def _add_element(box, caption: str, palette: object, imported: dict, who: dict, reader: Reader, **fields) -> None:
    """An entry with core's element fields: type ("obj" is the default), text, and a palette, its first the color."""
    if imported.get("type") == "obj":
        del imported["type"]
    if imported.get("type") == "text" and text_of(imported.get("text")):
        reader.note("read.shows_text", who=who, text=quote(imported["text"]))
    color = ""
    if isinstance(palette, (list, tuple)) and palette:
        color = hex_color(palette[0])
        if len(palette) > 1 or not color:
            imported["palette"] = list(palette)
    reader.add(box, who, caption=caption, color=color, imported=imported, **fields)


def write_bounding_boxes(layout: Layout) -> list[list[dict]]:
    """Core's BOUNDING_BOX of one frame, whole pixels, with metadata; enabled instances only."""
    boxes = []
    for _, instance in layout.enabled:
        x1, y1, x2, y2 = pixel_box(instance.box, layout.width, layout.height)
        imported = imported_of(instance)
        metadata = {"type": imported.get("type", "obj"), "text": imported.get("text", ""), "desc": instance.caption,
                    "palette": imported.get("palette") or ([instance.color] if instance.color else [])}
        score = {"score": imported["score"]} if "score" in imported else {}
        boxes.append({"x": x1, "y": y1, "width": x2 - x1, "height": y2 - y1,
                      "label": instance.label or instance.caption, **score, "metadata": metadata})
    return [boxes]


def pixel_box(box, width: int, height: int) -> tuple[int, int, int, int]:
    """xyxy in whole pixels, clipped to the picture, at least one pixel in each direction."""
    x1 = min(max(round(box[0] * width), 0), width - 1)
    y1 = min(max(round(box[1] * height), 0), height - 1)
    return (x1, y1, min(max(round(box[2] * width), x1 + 1), width), min(max(round(box[3] * height), y1 + 1), height))


# --- elements: bbox = [ymin, xmin, ymax, xmax] in 0..1000 ---

def is_elements(data: object) -> bool:
    if isinstance(data, (list, tuple)) and data:
        return is_elements(data[0])
    return isinstance(data, dict) and "bbox" in data and "image_id" not in data


def read_elements(data: object, reader: Reader) -> Layout:
    for i, item in enumerate([data] if isinstance(data, dict) else entries(data, "The list of elements"), 1):
        item = item if isinstance(item, dict) else {}
        caption = text_of(item.get("desc"), item.get("label"))
        who = subject("element", i, caption)
        values = numbers(item.get("bbox"), 4, who, reader)
        if values is None:
            continue
        y1, y2 = sorted((values[0] / 1000, values[2] / 1000))
        x1, x2 = sorted((values[1] / 1000, values[3] / 1000))
        imported = {key: value for key, value in item.items() if key not in ("bbox", "desc", "color_palette")}
        _add_element((x1, y1, x2, y2), caption, item.get("color_palette"), imported, who, reader)
    return reader.layout()


def write_elements(layout: Layout) -> list[dict]:
    """Core's ARRAY of elements; enabled instances only."""
    elements = []
    for _, instance in layout.enabled:
        x1, y1, x2, y2 = pixel_box(instance.box, 1000, 1000)
        imported = imported_of(instance)
        element = {"type": "text" if imported.get("type") == "text" else "obj", "bbox": [y1, x1, y2, x2]}
        if element["type"] == "text":
            element["text"] = imported.get("text", "")
        palette = imported.get("palette") or ([instance.color] if instance.color else [])
        elements.append({**element, "desc": instance.caption, **({"color_palette": palette} if palette else {})})
    return elements


# --- bare box lists: [[x1, y1, x2, y2], ...] or an [N, 4] array ---

def is_box_list(data: object) -> bool:
    if isinstance(data, np.ndarray):
        return data.ndim == 2 and data.shape[1] == 4
    if not isinstance(data, (list, tuple)) or not data:
        return False
    if len(data) == 4 and all(is_number(value) for value in data):
        return True
    return isinstance(data[0], (list, tuple)) and len(data[0]) == 4 and all(is_number(value) for value in data[0])


def read_box_list(data: object, reader: Reader) -> Layout:
    rows = data.tolist() if isinstance(data, np.ndarray) else data
    rows = entries([rows] if is_number(rows[0]) else rows, "The list of boxes")
    named = [(subject("box", i), row) for i, row in enumerate(rows, 1)]
    boxes = [numbers(row, 4, who, reader) for who, row in named]
    normalised = max((value for box in boxes if box for value in box), default=0.0) <= 1.0
    if not normalised:
        reader.need_size("A list of boxes over 1")
    reader.note("read.list_normalised" if normalised else "read.list_pixels")
    for (who, _), box in zip(named, boxes):
        reader.add(box if normalised or box is None else reader.pixels(box), who)
    return reader.layout()


# --- Impact Pack's SEGS: ((height, width), [SEG, ...]) ---

def is_segs(data: object) -> bool:
    return (isinstance(data, tuple) and len(data) == 2 and isinstance(data[0], (tuple, list)) and len(data[0]) == 2
            and all(is_number(side) for side in data[0]) and isinstance(data[1], (list, tuple))
            and all(hasattr(seg, "bbox") and hasattr(seg, "crop_region") for seg in data[1]))


def read_segs(data: tuple, reader: Reader) -> Layout:
    height, width = (int(side) for side in data[0])
    reader.own_size(width, height, "SEGS")
    for i, seg in enumerate(entries(data[1], "SEGS"), 1):
        caption = text_of(getattr(seg, "label", ""))
        who = subject("segment", i, caption)
        box = numbers(seg.bbox, 4, who, reader)
        if box is None:
            continue
        mask = _seg_mask(seg, width, height, who, reader)
        score = np.asarray(getattr(seg, "confidence", None)).ravel()
        imported = {"score": round(float(score[0]), 4)} if len(score) and is_number(score[0]) else {}
        reader.add(reader.pixels(box), who, caption=caption, label=caption, imported=imported,
                   mask=without_plain(mask, pixel_box(reader.pixels(box), width, height)))
    return reader.layout()


def _seg_mask(seg, width: int, height: int, who: dict, reader: Reader) -> np.ndarray | None:
    """[H, W] bool mask of the whole picture from the one that lies in the SEG's crop region; None without one."""
    cropped = getattr(seg, "cropped_mask", None)
    if cropped is None:
        return None
    cropped = np.asarray(cropped.detach().cpu() if hasattr(cropped, "detach") else cropped)
    cropped = cropped.squeeze() if cropped.ndim > 2 else cropped
    region = numbers(seg.crop_region, 4, who, Reader()) or (0, 0, 0, 0)
    x1, y1, x2, y2 = (int(value) for value in region)
    inside = 0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height
    if not inside or cropped.shape != (y2 - y1, x2 - x1) or width * height > MAX_PIXELS:
        reader.note("read.seg_mask", who=who, shape=" x ".join(map(str, cropped.shape)), region=f"({x1}, {y1}, {x2}, {y2})",
                    width=width, height=height)
        return None
    mask = np.zeros((height, width), dtype=bool)
    mask[y1:y2, x1:x2] = cropped > 0.5
    return mask


# --- MASK batch: [N, H, W] floats ---

def read_masks(data: np.ndarray, reader: Reader, captions: list[str] | None = None) -> Layout:
    """The box of each mask's pixels over 0.5, and the mask itself where it is more than its box."""
    if data.ndim == 4 and 1 in (data.shape[1], data.shape[3]):
        data = data[:, 0] if data.shape[1] == 1 else data[..., 0]
    data = data[None] if data.ndim == 2 else data
    if data.ndim != 3 or 0 in data.shape:
        raise ValueError(f"A MASK batch must have the shape [masks, height, width], not {list(data.shape)}.")
    if data.shape[1] * data.shape[2] > MAX_PIXELS:
        raise ValueError(f"Masks of {data.shape[2]} x {data.shape[1]} pixels are too large. Scale them down.")
    entries(list(data), "The MASK batch")
    reader.own_size(data.shape[2], data.shape[1], "The MASK batch")
    for i, values in enumerate(data, 1):
        _read_mask(values, subject("mask", i, captions[i - 1] if captions else ""), reader,
                   captions[i - 1] if captions else "")
    return reader.layout()


def _read_mask(values: np.ndarray, who: dict, reader: Reader, caption: str) -> None:
    if not np.isfinite(values).all():
        reader.note("read.mask_not_finite", who=who)
        return
    mask = values > 0.5
    box = box_of(mask)
    if box is None:
        reader.note("read.mask_empty", who=who)
        return
    if ((values > 0) & (values < 1)).any():
        reader.note("read.mask_soft", who=who)
    height, width = mask.shape
    reader.add(box, who, caption=caption, mask=without_plain(mask, pixel_box(box, width, height)))


def without_plain(mask: np.ndarray | None, box: tuple[int, int, int, int]) -> RunLengthMask | None:
    """The mask as run lengths; None where it says no more than the box, in pixels, that it fills."""
    if mask is None:
        return None
    x1, y1, x2, y2 = box
    plain = bool(mask[y1:y2, x1:x2].all()) and int(mask.sum()) == (y2 - y1) * (x2 - x1)
    return None if plain else RunLengthMask.from_array(mask)


def write_masks(layout: Layout) -> np.ndarray:
    """[N, H, W] float32, one mask per enabled instance: its own mask (nearest pixel), else its box; [0, H, W] if none.

    Box edges that fall inside a pixel cover it by their share.
    """
    masks = np.zeros((len(layout.enabled), layout.height, layout.width), dtype=np.float32)
    for canvas, (_, instance) in zip(masks, layout.enabled):
        if instance.mask is not None:
            own = instance.mask.to_array()
            rows = (np.arange(layout.height) * own.shape[0] + own.shape[0] // 2) // layout.height
            columns = (np.arange(layout.width) * own.shape[1] + own.shape[1] // 2) // layout.width
            canvas[:] = own[np.minimum(rows, own.shape[0] - 1)[:, None], np.minimum(columns, own.shape[1] - 1)]
        else:
            x1, y1, x2, y2 = instance.box
            canvas[:] = np.outer(_coverage(y1, y2, layout.height), _coverage(x1, x2, layout.width))
    return masks


def _coverage(low: float, high: float, count: int) -> np.ndarray:
    """Share of each of ``count`` pixels that lies between the normalised ``low`` and ``high``."""
    pixels = np.arange(count)
    return np.clip(np.minimum(high * count, pixels + 1) - np.maximum(low * count, pixels), 0.0, 1.0)
