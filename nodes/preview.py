"""Preview Layout: boxes and captions drawn, and how many feature cells each box covers."""

from __future__ import annotations

from dataclasses import replace

from comfy_api.latest import io, ui

from ..roictrl_core import cells
from ..roictrl_core.layout import Layout
from ..roictrl_core.notes import sentences
from .images import drawn
from .report import columns, layout_notes, named, shown
from .types import LAYOUT, schema

NAME = "Preview Layout"


def report_text(rows: list[list[str]], warnings: list[str]) -> str:
    """The table in aligned columns, and the warnings below it."""
    return "\n".join(["Feature cells (columns x rows) per box at each level:", *columns(rows), *warnings])


def colored(layout: Layout, colors: str) -> Layout:
    """The layout with the colours of its first instances replaced by those in ``colors``, apart by spaces."""
    own = colors.split()[: len(layout.instances)]
    drawn_so = tuple(replace(instance, color=color) for instance, color in zip(layout.instances, own, strict=False))
    return replace(layout, instances=drawn_so + layout.instances[len(own) :])


class PreviewLayout(io.ComfyNode):
    """Draws a layout and says what it asks of the model."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ROICtrlPreviewLayout",
            NAME,
            description="Draws boxes and captions on a picture, and counts the feature cells that each box covers at "
            "the levels of SD1.x: a box that covers none at a level is not controlled there.",
            search_aliases=["show boxes", "draw boxes", "visualize layout", "debug layout", "roictrl"],
            is_output_node=True,
            inputs=[
                LAYOUT.Input("layout", tooltip="The boxes to draw."),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="Pictures to draw on, for example the sampled ones; "
                    "each of a batch gets the boxes. Without one the ground is dark.",
                ),
                io.Boolean.Input(
                    "table",
                    default=True,
                    tooltip="Put the table of feature cells and the warnings beneath the picture.",
                ),
                io.String.Input(
                    "colors",
                    optional=True,
                    force_input=True,
                    tooltip="Colours to draw the boxes in, in "
                    "place of their own: #rrggbb for each, in their order. Without a link the page gives "
                    "those of the box editor here, and to no other node: so a change of colour does not "
                    "sample anew.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="preview", tooltip="The picture with its boxes."),
                io.String.Output(display_name="report", tooltip="The table of feature cells and the warnings as text."),
            ],
        )

    @classmethod
    def execute(cls, layout, table=True, image=None, colors="") -> io.NodeOutput:
        with named(NAME):
            layout = colored(layout, colors).validate()
        rows, notes = cells.table(layout), layout_notes(layout)
        warnings = sentences(notes)
        sheet = {"rows": rows, "notes": warnings} if table else {}
        with named(NAME):
            preview = drawn(layout, image, **sheet)
        return io.NodeOutput(
            preview,
            report_text(rows, warnings),
            ui={**ui.PreviewImage(preview, cls=cls).as_dict(), **shown(notes, layout=layout.to_dict())},
        )


NODES = [PreviewLayout]
