"""What Layout to Prompt writes: words, for any text encoder, or the JSON of models that read boxes in their prompt."""

from __future__ import annotations

import json
from collections.abc import Callable

from . import formats
from .formats.captions import prompt_caption
from .formats.comfyui import write_elements
from .formats.writing import fitted
from .layout import Layout
from .notes import Note
from .wording import Words, background_text, captions_text, places_text, subject_of

NO_BACKGROUND = Note("prompt.no_background")
Style = Callable[[Layout, Words], tuple[str, list[Note]]]


def captions(layout: Layout, words: Words) -> tuple[str, list[Note]]:
    """The captions in a sentence; every layout is good enough for it."""
    return captions_text(layout, words), []


def places(layout: Layout, words: Words) -> tuple[str, list[Note]]:
    """The captions with their places. Raises ValueError for a box that has none."""
    return places_text(layout.validate(), words), []


def elements(layout: Layout, words: Words) -> tuple[str, list[Note]]:
    """Core's elements, in which the words around the captions have no room. Raises ValueError for a bad box."""
    inside, notes = _inside(layout, "elements")
    return _one_line(write_elements(inside)), notes


def json_caption(layout: Layout, words: Words) -> tuple[str, list[Note]]:
    """The caption of Ideogram 4 and Krea 2 as core's Build JSON Prompt makes it. Raises ValueError for a bad box."""
    inside, notes = _inside(layout, "ideogram")

    def whole(imported: str | None) -> str:
        return captions_text(layout, words) if imported is None else words.around(imported)

    data = prompt_caption(inside, whole, words.suffix.strip())
    if not data["compositional_deconstruction"]["background"]:
        notes.append(NO_BACKGROUND)
    return _one_line(data), notes


def background(layout: Layout, words: Words) -> tuple[str, list[Note]]:
    """The picture without its instances."""
    text = background_text(layout, words)
    return text, [] if text else [NO_BACKGROUND]


def _one_line(data: object) -> str:
    """JSON as core's Convert Dictionary to String writes it without an indent."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False)


def _inside(layout: Layout, kind: str) -> tuple[Layout, list[Note]]:
    """The layout as a format can hold it, and what of it that loses; boxes without words too.

    Nothing is said of what no prompt has to name: labels, and what is switched off.
    """
    entry = formats.FORMATS[kind]
    inside, notes = fitted(layout.validate(), entry.title, (*entry.carries, "label"))
    nameless = [instance.note("layout.caption_empty", i) for i, instance in layout.enabled if not subject_of(instance)]
    return inside, [note for note in notes if note.code != "write.not_enabled"] + nameless


CAPTIONS = "captions"  # the default
STYLES: dict[str, Style] = {
    CAPTIONS: captions,
    "places in words": places,
    "elements JSON": elements,
    "JSON caption": json_caption,
    "background only": background,
}
