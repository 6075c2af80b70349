"""Preview Layout: boxes and captions drawn, and how many feature cells each box covers."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ..roictrl_core import cells
from ..roictrl_core.notes import sentences
from .images import drawn
from .report import named, shown
from .types import LAYOUT, schema

NAME = "Preview Layout"


def report_text(rows: list[list[str]], warnings: list[str]) -> str:
    """The table in aligned columns, and the warnings below it."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    return "\n".join(["Feature cells (columns x rows) per box at each level:", *lines, *warnings])


class PreviewLayout(io.ComfyNode):
    """Draws a layout and says what it asks of the model."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ROICtrlPreviewLayout", NAME,
            description="Draws boxes and captions on a picture, and counts the feature cells that each box covers at "
                        "the levels of the UNet: a box that covers none at a level is not controlled there.",
            search_aliases=["show boxes", "draw boxes", "visualize layout", "debug layout", "roictrl"],
            is_output_node=True,
            inputs=[
                LAYOUT.Input("layout", tooltip="The boxes to draw."),
                io.Image.Input("image", optional=True, tooltip="Pictures to draw on, for example the sampled ones; "
                               "each of a batch gets the boxes. Without one the ground is dark."),
                io.Boolean.Input("table", default=True, tooltip="Put the table of feature cells and the warnings "
                                 "beneath the picture."),
            ],
            outputs=[
                io.Image.Output(display_name="preview", tooltip="The picture with its boxes."),
                io.String.Output(display_name="report", tooltip="The table of feature cells and the warnings as text."),
            ])

    @classmethod
    def execute(cls, layout, table=True, image=None) -> io.NodeOutput:
        with named(NAME):
            layout.validate()
        rows, notes = cells.table(layout), layout.warnings() + cells.warnings(layout)
        warnings = sentences(notes)
        sheet = {"rows": rows, "notes": warnings} if table else {}
        preview = drawn(layout, image, **sheet)
        return io.NodeOutput(preview, report_text(rows, warnings), ui={
            **ui.PreviewImage(preview, cls=cls).as_dict(), **shown(notes, layout=layout.to_dict())})


NODES = [PreviewLayout]
