"""Nodes from layout to layout, from masks to layout, and from layout to text."""

from __future__ import annotations

from dataclasses import replace

import torch
from comfy_api.latest import io

from ..roictrl_core import formats
from ..roictrl_core.fields import checked_point, checked_strokes
from ..roictrl_core.formats.comfyui import read_masks
from ..roictrl_core.formats.common import Reader
from ..roictrl_core.layout import MAX_STRENGTH, Layout
from ..roictrl_core.masks import RunLengthMask
from ..roictrl_core.notes import Note, sentences
from ..roictrl_core.safe_text import parse_json
from .report import named, warn
from .types import LAYOUT, schema

KEEP = -1.0   # a number widget has no empty value; this one stands for "as it is"


def find_instance(layout: Layout, which: str) -> int:
    """Index from 0 of the instance with the label (else the caption) ``which``, or with that index from 1."""
    which = which.strip()
    for attribute in ("label", "caption"):
        found = [i for i, instance in enumerate(layout.instances, 1) if which and getattr(instance, attribute) == which]
        if len(found) > 1:
            raise ValueError(f"Instances {', '.join(map(str, found))} all have the {attribute} '{which:.40}'. "
                             "Give the index of the one that is meant.")
        if found:
            return found[0] - 1
    if which.isdecimal() and 1 <= int(which) <= len(layout.instances):
        return int(which) - 1
    names = ", ".join(instance.name(i) for i, instance in enumerate(layout.instances[:10], 1)) or "none at all"
    raise ValueError(f"There is no instance '{which:.40}' in the layout. Give an index from 1, a label or a caption; "
                     f"the layout holds {names}.")


def shape_changes(point: str, scribble: str, mask: torch.Tensor | None) -> dict:
    """The instance's fields that Edit Instance's shape inputs set; empty ones set nothing."""
    changes: dict = {}
    if point.strip():
        changes["point"] = checked_point(parse_json(f"[{point.strip().strip('[]()')}]", "The point"), "The point")
    if scribble.strip():
        changes["scribble"] = checked_strokes(parse_json(scribble, "The scribble"), "The scribble")
    if mask is not None:
        changes["mask"] = RunLengthMask.from_array(mask.reshape(-1, *mask.shape[-2:])[0].float().cpu().numpy())
    return changes


def merge(bottom: Layout, top: Layout) -> tuple[Layout, list[Note]]:
    """The instances of both, those of ``top`` last; the size and the global caption of ``bottom`` come first."""
    notes = []
    if bottom.width * top.height != top.width * bottom.height:
        notes.append(Note("merge.shapes", values={"width": bottom.width, "height": bottom.height,
                                                  "other_width": top.width, "other_height": top.height}))
    if bottom.caption and top.caption and bottom.caption != top.caption:
        notes.append(Note("merge.captions"))
    lost = [key for key, value in top.extra.items() if bottom.extra.get(key, value) != value]
    if lost:
        notes.append(Note("merge.fields", values={"fields": [str(key)[:60] for key in lost[:10]]}))
    merged = replace(bottom, instances=bottom.instances + top.instances, caption=bottom.caption or top.caption,
                     extra={**top.extra, **bottom.extra})
    return merged, notes


class LayoutToPrompt(io.ComfyNode):
    """The captions as one global prompt."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ROICtrlLayoutToPrompt", "Layout to Prompt",
            description="A prompt for the whole picture from the layout: its global caption where it has one, else "
                        "the captions of its enabled instances, equal ones once.",
            search_aliases=["captions to text", "global prompt", "roictrl"],
            inputs=[
                LAYOUT.Input("layout", tooltip="Whose captions to join."),
                io.String.Input("prefix", default="", tooltip="Text before the captions, for example 'a photo of'. It "
                                "is followed by a space."),
                io.String.Input("separator", default=", ", tooltip="Text between two captions."),
                io.String.Input("suffix", default="", tooltip="Text after the captions, for example a style. It is set "
                                "off by the separator."),
            ],
            outputs=[io.String.Output(display_name="prompt", tooltip="Connect it to a CLIP Text Encode.")])

    @classmethod
    def execute(cls, layout, prefix="", separator=", ", suffix="") -> io.NodeOutput:
        captions = dict.fromkeys(instance.caption.strip() for _, instance in layout.enabled)
        body = layout.caption.strip() or separator.join(caption for caption in captions if caption)
        text = " ".join(part for part in (prefix.strip(), body) if part)
        return io.NodeOutput(separator.join(part for part in (text, suffix.strip()) if part))


class MergeLayouts(io.ComfyNode):
    """Two layouts as one."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ROICtrlMergeLayouts", "Merge Layouts",
            description="All instances of two layouts in one, with the size of the first.",
            search_aliases=["join layouts", "combine boxes", "add boxes", "roictrl"],
            inputs=[
                LAYOUT.Input("layout_1", tooltip="Gives the size; its instances come first."),
                LAYOUT.Input("layout_2", tooltip="Its instances come after, and so lie on top."),
            ],
            outputs=[LAYOUT.Output(display_name="layout", tooltip="Both together.")])

    @classmethod
    def execute(cls, layout_1, layout_2) -> io.NodeOutput:
        merged, notes = merge(layout_1, layout_2)
        with named("Merge Layouts"):
            merged.validate()
        warn("Merge Layouts", notes)
        return io.NodeOutput(merged)


class EditInstance(io.ComfyNode):
    """Changes one instance of a layout."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        def number(name, top, tooltip):
            return io.Float.Input(name, default=KEEP, min=KEEP, max=top, step=0.01, tooltip=tooltip + " -1 keeps it.")

        return schema(
            "ROICtrlEditInstance", "Edit Instance",
            description="Changes one instance: its caption, strength or schedule, or a conditioning of your own in "
                        "place of its caption. What is left empty, or at -1, stays as it is.",
            search_aliases=["set caption", "instance strength", "instance conditioning", "change box", "roictrl"],
            inputs=[
                LAYOUT.Input("layout", tooltip="The layout that holds the instance."),
                io.String.Input("instance", default="1", tooltip="Which one: its label, its caption, or its index "
                                "from 1."),
                io.String.Input("caption", multiline=True, default="", tooltip="New caption. Empty keeps it."),
                io.String.Input("negative", multiline=True, default="", tooltip="New negative caption, for this box "
                                "alone. Empty keeps it."),
                number("strength", MAX_STRENGTH, "Weight of the instance in its box: 1 as trained, 0 off."),
                number("start", 1.0, "Share of the schedule at which the instance sets in."),
                number("end", 1.0, "Share of the schedule at which the instance ends."),
                io.Combo.Input("enabled", options=["keep", "on", "off"], default="keep",
                               tooltip="Whether the instance takes part."),
                io.String.Input("point", default="", tooltip="A point inside the object, as x, y in shares 0 to 1 of "
                                "the picture, for methods that read points. Empty keeps it."),
                io.String.Input("scribble", default="", tooltip="Strokes over the object, for methods that read them: "
                                "[[[x, y], [x, y], ...], ...], in shares 0 to 1. Empty keeps it."),
                io.Mask.Input("mask", optional=True, tooltip="The object's shape on the whole picture: the instance "
                              "shows only inside it. The box stays as it is."),
                io.Conditioning.Input("conditioning", optional=True, tooltip="Used in place of the encoded caption: "
                                      "another text encoder, weights, an averaged or per-block conditioning."),
            ],
            outputs=[LAYOUT.Output(display_name="layout", tooltip="The layout with the changed instance.")])

    @classmethod
    def execute(cls, layout, instance, caption="", negative="", strength=KEEP, start=KEEP, end=KEEP, enabled="keep",
                point="", scribble="", mask=None, conditioning=None) -> io.NodeOutput:
        changes: dict = {key: value for key, value in (("caption", caption), ("negative", negative)) if value.strip()}
        changes |= {key: value for key, value in (("strength", strength), ("start", start), ("end", end)) if value >= 0}
        changes |= {"enabled": enabled == "on"} if enabled != "keep" else {}
        changes |= {"conditioning": conditioning} if conditioning is not None else {}
        with named("Edit Instance"):
            changes |= shape_changes(point, scribble, mask)
            index = find_instance(layout, instance)
            changed = replace(layout.instances[index], **changes)
            instances = (*layout.instances[:index], changed, *layout.instances[index + 1:])
            return io.NodeOutput(replace(layout, instances=instances).validate())


class LayoutFromMasks(io.ComfyNode):
    """A layout with one instance for each mask."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ROICtrlLayoutFromMasks", "Layout from Masks",
            description="One instance for each mask of a batch: its box is the box of the mask's pixels over 0.5.",
            search_aliases=["mask to box", "masks to boxes", "segmentation to layout", "roictrl"],
            inputs=[
                io.Mask.Input("masks", tooltip="A batch of masks of the whole picture, one for each instance."),
                io.String.Input("captions", multiline=True, default="", placeholder="a red fox\na blue owl",
                                tooltip="One caption per line, in the masks' order."),
                io.Boolean.Input("keep_masks", default=True, tooltip="Keep each mask with its instance, which "
                                 "then shows only inside it; off keeps only the boxes."),
            ],
            outputs=[LAYOUT.Output(display_name="layout", tooltip="Boxes, captions and masks.")])

    @classmethod
    def execute(cls, masks, captions="", keep_masks=True) -> io.NodeOutput:
        with named("Layout from Masks"):
            layout, notes = from_masks(masks, captions)
        if not keep_masks:
            layout = replace(layout, instances=tuple(replace(i, mask=None) for i in layout.instances))
        warn("Layout from Masks", notes + layout.warnings())
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


class ExportLayout(io.ComfyNode):
    """A layout as the text of a file."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ROICtrlExportLayout", "Export Layout",
            description="The layout as text: its own JSON, or the format of another tool. What that format cannot "
                        "carry is said.",
            search_aliases=["layout to text", "layout to json", "save boxes", "coco", "yolo", "labelme", "roictrl"],
            inputs=[
                LAYOUT.Input("layout", tooltip="The layout to write."),
                io.Combo.Input("format", options=list(formats.WRITABLE), default=formats.WRITABLE[0],
                               tooltip="layout is this pack's own JSON and keeps everything; the others keep boxes and "
                               "captions of the enabled instances, and little more."),
            ],
            outputs=[
                io.String.Output(display_name="text", tooltip="The content of the file."),
                io.String.Output(display_name="notes", tooltip="What the format could not carry, one sentence a line."),
            ])

    @classmethod
    def execute(cls, layout, format) -> io.NodeOutput:
        with named("Export Layout"):
            text, notes = formats.write_text(layout, format)
        warn("Export Layout", notes)
        return io.NodeOutput(text, "\n".join(sentences(notes)))


NODES = [LayoutToPrompt, MergeLayouts, EditInstance, LayoutFromMasks, ExportLayout]
