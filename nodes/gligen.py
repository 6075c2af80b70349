"""Lets a layout's boxes act through GLIGEN's weights, which ComfyUI's own loader reads."""

from __future__ import annotations

from comfy.gligen import Gligen
from comfy_api.latest import io

from ..roictrl_core.layout import Layout
from ..roictrl_core.notes import Note
from .apply import applied
from .captions import PooledCaptionEncoder
from .patch.control import Control, Slot
from .patch.hosts import Host, host_of
from .patch.methods.gligen import GLIGEN, check_fits, text_width
from .report import named
from .slots import largest_instances, make_slots
from .types import LAYOUT, REGION_WORDS, clip_input, patched_output, schema, share_input, start_input, strength_input
from .widgets import check_widgets

APPLY = "Apply GLIGEN"
PUBLISHED_END = 0.3


def network_of(patcher) -> Gligen:
    """The network inside a GLIGEN input; raises ValueError for anything else."""
    network = getattr(patcher, "model", None)
    if not isinstance(network, Gligen):
        raise ValueError(f"the gligen input holds {type(patcher).__name__}. Connect GLIGENLoader.")
    return network


def grounding(
    host: Host, gligen, clip, layout: Layout, suffix: str = ""
) -> tuple[tuple[Slot, ...], GLIGEN, list[Note]]:
    """The slots of a layout, and the method that reads them with the weights of ``gligen``; and notes."""
    network = network_of(gligen)
    check_fits(host, network)
    instances, notes = largest_instances(layout, network.max_objs)
    notes += [instance.note("apply.box_alone", i) for i, instance in instances if not instance.has_area]
    instances = [(i, instance) for i, instance in instances if instance.has_area]
    encoder = PooledCaptionEncoder(clip, text_width(network), "GLIGEN", suffix, host)
    slots = make_slots(instances, encoder)
    texts = (encoder.pooled(instance, instance.name(i)) for i, instance in instances)
    method = GLIGEN(gligen, zip(slots, texts, strict=True))
    warnings = [note for note in layout.warnings() if note.code != "layout.point_alone"]  # said above, for this node
    return slots, method, notes + warnings + encoder.notes


class ApplyGLIGEN(io.ComfyNode):
    """MODEL + GLIGEN + ROICTRL_LAYOUT -> MODEL."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ROICtrlApplyGLIGEN",
            APPLY,
            description="The boxes of a layout act through GLIGEN's weights: exact boxes, the negative prompt without "
            "them, and one batch of both. For the SD1.x models that GLIGEN was trained on and their fine-tunes.",
            search_aliases=[
                *REGION_WORDS,
                "gligen",
                "gligen textbox apply",
                "box control",
                "grounding",
                "layout to image",
            ],
            inputs=[
                io.Model.Input("model", tooltip="An SD1.x model, after its LoRAs. It is not changed; use the output."),
                io.Gligen.Input("gligen", tooltip="From GLIGENLoader."),
                clip_input(),
                LAYOUT.Input("layout", tooltip="Boxes and captions, from Instance Box Prompt. 30 at most act."),
                strength_input("1 is as trained, 0 leaves the model as it is."),
                start_input(),
                share_input(
                    "end_percent",
                    PUBLISHED_END,
                    "Where they stop. Published: 0.3; what stands where is settled by then, and later steps "
                    "draw better without.",
                ),
            ],
            outputs=[patched_output()],
        )

    @classmethod
    def execute(
        cls, model, gligen, clip, layout, strength=1.0, start_percent=0.0, end_percent=PUBLISHED_END
    ) -> io.NodeOutput:
        check_widgets(cls, strength=strength, start_percent=start_percent, end_percent=end_percent)
        with named(APPLY):
            slots, method, notes = grounding(host_of(model), gligen, clip, layout)
            control = Control(
                node=APPLY,
                slots=slots,
                strength=strength,
                window=(start_percent, end_percent),
                picture=(layout.width, layout.height),
            )
            return applied(model, control, method, notes)


NODES = [ApplyGLIGEN]
