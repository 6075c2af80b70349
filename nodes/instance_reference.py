"""Instance Reference: an image prompt that acts inside the boxes of some instances alone."""

from __future__ import annotations

from dataclasses import replace

from comfy_api.latest import io

from .instances import changed, chosen, naming
from .references import reference_of
from .report import named
from .types import LAYOUT, schema

NODE = "Instance Reference"


class InstanceReference(io.ComfyNode):
    """ROICTRL_LAYOUT and a MODEL with an image prompt -> ROICTRL_LAYOUT with it on some of its instances."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ROICtrlInstanceReference",
            NODE,
            description="A picture as a prompt inside one box alone: what an IP-Adapter node has put on a model acts "
            "where the box reads its caption, and the rest of the picture stays the model's. Chain one for each box.",
            search_aliases=[
                *("ip-adapter", "ipadapter", "image prompt", "reference image", "regional ip-adapter"),
                *("style reference", "face", "roictrl"),
            ],
            inputs=[
                LAYOUT.Input("layout", tooltip="The layout that holds the instance."),
                naming(),
                io.Model.Input(
                    "model",
                    tooltip="A model with the image prompt, as an IP-Adapter node gives it, without a mask: the box is "
                    "the mask. It lends the image prompt alone: what goes to Apply is the model before that node, "
                    "unless the picture is to act everywhere else too.",
                ),
            ],
            outputs=[LAYOUT.Output(display_name="layout", tooltip="The layout with it, for an Apply node.")],
        )

    @classmethod
    def execute(cls, layout, instance, model) -> io.NodeOutput:
        with named(NODE):
            numbers, reference = chosen(layout.validate(), instance), reference_of(model)
        return io.NodeOutput(changed(layout, numbers, lambda one: replace(one, reference=reference)))


NODES = [InstanceReference]
