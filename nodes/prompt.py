"""Instance Box Prompt: boxes and captions from a widget, or from any known box format, to a layout."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import torch
from comfy_api.latest import io

from ..roictrl_core import formats
from ..roictrl_core.formats.comfyui import write_bounding_boxes, write_masks
from ..roictrl_core.formats.reading import AUTO, ORDERS, UNITS, ReadAs
from ..roictrl_core.layout import MAX_SIDE, Layout
from ..roictrl_core.notes import Note
from ..roictrl_core.wording import Words, captions_text
from .images import drawn
from .report import layout_notes, named, shown, warn
from .types import BOUNDING_BOX, LAYOUT, REGION_WORDS, advanced, schema, typed

NAME = "Instance Box Prompt"

DRAWING_WORDS = typed(
    "drawing",
    "roictrl",
    "draw boxes",
    "boxes",
    "bounding box",
    "box editor",
    "layout",
    "canvas",
    "scribble",
    "mask",
    "lasso",
    "point",
    "instance",
    "gligen",
)
NOTHING = Note("prompt.nothing")
MAX_MASK_BYTES = 2 * 2**30
EMPTY = Layout().to_json()
EXAMPLE = (
    '{"version": 1, "width": 512, "height": 512, "instances": [\n'
    '  {"box": [0.05, 0.3, 0.45, 0.9], "caption": "a red fox"}]}'
)


def choose_layout(text: str, boxes: object, **how) -> tuple[Layout, Layout | None, list[Note]]:
    """The widget's layout, or the one of the ``boxes`` input where the widget holds no instance; the latter; notes.

    ``how`` they are read: the keywords of :func:`formats.read`.
    """
    # An empty widget is no fault: NOTHING says it where the input brings nothing either.
    drawing, notes = formats.read(text, **how) if text.strip() else (Layout(), [])
    if boxes is None:
        return drawing, None, notes
    incoming, more = formats.read(boxes, **how)
    if not drawing.instances:
        return replace(incoming, caption=incoming.caption or drawing.caption), incoming, notes + more
    more = [replace(note, instance=None) for note in more]  # they are about instances that are not used
    if incoming.instances:
        more.append(
            Note("prompt.boxes_unused", values={"incoming": len(incoming.instances), "drawn": len(drawing.instances)})
        )
    return drawing, incoming, notes + more


def mask_batch(layout: Layout) -> tuple[torch.Tensor, list[Note]]:
    """[N, H, W], one mask per enabled instance (one empty mask without any, as no batch may be empty), and notes."""
    size = 4 * len(layout.enabled) * layout.height * layout.width
    if 0 < size <= MAX_MASK_BYTES:
        return torch.from_numpy(write_masks(layout)), []
    note = Note("prompt.masks_too_large", values={"count": len(layout.enabled), "gigabytes": f"{size / 2**30:.1f}"})
    return torch.zeros(1, layout.height, layout.width), [note] if size else []


class InstanceBoxPrompt(io.ComfyNode):
    """Boxes and captions in, layout out."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ROICtrlInstanceBoxPrompt",
            NAME,
            description="Boxes on the picture, with a caption for each: what is to stand where. Connect the layout to "
            "Apply Boxes.",
            search_aliases=[*REGION_WORDS, *DRAWING_WORDS],
            has_intermediate_output=True,
            inputs=[
                *_drawing_inputs(),
                *_connected_inputs(),
                _reading_input("box_order", ORDERS, "the four numbers of a connected or pasted box are"),
                _reading_input("box_unit", UNITS, "the numbers of a connected or pasted box count"),
            ],
            outputs=[
                LAYOUT.Output(display_name="layout", tooltip="The boxes with captions and settings."),
                BOUNDING_BOX.Output(
                    display_name="bboxes",
                    tooltip="The same boxes in whole pixels, with labels and "
                    "metadata, for nodes that take ComfyUI's own bounding boxes.",
                ),
                io.Mask.Output(display_name="masks", tooltip="One mask for each enabled instance, in their order."),
                io.Image.Output(display_name="preview", tooltip="The boxes and captions drawn on the picture."),
                io.Int.Output(display_name="width", tooltip="Width in pixels, for the empty latent."),
                io.Int.Output(display_name="height", tooltip="Height in pixels, for the empty latent."),
                io.String.Output(
                    display_name="prompt",
                    tooltip="A prompt for the whole picture, for a CLIP Text Encode: the one typed beside the boxes "
                    "while none is selected, else the captions of the enabled boxes.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        width,
        height,
        layout,
        size_from_image=True,
        boxes=None,
        image=None,
        pick="",
        class_names="",
        box_order=AUTO,
        box_unit=AUTO,
    ) -> io.NodeOutput:
        if image is not None and size_from_image:
            height, width = image.shape[1:3]
        with named(NAME):
            read_as = ReadAs(box_order, box_unit)
            result, incoming, notes = choose_layout(
                layout, boxes, width=width, height=height, pick=pick, names=class_names, read_as=read_as
            )
            result = result.resized(width, height).validate()
        masks, too_many = mask_batch(result)
        notes += too_many + layout_notes(result) + ([] if result.enabled else [NOTHING])
        warn(NAME, notes)
        with named(NAME):
            preview = drawn(result, None if image is None else image[:1])
        # For the editor, which is the preview: what was used, what is to be said, and the connected boxes to adopt.
        return io.NodeOutput(
            result,
            write_bounding_boxes(result),
            masks,
            preview,
            width,
            height,
            captions_text(result, Words()),
            ui=shown(notes, layout=result.to_dict(), boxes=incoming and incoming.to_dict()),
        )


def _layout_input() -> io.Input:
    """The one JSON string, with the page's box editor as its widget (web/index.js); without a page it is plain text."""
    text = io.String.Input(
        "layout",
        multiline=True,
        default=EMPTY,
        placeholder=EXAMPLE,
        tooltip="Drag to draw a box, then type what should appear in it. As text it is JSON: x1, y1, "
        "x2, y2 as shares 0 to 1 of the picture, and a caption each; any other known box format may "
        "be pasted as well.",
    )
    # After construction: ComfyUI 0.3.75 has no such argument, and `widget_type` would change the socket's type.
    text.extra_dict = {"widgetType": "ROICTRL_BOX_EDITOR"}
    return text


def _drawing_inputs() -> list[io.Input]:
    """The picture's size, and what is drawn on it here."""
    side = {"default": 512, "min": 16, "max": MAX_SIDE, "step": 8}
    return [
        io.Int.Input(
            "width",
            **side,
            tooltip="Width of the picture in pixels. Boxes are stored as shares of it, so "
            "they keep their places when it changes.",
        ),
        io.Int.Input("height", **side, tooltip="Height of the picture in pixels."),
        _layout_input(),
        advanced(
            io.Boolean.Input(
                "size_from_image", default=True, tooltip="Take width and height from the image where one is connected."
            )
        ),
    ]


def _connected_inputs() -> list[io.Input]:
    """What other nodes bring: boxes, a ground to draw on, and which of the boxes are meant."""
    return [
        io.AnyType.Input(
            "boxes",
            optional=True,
            tooltip="Boxes from elsewhere, used while none are drawn here: "
            "bounding boxes of a detector, SEGS, a MASK batch, a layout, a list, or text in any known "
            "format (COCO, labelme, YOLO, Label Studio, CVAT, Pascal VOC, Gemini, Qwen-VL, Florence-2, Ideogram "
            "and Krea 2 captions, InstanceDiffusion, MIG-Bench, Omost and more).",
        ),
        io.Image.Input(
            "image", optional=True, tooltip="A picture to draw on. It does not change the layout, except for its size."
        ),
        io.String.Input(
            "pick",
            optional=True,
            force_input=True,
            tooltip="Which image, prompt or frame to take where "
            "the boxes hold several: its name, or its index from 1. Empty takes the first.",
        ),
        io.String.Input(
            "class_names",
            optional=True,
            force_input=True,
            tooltip=(
                "The names of YOLO's classes, one per line or with commas, a JSON list, or the text of a data.yaml."
            ),
        ),
    ]


def _reading_input(name: str, choices: Iterable[str], what: str) -> io.Input:
    """How boxes are read whose format leaves it open."""
    return advanced(
        io.Combo.Input(
            name,
            options=[AUTO, *choices],
            default=AUTO,
            optional=True,
            tooltip=f"What {what}, where its format does not say it. "
            "auto decides by what they hold and says what it assumed.",
        )
    )


NODES = [InstanceBoxPrompt]
