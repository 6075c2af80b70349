"""Check Layout: what a detector found in a picture, held against what the layout asked for."""

from __future__ import annotations

from dataclasses import replace

from comfy_api.latest import io, ui

from ..roictrl_core import formats
from ..roictrl_core.check import IOU_SUCCESS, Check, Verdict, by_words, check, marked, title_of
from ..roictrl_core.layout import Instance, Layout
from ..roictrl_core.notes import Note, sentences
from .images import drawn
from .page import tell
from .report import columns, named, shown
from .similarity import by_similarity
from .types import LAYOUT, schema, share_input, typed
from .widgets import check_widgets

NAME = "Check Layout"
HIT, MISS, EXTRA = "#56b4e9", "#d55e00", "#f0e442"  # of the palette that colour-blind eyes tell apart
HEADER = ["#", "asked for", "found", "IoU", "named so"]
WORDS = {True: "yes", False: "no", None: "-"}


def found_in(detections: object, width: int, height: int) -> tuple[Layout, list[Note]]:
    """What a detector found as a layout of the picture's size, and notes, which are about no instance of ours."""
    objects, notes = formats.read(detections, width, height)
    return objects, [replace(note, instance=None) for note in notes]


def report_rows(layout: Layout, result: Check) -> list[list[str]]:
    """A table of the verdicts and of the extra objects, its header first."""
    rows = [HEADER]
    for verdict in result.verdicts:
        seen = (title_of(verdict.object) or "?") if verdict.object else "nothing"
        asked = layout.instances[verdict.index - 1]
        rows.append(
            [str(verdict.index), asked.caption or asked.label, seen, f"{verdict.iou:.2f}", WORDS[verdict.agrees]]
        )
    return rows + [["-", "nothing", title_of(extra) or "?", "-", "-"] for extra in result.extras]


def as_drawing(layout: Layout, result: Check) -> Layout:
    """The layout in the colours of hits and misses, and on top of it what was found in other places."""
    verdicts = {verdict.index: verdict for verdict in result.verdicts}
    asked = tuple(_in_color(one, verdicts.get(i)) for i, one in enumerate(layout.instances, 1))
    beside = tuple(Instance(one.box, f"not asked for: {title_of(one) or '?'}", color=EXTRA) for one in result.extras)
    return replace(layout, instances=asked + beside)


def _in_color(instance: Instance, verdict: Verdict | None) -> Instance:
    if verdict is None:
        return instance
    why = f"missed, {verdict.missed}: " if verdict.missed else ""
    text = instance.caption or instance.label
    return replace(instance, caption=f"{why}{text}", color=MISS if verdict.missed else HIT)


class CheckLayout(io.ComfyNode):
    """Picture, layout and detections in; what is obeyed out."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ROICtrlCheckLayout",
            NAME,
            description="Whether a picture obeys its layout: each box against what a detector found there. Marks the "
            "boxes that are missed, for Redo Boxes.",
            search_aliases=typed("check", "check boxes", "evaluate layout", "verify", "iou", "score", "roictrl"),
            is_output_node=True,
            inputs=_inputs(),
            outputs=[
                io.Image.Output(
                    display_name="preview", tooltip="The picture with hits (blue), misses (red) and extra objects."
                ),
                io.Float.Output(
                    display_name="score", tooltip="The share of the enabled boxes that are obeyed, 0 to 1."
                ),
                LAYOUT.Output(display_name="layout", tooltip="The same layout, with a mark on every missed box."),
                io.Boolean.Output(display_name="obeyed", tooltip="Whether the score reaches least_score."),
                io.String.Output(display_name="report", tooltip="The verdict on each box as text."),
            ],
        )

    @classmethod
    def execute(
        cls, image, layout, detections, least_iou=IOU_SUCCESS, least_score=1.0, clip_vision=None, clip=None
    ) -> io.NodeOutput:
        check_widgets(cls, least_iou=least_iou, least_score=least_score)
        with named(NAME):
            objects, notes = found_in(detections, image.shape[2], image.shape[1])
            words = clip_vision is None and clip is None
            agree = by_words if words else by_similarity(clip_vision, clip, image[0], layout.validate())
            result = check(layout.validate(), objects, least_iou, agree)
        notes += result.notes(layout) + ([Note("check.first_picture")] if len(image) > 1 else [])
        tell(NAME, notes)
        rows, score = report_rows(layout, result), result.score
        with named(NAME):
            preview = drawn(as_drawing(layout, result), image[:1])
        text = "\n".join([f"Score: {score:.3g}", *columns(rows), *sentences(notes)])
        return io.NodeOutput(
            preview,
            score,
            marked(layout, result),
            score >= least_score,
            text,
            ui={**ui.PreviewImage(preview, cls=cls).as_dict(), **shown(notes)},
        )


def _inputs() -> list[io.Input]:
    return [
        io.Image.Input("image", tooltip="The picture that was drawn from the layout; of a batch the first."),
        LAYOUT.Input("layout", tooltip="What was asked for."),
        io.AnyType.Input(
            "detections",
            tooltip="What a detector found in the picture: bounding boxes, SEGS, a MASK batch, or text in any box "
            "format that Instance Box Prompt reads. Without labels the places alone are compared.",
        ),
        share_input(
            "least_iou",
            IOU_SUCCESS,
            "How well an object has to cover its box: intersection over union, 0.5 in the benchmarks.",
            step=0.01,
        ),
        share_input("least_score", 1.0, "The share of boxes that has to be obeyed for the output obeyed.", step=0.01),
        io.ClipVision.Input(
            "clip_vision",
            optional=True,
            tooltip="With clip: an object is what was asked for where of the layout's captions its own is the nearest "
            "to the crop, whatever the detector calls it.",
        ),
        io.Clip.Input("clip", optional=True, tooltip="The text half of the same CLIP, whole: from Load CLIP."),
    ]


NODES = [CheckLayout]
