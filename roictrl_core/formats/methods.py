"""Box formats of other layout-to-image methods: InstanceDiffusion's demos, MIG-Bench, Omost's canvas."""

from __future__ import annotations

from ..layout import Layout
from ..masks import RunLengthMask
from ..notes import quote, subject
from .comfyui import pixel_box
from .common import Reader, choose, entries, from_xywh, hex_color, numbers, text_of

_OMOST_GRID = 90


# --- InstanceDiffusion: {caption, width, height, annos: [{bbox = x, y, w, h in pixels, caption}]} ---

def is_instance_diffusion(data: object) -> bool:
    return isinstance(data, dict) and "annos" in data


def read_instance_diffusion(data: dict, reader: Reader) -> Layout:
    reader.own_size(data.get("width"), data.get("height"), "The InstanceDiffusion file")
    reader.need_size("The InstanceDiffusion file")
    for i, anno in enumerate(entries(data["annos"], "annos"), 1):
        _read_anno(anno if isinstance(anno, dict) else {}, i, reader)
    return reader.layout(text_of(data.get("caption")),
                         {key: value for key, value in data.items() if key != "annos"})


def _read_anno(anno: dict, index: int, reader: Reader) -> None:
    caption = text_of(anno.get("caption"), anno.get("category_name"))
    who = subject("annotation", index, caption)
    point = _anno_point(anno.get("point"), who, reader)
    known = ("bbox", "point", "caption", "category_name", "mask")
    fields = {"caption": caption, "label": text_of(anno.get("category_name")), "point": point,
              "mask": rle_mask(anno.get("mask"), who, reader),
              "imported": {key: value for key, value in anno.items() if key not in known}}
    if point and not anno.get("bbox"):
        reader.add_point(who, **fields)
        return
    values = numbers(anno.get("bbox"), 4, who, reader)
    reader.add(from_xywh(values, reader.width, reader.height), who, **fields)


def _anno_point(data: object, who: dict, reader: Reader) -> tuple[float, float] | None:
    """x, y in pixels, normalised; None without one, or with a note where it is unusable."""
    if not data:
        return None
    if values := numbers(data, 2, who, Reader()):
        point = (round(values[0] / reader.width, 9), round(values[1] / reader.height, 9))
        if all(0 <= value <= 1 for value in point):
            return point
    reader.note("read.point", who=who, value=quote(data))
    return None


def rle_mask(data: object, who: dict, reader: Reader) -> RunLengthMask | None:
    """A COCO RLE as a mask; None without one, or with a note where it is damaged."""
    if not data:
        return None
    try:
        return RunLengthMask.from_dict(data)
    except ValueError as error:
        reader.note("read.mask", who=who, reason=str(error))
        return None


def write_instance_diffusion(layout: Layout) -> dict:
    """Enabled instances; ``mask`` as COCO RLE, or an empty list; ``point`` in pixels where there is one."""
    annos = []
    for _, instance in layout.enabled:
        x1, y1, x2, y2 = pixel_box(instance.box, layout.width, layout.height)
        place: dict = {"bbox": [x1, y1, x2 - x1, y2 - y1]} if instance.has_area else {}
        if instance.point:
            place["point"] = [round(instance.point[0] * layout.width, 2), round(instance.point[1] * layout.height, 2)]
        annos.append({**place, "mask": instance.mask.to_dict() if instance.mask else [],
                      "category_name": instance.label, "caption": instance.caption})
    return {"caption": layout.caption, "width": layout.width, "height": layout.height, "annos": annos}


# --- MIG-Bench: {global prompt: {caption: [[x1, y1, x2, y2], ...], coco_id: ...}}, normalised ---

def is_migc(data: object) -> bool:
    return (isinstance(data, dict) and bool(data) and all(isinstance(key, str) for key in data)
            and all(_is_migc_entry(value) for value in data.values()))


def _is_migc_entry(value: object) -> bool:
    return isinstance(value, dict) and all(key == "coco_id" or isinstance(boxes, list) for key, boxes in value.items())


def read_migc(data: dict, reader: Reader) -> Layout:
    prompts = list(data)
    prompt = prompts[choose(prompts, reader.pick, "prompt", reader)]
    captions = {str(key): boxes for key, boxes in data[prompt].items() if key != "coco_id"}
    for caption, boxes in captions.items():
        boxes = [boxes] if boxes and not isinstance(boxes[0], list) else boxes
        for i, box in enumerate(boxes, 1):
            who = subject("box", i, caption)
            reader.add(numbers(box, 4, who, reader), who, caption=caption)
    coco_id = data[prompt].get("coco_id")
    return reader.layout(prompt, {} if coco_id is None else {"coco_id": coco_id})


def write_migc(layout: Layout) -> dict:
    """One prompt: the global caption, else the captions joined; equal captions share one list of boxes."""
    captions: dict[str, object] = {}
    for _, instance in layout.enabled:
        captions.setdefault(instance.caption, []).append(list(instance.box))
    prompt = layout.caption or " and ".join(instance.caption for _, instance in layout.enabled)
    return {prompt: {**captions, "coco_id": str(layout.extra.get("coco_id", ""))}}


# --- Omost: [{rect = [y0, y1, x0, x1] of 90, prefixes, suffixes, color}], the first entry global ---

def is_omost(data: object) -> bool:
    return isinstance(data, list) and bool(data) and all(isinstance(e, dict) and "rect" in e for e in data)


def read_omost(data: list, reader: Reader) -> Layout:
    whole, *parts = entries(data, "The Omost canvas")
    shared = _texts(whole, "prefixes")
    for i, entry in enumerate(parts, 2):
        own = [text for text in _texts(entry, "prefixes") if text not in shared]
        caption = " ".join(own + _texts(entry, "suffixes"))
        who = subject("entry", i, caption)
        rect = numbers(entry["rect"], 4, who, reader)
        if rect is not None:
            y0, y1, x0, x1 = (value / _OMOST_GRID for value in rect)
            known = ("rect", "prefixes", "suffixes", "color")
            reader.add((x0, y0, x1, y1), who, caption=caption, color=hex_color(entry.get("color")),
                       imported={key: value for key, value in entry.items() if key not in known})
    if not parts:
        reader.note("read.omost_global_alone")
    return reader.layout(" ".join(shared + _texts(whole, "suffixes")))


def _texts(entry: dict, key: str) -> list[str]:
    value = entry.get(key)
    return [text.strip() for text in value if text_of(text)] if isinstance(value, list) else []
