"""Box formats of other layout-to-image methods: InstanceDiffusion's demos, MIG-Bench, Omost's canvas."""

from __future__ import annotations

from ..layout import MAX_INSTANCES, Layout, Point
from ..notes import Note, quote, subject
from .comfyui import pixel_box
from .common import Reader, choose, entries, finite_numbers, hex_color, numbers, picture_rle, points_box, text_of
from .geometry import LINE_ALONE
from .placing import Found, chosen_way, place
from .reading import AUTO, PIXELS, SHARES, XYWH, XYXY, sides_in, ways
from .shapes import point_of, segmentation_mask, strokes_of

_OMOST_GRID = 90
_COCO_ID = "coco_id"  # what stands among MIG-Bench's captions and is none


# --- InstanceDiffusion: {caption, width, height, annos: [{bbox = x, y, w, h in pixels, caption}]} ---


def is_instance_diffusion(data: object) -> bool:
    return isinstance(data, dict) and "annos" in data


def read_instance_diffusion(data: dict, reader: Reader) -> Layout:
    reader.own_size(data.get("width"), data.get("height"), "The InstanceDiffusion file")
    reader.need_size("The InstanceDiffusion file")
    annos = [anno if isinstance(anno, dict) else {} for anno in entries(data["annos"], "annos")]
    unit = _unit(annos, reader)
    found = [_anno(anno, unit, i, reader) for i, anno in enumerate(annos, 1)]
    place(found, ways((XYWH,)), reader, "The InstanceDiffusion file", always=False)
    return reader.layout(text_of(data.get("caption")), {key: value for key, value in data.items() if key != "annos"})


def _unit(annos: list[dict], reader: Reader) -> str:
    """What the boxes count, and with them points and scribbles."""
    rows = [row for anno in annos if (row := finite_numbers(anno.get("bbox"))) is not None and len(row) == 4]
    if rows:
        return chosen_way(rows, ways((XYWH,)), reader).unit
    return PIXELS if reader.read_as.unit == AUTO else reader.read_as.unit


def _to_pixels(value: object, unit: str, reader: Reader) -> object:
    """A point, or points in lists, of the unit as pixels; anything else as it is, for who reads it to name."""
    if unit == PIXELS or not isinstance(value, (list, tuple)):
        return value
    point = finite_numbers(value)
    if point is None or len(point) != 2:
        return [_to_pixels(part, unit, reader) for part in value]
    across, down = sides_in(unit, reader.width, reader.height)
    return (point[0] * reader.width / across, point[1] * reader.height / down)


def _anno(anno: dict, unit: str, index: int, reader: Reader) -> Found:
    caption = text_of(anno.get("caption"), anno.get("category_name"))
    who = subject("annotation", index, caption)
    known = ("bbox", "point", "caption", "category_name", "mask", "scribble")
    fields = {
        "caption": caption,
        "label": text_of(anno.get("category_name")),
        "point": point_of(_to_pixels(anno.get("point"), unit, reader), who, reader),
        "scribble": strokes_of(_to_pixels(anno.get("scribble"), unit, reader), who, reader),
        "mask": segmentation_mask(anno.get("mask"), who, reader),
        "imported": {key: value for key, value in anno.items() if key not in known},
    }
    if not anno.get("bbox") and (fields["point"] or fields["scribble"]):
        return _without_box(who, fields, sides_in(unit, reader.width, reader.height))
    return Found(who, numbers(anno.get("bbox"), 4, who, reader), fields)


def _without_box(who: dict, fields: dict, sides: tuple[float, float]) -> Found:
    """An annotation of a point, or else of a scribble: of an upright or level one the middle, of others the box around
    it, in the unit of the boxes, in which the picture has these ``sides``."""
    if fields["point"]:
        return Found(who, None, fields, alone=True)
    x1, y1, x2, y2 = points_box([point for stroke in fields["scribble"] for point in stroke])
    if x1 == x2 or y1 == y2:
        return Found(who, None, {**fields, "point": ((x1 + x2) / 2, (y1 + y2) / 2), "code": LINE_ALONE}, alone=True)
    width, height = sides
    return Found(who, (x1 * width, y1 * height, (x2 - x1) * width, (y2 - y1) * height), fields)


def write_instance_diffusion(layout: Layout, notes: list[Note]) -> dict:
    """Enabled instances; ``mask`` as COCO RLE, or an empty list; ``point`` and ``scribble``
    in pixels where there are any."""
    annos = []
    for index, instance in layout.enabled:
        x1, y1, x2, y2 = pixel_box(instance.box, layout.width, layout.height)
        place: dict = {"bbox": [x1, y1, x2 - x1, y2 - y1]} if instance.has_area else {}
        if instance.point:
            place["point"] = _in_pixels(instance.point, layout)
        if instance.scribble:
            place["scribble"] = [_in_pixels(point, layout) for stroke in instance.scribble for point in stroke]
        if len(instance.scribble) > 1:
            notes.append(instance.note("write.strokes_joined", index, count=len(instance.scribble)))
        annos.append(
            {
                **place,
                "mask": picture_rle(instance.mask, layout) if instance.mask else [],
                "category_name": instance.label,
                "caption": instance.caption,
            }
        )
    return {"caption": layout.caption, "width": layout.width, "height": layout.height, "annos": annos}


def _in_pixels(point: Point, layout: Layout) -> list[float]:
    return [round(point[0] * layout.width, 2), round(point[1] * layout.height, 2)]


# --- MIG-Bench: {global prompt: {caption: [[x1, y1, x2, y2], ...], coco_id: ...}}, normalised ---


def is_migc(data: object) -> bool:
    return (
        isinstance(data, dict)
        and bool(data)
        and all(isinstance(key, str) for key in data)
        and all(_is_migc_entry(value) for value in data.values())
    )


def _is_migc_entry(value: object) -> bool:
    return isinstance(value, dict) and all(key == _COCO_ID or isinstance(boxes, list) for key, boxes in value.items())


def read_migc(data: dict, reader: Reader) -> Layout:
    prompts = list(data)
    prompt = prompts[choose(prompts, reader.pick, "prompt", reader)]
    captions = {str(key): boxes for key, boxes in data[prompt].items() if key != _COCO_ID}
    if (count := sum(map(len, captions.values()))) > 4 * MAX_INSTANCES:  # a single box is a list of its four numbers
        raise ValueError(f"The prompt of MIG-Bench has {count} boxes; at most {MAX_INSTANCES} are read.")
    found = []
    for caption, boxes in captions.items():
        boxes = [boxes] if boxes and not isinstance(boxes[0], list) else boxes
        named = [(subject("box", i, caption), box) for i, box in enumerate(boxes, 1)]
        found += [Found(who, numbers(box, 4, who, reader), {"caption": caption}) for who, box in named]
    place(found, ways((XYXY,), (SHARES, PIXELS)), reader, "The MIG-Bench file", always=False)
    coco_id = data[prompt].get(_COCO_ID)
    return reader.layout(prompt, {} if coco_id is None else {"coco_id": coco_id})


def write_migc(layout: Layout, notes: list[Note]) -> dict:
    """One prompt: the global caption, else the captions joined; equal captions share one list of boxes."""
    captions: dict[str, list] = {}
    for index, instance in layout.enabled:
        caption = instance.caption
        if caption == _COCO_ID:
            caption = _COCO_ID.replace("_", " ")
            notes.append(instance.note("write.migc_caption", index, caption=quote(caption)))
        captions.setdefault(caption, []).append(list(instance.box))
    prompt = layout.caption or " and ".join(instance.caption for _, instance in layout.enabled)
    return {prompt: {**captions, _COCO_ID: str(layout.extra.get("coco_id", ""))}}


# --- Omost: [{rect = [y0, y1, x0, x1] of 90, prefixes, suffixes, color}], the first entry global ---


def is_omost(data: object) -> bool:
    conditions = _conditions(data)
    return (
        isinstance(conditions, list)
        and bool(conditions)
        and all(isinstance(entry, dict) and "rect" in entry for entry in conditions)
    )


def _conditions(data: object) -> object:
    """The list itself: a processed canvas has it beside its latent."""
    return data.get("bag_of_conditions") if isinstance(data, dict) else data


def read_omost(data: list | dict, reader: Reader) -> Layout:
    whole, *parts = entries(_conditions(data), "The Omost canvas")
    shared = _texts(whole, "prefixes")
    known_texts = set(shared)
    for i, entry in enumerate(parts, 2):
        own = [text for text in _texts(entry, "prefixes") if text not in known_texts]
        caption = " ".join(own + _texts(entry, "suffixes"))
        who = subject("entry", i, caption)
        rect = numbers(entry["rect"], 4, who, reader)
        if rect is not None:
            y0, y1, x0, x1 = (value / _OMOST_GRID for value in rect)
            known = ("rect", "prefixes", "suffixes", "color")
            reader.add(
                (x0, y0, x1, y1),
                who,
                caption=caption,
                color=hex_color(entry.get("color")),
                imported={key: value for key, value in entry.items() if key not in known},
            )
    if not parts:
        reader.note("read.omost_global_alone")
    return reader.layout(" ".join(shared + _texts(whole, "suffixes")))


def _texts(entry: dict, key: str) -> list[str]:
    value = entry.get(key)
    return [text.strip() for text in value if text_of(text)] if isinstance(value, list) else []
