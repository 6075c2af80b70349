"""Nodes from layout to layout, from masks to layout, and from layout to text."""

from __future__ import annotations

from dataclasses import replace

from comfy_api.latest import io

from ..roictrl_core import formats
from ..roictrl_core.formats.comfyui import read_masks
from ..roictrl_core.formats.common import Reader
from ..roictrl_core.layout import Layout
from ..roictrl_core.masks import MAX_COUNTS, MAX_PIXELS
from ..roictrl_core.notes import Note, sentences
from ..roictrl_core.prompt_styles import CAPTIONS, STYLES
from ..roictrl_core.wording import Words
from .report import named, said, warn
from .types import ARRAY, LAYOUT, schema, typed
from .widgets import check_widgets

TO_PROMPT = "Layout to Prompt"
MERGE, FROM_MASKS, EXPORT = "Merge Layouts", "Layout from Masks", "Export Layout"
RLE_FORMATS = ("coco", "instancediffusion")  # which write masks as run-length text of the picture's size


def merge(bottom: Layout, top: Layout) -> tuple[Layout, list[Note]]:
    """The instances of both, those of ``top`` last; the size and the global caption of ``bottom`` come first."""
    notes = []
    if bottom.width * top.height != top.width * bottom.height:
        notes.append(
            Note(
                "merge.shapes",
                values={
                    "width": bottom.width,
                    "height": bottom.height,
                    "other_width": top.width,
                    "other_height": top.height,
                },
            )
        )
    if bottom.caption and top.caption and bottom.caption != top.caption:
        notes.append(Note("merge.captions"))
    lost = [key for key, value in top.extra.items() if bottom.extra.get(key, value) != value]
    if lost:
        notes.append(Note("merge.fields", values={"fields": [str(key)[:60] for key in lost[:10]]}))
    merged = replace(
        bottom,
        instances=bottom.instances + top.instances,
        caption=bottom.caption or top.caption,
        extra={**top.extra, **bottom.extra},
    )
    return merged, notes


class LayoutToPrompt(io.ComfyNode):
    """The captions as one global prompt, in words or as the JSON that some models read."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ROICtrlLayoutToPrompt",
            TO_PROMPT,
            description="A prompt for the whole picture from the layout: its global caption where it has one, else "
            "the captions of its enabled instances, equal ones once. Or with the boxes' places, in words or as JSON, "
            "for models that read them in the prompt.",
            search_aliases=[
                "captions to text",
                "global prompt",
                "boxes to text",
                "layout to elements",
                "json prompt",
                "ideogram",
                "krea",
                "roictrl",
            ],
            inputs=[*_words_inputs(), _style_input()],
            outputs=[
                io.String.Output(display_name="prompt", tooltip="Connect it to a CLIP Text Encode."),
                ARRAY.Output(
                    display_name="elements",
                    tooltip="The boxes as ComfyUI's elements, whatever the style: for Build JSON Prompt and Create "
                    "Bounding Boxes.",
                ),
            ],
        )

    @classmethod
    def execute(cls, layout, prefix="", separator=", ", suffix="", style=CAPTIONS) -> io.NodeOutput:
        check_widgets(cls, style=style)
        with named(TO_PROMPT):
            text, notes = STYLES[style](layout, Words(prefix, separator, suffix))
            elements, more = elements_of(layout)
        return io.NodeOutput(text, elements, ui=said(TO_PROMPT, notes + more))


def _words_inputs() -> list[io.Input]:
    """The layout, and what stands around its captions."""
    return [
        LAYOUT.Input("layout", tooltip="Whose captions to join."),
        io.String.Input(
            "prefix",
            default="",
            tooltip="Text before the captions, for example 'a photo of'. It is followed by a space.",
        ),
        io.String.Input("separator", default=", ", tooltip="Text between two captions."),
        io.String.Input(
            "suffix",
            default="",
            tooltip="Text after the captions, for example a style. It is set off by the separator. A JSON caption of a "
            "layout without a global caption has it as the background.",
        ),
    ]


def _style_input() -> io.Input:
    return io.Combo.Input(
        "style",
        options=list(STYLES),
        default=CAPTIONS,
        optional=True,
        tooltip="captions: as one sentence. places in words: each with where it is to stand, such as 'in the upper "
        "left'. elements JSON: ComfyUI's elements, boxes in 0 to 1000. JSON caption: what Ideogram 4 and Krea 2 read, "
        "as Build JSON Prompt makes it. background only: the global caption without the instances, else the suffix.",
    )


class MergeLayouts(io.ComfyNode):
    """Two layouts as one."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ROICtrlMergeLayouts",
            MERGE,
            description="All instances of two layouts in one, with the size of the first.",
            search_aliases=["join layouts", "combine boxes", "add boxes", "roictrl"],
            inputs=[
                LAYOUT.Input("layout_1", tooltip="Gives the size; its instances come first."),
                LAYOUT.Input("layout_2", tooltip="Its instances come after, and so lie on top."),
            ],
            outputs=[LAYOUT.Output(display_name="layout", tooltip="Both together.")],
        )

    @classmethod
    def execute(cls, layout_1, layout_2) -> io.NodeOutput:
        merged, notes = merge(layout_1, layout_2)
        with named(MERGE):
            merged.validate()
        warn(MERGE, notes)
        return io.NodeOutput(merged)


class LayoutFromMasks(io.ComfyNode):
    """A layout with one instance for each mask."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ROICtrlLayoutFromMasks",
            FROM_MASKS,
            description="One instance for each mask of a batch: its box is the box of the mask's pixels over 0.5.",
            search_aliases=typed("mask to box", "mask to box", "masks to boxes", "segmentation to layout", "roictrl"),
            inputs=[
                io.Mask.Input("masks", tooltip="A batch of masks of the whole picture, one for each instance."),
                io.String.Input(
                    "captions",
                    multiline=True,
                    default="",
                    placeholder="a red fox\na blue owl",
                    tooltip="One caption per line, in the masks' order.",
                ),
                io.Boolean.Input(
                    "keep_masks",
                    default=True,
                    tooltip="Keep each mask with its instance, which "
                    "then shows only inside it; off keeps only the boxes.",
                ),
            ],
            outputs=[LAYOUT.Output(display_name="layout", tooltip="Boxes, captions and masks.")],
        )

    @classmethod
    def execute(cls, masks, captions="", keep_masks=True) -> io.NodeOutput:
        with named(FROM_MASKS):
            layout, notes = from_masks(masks, captions)
        if not keep_masks:
            layout = replace(layout, instances=tuple(replace(i, mask=None) for i in layout.instances))
        warn(FROM_MASKS, notes + layout.warnings())
        return io.NodeOutput(layout)


def from_masks(masks, captions: str) -> tuple[Layout, list[Note]]:
    """[N, H, W] masks and one caption per line to a layout, and notes."""
    masks = masks.detach().float().cpu().numpy()
    count = 1 if masks.ndim == 2 else len(masks)
    lines = [line.strip() for line in captions.strip().splitlines()]
    reader = Reader()
    if len(lines) > count:
        reader.note("read.captions_left", captions=len(lines), masks=count, left=len(lines) - count)
    return read_masks(masks, reader, (lines + [""] * count)[:count]), reader.all_notes()


def check_masks(layout: Layout) -> None:
    """Raises ValueError naming the first instance whose mask would be too large at the picture's size, before any mask
    is scaled to it: that takes seconds."""
    for index, instance in layout.enabled:
        mask, who = instance.mask, instance.name(index)
        if mask is None:
            continue
        if mask.size != (layout.height, layout.width) and layout.width * layout.height > MAX_PIXELS:
            raise ValueError(
                f"The mask of {who} is written at the picture's size, and {layout.width} x {layout.height} pixels are "
                f"more than a mask may have ({MAX_PIXELS}). Choose a smaller picture, or another format."
            )
        # A wider copy repeats the columns, and with them the runs.
        if len(mask.counts) * max(1.0, layout.width / mask.size[1]) > MAX_COUNTS:
            raise ValueError(
                f"The mask of {who} is too ragged for this format: its run-length text would have over {MAX_COUNTS} "
                "characters. Smooth the mask, or scale the layout down."
            )


def elements_of(layout: Layout) -> tuple[list[dict], list[Note]]:
    """Core's elements of what can be used, and notes about what cannot: the format `layout` keeps drafts as well."""
    problems = {i: found for i, instance in enumerate(layout.instances, 1) if (found := instance.problems(i))}
    sound = replace(layout, instances=tuple(one for i, one in enumerate(layout.instances, 1) if i not in problems))
    if found := sound.problems():
        return [], found
    notes = []
    for i, found in problems.items():
        instance = layout.instances[i - 1]
        notes += [instance.note("write.draft", i), *found] if instance.enabled else []
    return formats.write(sound, "elements")[0], notes


class ExportLayout(io.ComfyNode):
    """A layout as the text of a file."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ROICtrlExportLayout",
            EXPORT,
            description="The layout as text: its own JSON, or the format of another tool. What that format cannot "
            "carry is said.",
            search_aliases=[
                "layout to text",
                "layout to json",
                "layout to elements",
                "save boxes",
                "coco",
                "yolo",
                "labelme",
                "ideogram",
                "roictrl",
            ],
            inputs=[
                LAYOUT.Input("layout", tooltip="The layout to write."),
                io.Combo.Input(
                    "format",
                    options=list(formats.WRITABLE),
                    default=formats.WRITABLE[0],
                    tooltip="layout is this pack's own JSON and keeps everything; the others keep boxes and "
                    "captions of the enabled instances, and little more.",
                ),
            ],
            outputs=[
                io.String.Output(display_name="text", tooltip="The content of the file."),
                io.String.Output(display_name="notes", tooltip="What the format could not carry, one sentence a line."),
                ARRAY.Output(
                    display_name="elements",
                    tooltip="The boxes as elements, for nodes that build prompts from "
                    "ComfyUI's own box editor, whatever the format.",
                ),
            ],
        )

    @classmethod
    def execute(cls, layout, format) -> io.NodeOutput:
        with named(EXPORT):
            if format in RLE_FORMATS:
                check_masks(layout)
            text, notes = formats.write_text(layout, format)
            elements, more = elements_of(layout)
        notes = notes + more
        warn(EXPORT, notes)
        return io.NodeOutput(text, "\n".join(sentences(notes)), elements)


NODES = [LayoutToPrompt, MergeLayouts, LayoutFromMasks, ExportLayout]
