"""Box formats that live inside ComfyUI: BOUNDING_BOX, elements, Impact SEGS, MASK batches."""

from __future__ import annotations

import numpy as np

from ..layout import Instance, Layout
from ..masks import MAX_PIXELS, RunLengthMask, box_of
from ..notes import quote, subject
from .common import (
    HEX_COLOR,
    Reader,
    choose,
    entries,
    first_filled,
    hex_color,
    imported_of,
    is_number,
    numbers,
    text_of,
)
from .placing import Found, place
from .reading import PIXELS, SHARES, THOUSANDTHS, XYWH, YXYX, ways

_XYWH = ("x", "y", "width", "height")
MAX_PALETTE = 5  # colors of one element, by Ideogram's rules and core's
_NO_LABEL = "A"  # what Impact Pack calls a SEG that was made from a mask and not by a detector


# --- BOUNDING_BOX: {x, y, width, height} in pixels; one, a list, or one list per frame ---


def is_bounding_boxes(data: object) -> bool:
    if isinstance(data, (list, tuple)):
        return is_bounding_boxes(first_filled(data))
    # With class and confidence beside them x and y are Roboflow's, which are the middle.
    return isinstance(data, dict) and all(key in data for key in _XYWH) and not {"class", "confidence"} <= data.keys()


def read_bounding_boxes(data: object, reader: Reader) -> Layout:
    frame = [data] if isinstance(data, dict) else entries(data, "BOUNDING_BOX")
    if any(isinstance(item, (list, tuple)) for item in frame):
        options = [f"frame {i}" for i in range(1, len(frame) + 1)]
        frame = entries(frame[choose(options, reader.pick, "frame", reader)], "The frame of BOUNDING_BOX")
    found = [_bounding_box(item, i, reader) for i, item in enumerate(frame, 1)]
    place([entry for entry in found if entry], ways((XYWH,)), reader, "BOUNDING_BOX", always=False)
    return reader.layout()


def _bounding_box(item: object, index: int, reader: Reader) -> Found | None:
    if not (isinstance(item, dict) and all(key in item for key in _XYWH)):
        reader.note("read.no_xywh", who=subject("box", index))
        return None
    label = text_of(item.get("label"))
    meta = item.get("metadata") if isinstance(item.get("metadata"), dict) else {}
    caption = text_of(meta.get("desc"), label)
    who = subject("box", index, caption)
    values = numbers([item[key] for key in _XYWH], 4, who, reader)
    imported = {key: value for key, value in item.items() if key not in (*_XYWH, "label", "metadata")}
    imported.update((key, value) for key, value in meta.items() if key not in ("desc", "palette"))
    return Found(who, values, {"label": label, **element_fields(caption, meta.get("palette"), imported, who, reader)})


def element_fields(caption: str, palette: object, imported: dict, who: dict, reader: Reader) -> dict:
    """Fields of core's elements: type ("obj" is the default), text, and a palette, its first the color."""
    if imported.get("type") == "obj":
        del imported["type"]
    if imported.get("type") == "text" and text_of(imported.get("text")):
        reader.note("read.shows_text", who=who, text=quote(imported["text"]))
    color = ""
    if isinstance(palette, (list, tuple)) and palette:
        color = hex_color(palette[0])
        if len(palette) > 1 or not color:
            imported["palette"] = list(palette)
    return {"caption": caption, "color": color, "imported": imported}


def write_bounding_boxes(layout: Layout) -> list[list[dict]]:
    """Core's BOUNDING_BOX of one frame, whole pixels, with metadata; enabled instances only."""
    return [[write_bounding_box(instance, layout) for _, instance in layout.enabled]]


def write_bounding_box(instance: Instance, layout: Layout) -> dict:
    """One of core's BOUNDING_BOX."""
    x1, y1, x2, y2 = pixel_box(instance.box, layout.width, layout.height)
    imported = imported_of(instance)
    metadata = {
        "type": imported.get("type", "obj"),
        "text": imported.get("text", ""),
        "desc": instance.caption,
        "palette": _palette(instance),
    }
    score = {"score": imported["score"]} if "score" in imported else {}
    return {
        "x": x1,
        "y": y1,
        "width": x2 - x1,
        "height": y2 - y1,
        "label": instance.label or instance.caption,
        **score,
        "metadata": metadata,
    }


def _palette(instance: Instance) -> list:
    """The colours that came with it, else its own."""
    palette = imported_of(instance).get("palette")
    return palette if palette and isinstance(palette, list) else [instance.color] if instance.color else []


def pixel_box(box, width: int, height: int) -> tuple[int, int, int, int]:
    """xyxy in whole pixels, clipped to the picture, at least one pixel in each direction."""
    left, top, right, bottom = (min(max(value, 0.0), 1.0) for value in box)
    x1, y1 = min(round(left * width), width - 1), min(round(top * height), height - 1)
    return (x1, y1, max(round(right * width), x1 + 1), max(round(bottom * height), y1 + 1))


# --- elements: bbox = [ymin, xmin, ymax, xmax] in 0..1000 ---


def is_elements(data: object) -> bool:
    """An element has a description, a palette or one of two types; what detectors call bbox has a label or a score."""
    if isinstance(data, (list, tuple)):
        return is_elements(first_filled(data))
    if not isinstance(data, dict) or "bbox" not in data or {"score", "confidence"} & data.keys():
        return False
    return "desc" in data or "color_palette" in data or data.get("type") in ("obj", "text")


def read_elements(data: object, reader: Reader) -> Layout:
    found = [
        _element(item if isinstance(item, dict) else {}, i, reader)
        for i, item in enumerate([data] if isinstance(data, dict) else entries(data, "The list of elements"), 1)
    ]
    place(found, ways((YXYX,), (THOUSANDTHS, SHARES, PIXELS)), reader, "A list of elements", always=False)
    return reader.layout()


def _element(item: dict, index: int, reader: Reader) -> Found:
    caption = text_of(item.get("desc"), item.get("label"))
    who = subject("element", index, caption)
    values = numbers(item.get("bbox"), 4, who, reader)
    if values:
        y1, x1, y2, x2 = values
        values = (min(y1, y2), min(x1, x2), max(y1, y2), max(x1, x2))  # any two opposite corners
    imported = {key: value for key, value in item.items() if key not in ("bbox", "desc", "color_palette")}
    return Found(who, values, element_fields(caption, item.get("color_palette"), imported, who, reader))


def write_elements(layout: Layout) -> list[dict]:
    """Core's ARRAY of elements; enabled instances only; colors in capitals, as core writes and models learnt them."""
    elements = []
    for _, instance in layout.enabled:
        x1, y1, x2, y2 = pixel_box(instance.box, 1000, 1000)
        imported = imported_of(instance)
        element = {"type": "text" if imported.get("type") == "text" else "obj", "bbox": [y1, x1, y2, x2]}
        if element["type"] == "text":
            element["text"] = imported.get("text", "")
        colors = [color for color in _palette(instance) if isinstance(color, str) and HEX_COLOR.fullmatch(color)]
        palette = [color.upper() for color in colors[:MAX_PALETTE]]
        elements.append({**element, "desc": instance.caption, **({"color_palette": palette} if palette else {})})
    return elements


# --- Impact Pack's SEGS: ((height, width), [SEG, ...]) ---


def is_segs(data: object) -> bool:
    return (
        isinstance(data, tuple)
        and len(data) == 2
        and isinstance(data[0], (tuple, list))
        and len(data[0]) == 2
        and all(is_number(side) for side in data[0])
        and isinstance(data[1], (list, tuple))
        and all(hasattr(seg, "bbox") and hasattr(seg, "crop_region") for seg in data[1])
    )


def read_segs(data: tuple, reader: Reader) -> Layout:
    height, width = (int(side) for side in data[0])
    reader.own_size(width, height, "SEGS")
    for i, seg in enumerate(entries(data[1], "SEGS"), 1):
        label = text_of(getattr(seg, "label", ""))
        caption = "" if label == _NO_LABEL else label
        who = subject("segment", i, caption)
        box = numbers(seg.bbox, 4, who, reader)
        if box is None:
            continue
        mask = _seg_mask(seg, width, height, who, reader)
        score = np.asarray(getattr(seg, "confidence", None)).ravel()
        imported = {"score": round(float(score[0]), 4)} if len(score) and is_number(score[0]) else {}
        reader.add(
            reader.pixels(box),
            who,
            caption=caption,
            label=caption,
            imported=imported,
            mask=without_plain(mask, pixel_box(reader.pixels(box), width, height)),
        )
    if any(getattr(seg, "label", "") == _NO_LABEL for seg in data[1]):
        reader.note("read.segs_without_labels", label=_NO_LABEL)
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
        reader.note(
            "read.seg_mask",
            who=who,
            shape=" x ".join(map(str, cropped.shape)),
            region=f"({x1}, {y1}, {x2}, {y2})",
            width=width,
            height=height,
        )
        return None
    mask = np.zeros((height, width), dtype=bool)
    mask[y1:y2, x1:x2] = cropped > 0.5
    return mask


# --- MASK batch: [N, H, W] floats; or a list of masks or batches ---


def joined_masks(data: object) -> np.ndarray | None:
    """A batch, or a list of masks and batches as one; None where ``data`` is neither.
    Raises ValueError for several sizes."""
    if isinstance(data, np.ndarray):
        return data
    if (
        not isinstance(data, (list, tuple))
        or not data
        or not all(isinstance(item, np.ndarray) and item.ndim > 1 for item in data)
    ):
        return None
    masks = [_batch(item) for item in data]
    sizes = dict.fromkeys(mask.shape[1:] for mask in masks)
    if len(sizes) > 1:
        shown = ", ".join(f"{width} x {height}" for height, width in list(sizes)[:4])
        raise ValueError(
            f"The masks of the list have different sizes ({shown}). Give masks of one picture, all of its size."
        )
    return np.concatenate(masks)


def _batch(data: np.ndarray) -> np.ndarray:
    """[N, H, W] from that, from one mask, or with a side of 1 where a picture has its channels."""
    if data.ndim == 4 and 1 in (data.shape[1], data.shape[3]):
        data = data[:, 0] if data.shape[1] == 1 else data[..., 0]
    data = data[None] if data.ndim == 2 else data
    if data.ndim != 3 or 0 in data.shape:
        raise ValueError(f"A MASK batch must have the shape [masks, height, width], not {list(data.shape)}.")
    return data


def read_masks(data: np.ndarray, reader: Reader, captions: list[str] | None = None) -> Layout:
    """The box of each mask's pixels over 0.5, and the mask itself where it is more than its box."""
    data = _batch(data)
    if data.shape[1] * data.shape[2] > MAX_PIXELS:
        raise ValueError(f"Masks of {data.shape[2]} x {data.shape[1]} pixels are too large. Scale them down.")
    low, high = np.fmin.reduce(data, axis=None), np.fmax.reduce(data, axis=None)
    if np.isfinite((low, high)).all() and (low < -1 or high > 255):
        raise ValueError(
            f"An array of the shape {list(data.shape)} with values from {low:.6g} to {high:.6g} holds neither masks, "
            "whose values are 0 to 1, nor boxes, which are rows of 4 to 7 numbers."
        )
    entries(list(data), "The MASK batch")
    reader.own_size(data.shape[2], data.shape[1], "The MASK batch")
    for i, values in enumerate(data, 1):
        _read_mask(
            values, subject("mask", i, captions[i - 1] if captions else ""), reader, captions[i - 1] if captions else ""
        )
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
    height, width = mask.shape
    if (exact := _soft_box(values)) is not None:
        reader.add(exact, who, caption=caption)
        return
    if ((values > 0) & (values < 1)).any():
        reader.note("read.mask_soft", who=who)
    reader.add(box, who, caption=caption, mask=without_plain(mask, pixel_box(box, width, height)))


def _soft_box(values: np.ndarray) -> tuple[float, float, float, float] | None:
    """The box whose share of each pixel the mask is, as :func:`write_masks` draws one;
    None where it is anything else."""
    if values.min() < 0 or values.max() > 1:
        return None
    across, down = values.max(axis=0), values.max(axis=1)  # [W], [H]
    ends = [_edges(line) for line in (across, down)]
    if None in ends or not np.allclose(values, np.outer(down, across), atol=1e-3):
        return None
    (x1, x2), (y1, y2) = ends
    return (x1 / len(across), y1 / len(down), x2 / len(across), y2 / len(down))


def _edges(shares: np.ndarray) -> tuple[float, float] | None:
    """Where a span begins and ends whose share of each pixel is given; None where they are not those of one span."""
    full, touched = np.flatnonzero(shares >= 1), np.flatnonzero(shares > 0)
    if not len(full) or len(full) != full[-1] - full[0] + 1 or touched[0] < full[0] - 1 or touched[-1] > full[-1] + 1:
        return None
    return float(full[0] - shares[touched[0] : full[0]].sum()), float(
        full[-1] + 1 + shares[full[-1] + 1 : touched[-1] + 1].sum()
    )


def without_plain(mask: np.ndarray | None, box: tuple[int, int, int, int]) -> RunLengthMask | None:
    """The mask as run lengths; None where it says no more than the box, in pixels, that it fills."""
    if mask is None:
        return None
    x1, y1, x2, y2 = box
    plain = bool(mask[y1:y2, x1:x2].all()) and int(mask.sum()) == (y2 - y1) * (x2 - x1)
    return None if plain else RunLengthMask.from_array(mask)


def write_masks(layout: Layout) -> np.ndarray:
    """[N, H, W] float32, one mask per enabled instance (see :func:`instance_mask`); [0, H, W] if none."""
    masks = np.empty((len(layout.enabled), layout.height, layout.width), dtype=np.float32)
    for canvas, (_, instance) in zip(masks, layout.enabled, strict=True):
        canvas[:] = instance_mask(instance, layout)
    return masks


def write_union(layout: Layout) -> np.ndarray:
    """[H, W] float32, the masks of all enabled instances in one."""
    union = np.zeros((layout.height, layout.width), dtype=np.float32)
    for _, instance in layout.enabled:
        np.maximum(union, instance_mask(instance, layout), out=union)
    return union


def instance_mask(instance: Instance, layout: Layout) -> np.ndarray:
    """[H, W] float32 or bool: the instance's own mask (nearest pixel), else its box.

    Box edges that fall inside a pixel cover it by their share.
    """
    if instance.mask is not None:
        return instance.mask.resized(layout.height, layout.width)
    x1, y1, x2, y2 = instance.box
    return np.outer(_coverage(y1, y2, layout.height), _coverage(x1, x2, layout.width))


def _coverage(low: float, high: float, count: int) -> np.ndarray:
    """[count] float32: the share of each pixel that lies between the normalised ``low`` and ``high``."""
    pixels = np.arange(count)
    shares = np.clip(np.minimum(high * count, pixels + 1) - np.maximum(low * count, pixels), 0.0, 1.0)
    return shares.astype(np.float32)
