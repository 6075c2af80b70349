"""Structured captions of text-to-image models, Ideogram 4 and Krea 2: elements with boxes, and words about the rest.

``{high_level_description, style_description: {...}, compositional_deconstruction: {background, elements: [...]}}``; an
element is ``{type, bbox, desc, text, color_palette}``, its ``bbox`` [ymin, xmin, ymax, xmax] in 0..1000 or missing.
What a layout has no field for stays in its ``extra["ideogram"]``, so that it is written again.
Source: Ideogram's JSON prompting guide (docs.ideogram.ai/prompting/json-prompting), ComfyUI's Build JSON Prompt.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from ..layout import DEFAULT_SIDE, Layout
from ..notes import Note, subject
from ..plain_data import PlainData
from .comfyui import element_fields, write_elements
from .common import Reader, entries, numbers, text_of
from .placing import Found, place
from .reading import SHARES, THOUSANDTHS, YXYX, ways

KEPT = "ideogram"
MAX_RATIO = 8  # of a picture's sides
WHOLE = "high_level_description"
_PARTS = "compositional_deconstruction"
_STYLE = ("photo", "art_style", "medium", "aesthetics", "lighting")


def is_caption(data: object) -> bool:
    return isinstance(_caption(data).get(_PARTS), dict)


def _caption(data: object) -> dict:
    """The caption itself: some services answer with it under ``json_prompt``."""
    caption = data.get("json_prompt", data) if isinstance(data, dict) else None
    return caption if isinstance(caption, dict) else {}


def read_caption(data: dict, reader: Reader) -> Layout:
    caption = _caption(data)
    parts = caption[_PARTS]
    _take_shape(caption.get("aspect_ratio"), reader)
    unplaced: list[dict] = []
    found = [
        _element(element if isinstance(element, dict) else {}, i, unplaced, reader)
        for i, element in enumerate(entries(parts.get("elements", []), "The caption's list of elements"), 1)
    ]
    among = ways((YXYX,), (THOUSANDTHS, SHARES))
    place([entry for entry in found if entry], among, reader, "The caption", always=False)
    kept = {key: value for key, value in caption.items() if key != _PARTS}
    kept |= {"background": parts.get("background", "")} | ({"elements": unplaced} if unplaced else {})
    return reader.layout(_global_caption(kept), {KEPT: kept})


def _take_shape(ratio: object, reader: Reader) -> None:
    """The picture's shape from "16:9": its size where none is known, else a note where it is another shape."""
    found = re.fullmatch(r"(\d{1,4}):(\d{1,4})", ratio) if isinstance(ratio, str) else None
    wide, high = (int(side) for side in found.groups()) if found else (0, 0)
    if not (wide and high) or max(wide, high) > MAX_RATIO * min(wide, high):
        return
    if not (reader.width and reader.height):
        side = math.sqrt(wide / high)
        reader.width, reader.height = (8 * round(DEFAULT_SIDE * factor / 8) for factor in (side, 1 / side))
    elif abs(wide * reader.height - high * reader.width) > 0.02 * high * reader.width:
        reader.note("read.other_ratio", ratio=ratio, width=reader.width, height=reader.height)


def _element(element: dict, index: int, unplaced: list[dict], reader: Reader) -> Found | None:
    """One element; None with a note where it has no place, and is added to the ``unplaced``."""
    desc = text_of(element.get("desc"))
    who = subject("element", index, desc)
    if element.get("bbox") in (None, []):
        reader.note("read.no_place", who=who)
        unplaced.append(element)
        return None
    values = numbers(element["bbox"], 4, who, reader)
    imported = {key: value for key, value in element.items() if key not in ("bbox", "desc", "color_palette")}
    return Found(who, values, element_fields(desc, element.get("color_palette"), imported, who, reader))


def _global_caption(kept: dict) -> str:
    """The words about the whole picture, and of elements without a place, one sentence after the other."""
    style = kept.get("style_description")
    style = style if isinstance(style, dict) else {}
    unplaced = kept.get("elements", [])
    words = [
        kept.get(WHOLE),
        kept.get("background"),
        *(style.get(key) for key in _STYLE),
        *(element.get("desc") for element in unplaced if isinstance(element, dict)),
    ]
    sentences = [text.strip() for text in words if text_of(text)]
    return " ".join(text if text[-1] in ".!?" else text + "." for text in sentences)


def write_caption(layout: Layout, notes: list[Note]) -> dict:
    """What was read, with the boxes as they are now; a global caption that was changed takes
    the place of all other words."""
    kept = kept_words(layout)
    if kept is None:
        captions = dict.fromkeys(instance.caption.strip() for _, instance in layout.enabled)
        kept = {WHOLE: layout.caption or ", ".join(filter(None, captions))}
    if not text_of(kept.get("background")):
        notes.append(Note("write.no_background"))
    return assembled(kept, layout)


def kept_words(layout: Layout) -> dict | None:
    """What an imported caption said besides its placed elements; None where the layout's global caption, which was made
    of it, is another now."""
    kept = PlainData().of(layout.extra.get(KEPT))
    if not isinstance(kept, dict) or not isinstance(kept.get("elements", []), list):
        return None
    return kept if _global_caption(kept) == layout.caption else None


def background_of(layout: Layout) -> str:
    """What is to be said about the picture without its instances: an imported background, else the global caption."""
    kept = kept_words(layout)
    return text_of((kept or {}).get("background")) or ("" if kept else layout.caption.strip())


def prompt_caption(layout: Layout, whole: Callable[[str | None], str], otherwise: str) -> dict:
    """The caption as a prompt, in the form of core's Build JSON Prompt.

    ``whole`` makes its words about the whole picture of those that were imported, of None where none were;
    ``otherwise`` is the background where the layout has no word about it.
    """
    kept = kept_words(layout)
    words = kept or {}
    text = whole(None if kept is None else text_of(words.get(WHOLE)))
    words = {**words, WHOLE: text} if WHOLE in words else {WHOLE: text, **words}
    words = {key: value for key, value in words.items() if key != WHOLE or text}
    return assembled({**words, "background": background_of(layout) or otherwise}, layout)


def assembled(kept: dict, layout: Layout) -> dict:
    """A caption of its words and the layout's boxes."""
    return {
        **{key: value for key, value in kept.items() if key not in ("background", "elements")},
        _PARTS: {
            "background": text_of(kept.get("background")),
            "elements": write_elements(layout) + kept.get("elements", []),
        },
    }
