"""Layouts of a picture's parts: one crop, a grid of tiles, and the parts as a picture again."""

from __future__ import annotations

import math

from comfy_api.latest import io

from ..roictrl_core.crop import LEAST, Crop, crop_layout
from ..roictrl_core.fields import kind_of
from ..roictrl_core.layout import MAX_SIDE
from ..roictrl_core.notes import quote
from ..roictrl_core.tiles import grid, join, tile_layouts
from .report import named, said
from .types import BOUNDING_BOX, LAYOUT, schema, share_input, typed
from .widgets import check_widgets

CROP, TILES, JOIN = "Crop Layout", "Tile Layout", "Join Tiles"
SIDES = ("x", "y", "width", "height")
SEEN = (
    "A box is left out where less than this share of it is in the {where}, unless it fills that share of the {where}."
)


def place_of(bbox: object) -> tuple[int, ...]:
    """x, y, width and height of one of core's bounding boxes, or of the first of a list. Raises ValueError."""
    while isinstance(bbox, (list, tuple)) and bbox:
        bbox = bbox[0]
    if not isinstance(bbox, dict) or not all(_is_length(bbox.get(side)) for side in SIDES):
        shown = quote(bbox) if isinstance(bbox, (list, tuple)) else kind_of(bbox)
        raise ValueError(
            f"A bounding box must be an object with {', '.join(SIDES)} in pixels, not {shown}. Connect one of "
            "ComfyUI's own, such as bbox of Crop Layout or Layout Instance."
        )
    return tuple(round(bbox[side]) for side in SIDES)


def _is_length(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


class CropLayout(io.ComfyNode):
    """The layout of one crop."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ROICtrlCropLayout",
            CROP,
            description="The boxes that a crop of the picture sees, cut at its border and placed in it: for a tile or "
            "a detailer, which draws its crop as a picture of its own.",
            search_aliases=typed("crop", "crop boxes", "detailer", "tile", "crop region", "roictrl"),
            inputs=_crop_inputs(),
            outputs=[
                LAYOUT.Output(
                    display_name="layout", tooltip="For the Apply node whose model draws the crop. Of the crop's size."
                ),
                BOUNDING_BOX.Output(
                    display_name="bbox",
                    tooltip="The crop, cut at the picture's border: for Crop Image before, and Join Tiles after.",
                ),
            ],
        )

    @classmethod
    def execute(cls, layout, x, y, width, height, min_visible=LEAST, image=None, bbox=None) -> io.NodeOutput:
        check_widgets(cls, x=x, y=y, width=width, height=height, min_visible=min_visible)
        with named(CROP):
            layout.validate()
            size = (layout.width, layout.height) if image is None else (image.shape[2], image.shape[1])
            crop = Crop.of(*size, *((x, y, width, height) if bbox is None else place_of(bbox)))
            found, notes = crop_layout(layout, crop, min_visible)
        return io.NodeOutput(found, crop.xywh(), ui=said(CROP, notes))


def _crop_inputs() -> list[io.Input]:
    place = {"min": 0, "max": MAX_SIDE}
    side = {"default": 512, "min": 1, "max": MAX_SIDE}
    return [
        LAYOUT.Input("layout", tooltip="The layout of the whole picture."),
        io.Int.Input("x", **place, default=0, tooltip="Where the crop begins, in pixels from the picture's left."),
        io.Int.Input("y", **place, default=0, tooltip="Where the crop begins, in pixels from the picture's top."),
        io.Int.Input("width", **side, tooltip="The crop's width in pixels."),
        io.Int.Input("height", **side, tooltip="The crop's height in pixels."),
        share_input("min_visible", LEAST, SEEN.format(where="crop"), step=0.01),
        io.Image.Input(
            "image",
            optional=True,
            tooltip="The picture that is cropped, whose size the pixels are of. Without it they are of the layout's: "
            "connect it where the picture was enlarged.",
        ),
        BOUNDING_BOX.Input(
            "bbox", optional=True, tooltip="The crop as one of ComfyUI's bounding boxes, in place of the four numbers."
        ),
    ]


class TileLayout(io.ComfyNode):
    """Picture and layout in tiles."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ROICtrlTileLayout",
            TILES,
            description="A picture in overlapping tiles, each with the boxes that it sees. The outputs are lists: "
            "what is connected runs once for each tile, until Join Tiles.",
            search_aliases=typed("tile", "tiled upscale", "split image", "ultimate upscale", "tile boxes", "roictrl"),
            inputs=_tile_inputs(),
            outputs=[
                io.Image.Output(display_name="tiles", is_output_list=True, tooltip="The tiles, row by row."),
                LAYOUT.Output(
                    display_name="layouts",
                    is_output_list=True,
                    tooltip="The boxes of each: for the Apply node whose model draws the tile.",
                ),
                BOUNDING_BOX.Output(
                    display_name="bboxes", is_output_list=True, tooltip="Where each lies in pixels, for Join Tiles."
                ),
            ],
        )

    @classmethod
    def execute(cls, image, layout, tile_width, tile_height, overlap, min_visible=LEAST) -> io.NodeOutput:
        sides = {"tile_width": tile_width, "tile_height": tile_height, "overlap": overlap}
        check_widgets(cls, **sides, min_visible=min_visible)
        with named(TILES):
            crops = grid(image.shape[2], image.shape[1], tile_width, tile_height, overlap)
            layouts, notes = tile_layouts(layout.validate(), crops, min_visible)
        tiles = [image[:, crop.top : crop.bottom, crop.left : crop.right] for crop in crops]
        return io.NodeOutput(tiles, layouts, [crop.xywh() for crop in crops], ui=said(TILES, notes))


def _tile_inputs() -> list[io.Input]:
    side = {"default": 512, "min": 64, "max": MAX_SIDE, "step": 8}
    return [
        io.Image.Input("image", tooltip="The picture, enlarged already."),
        LAYOUT.Input("layout", tooltip="The layout of the whole picture, of whatever size."),
        io.Int.Input("tile_width", **side, tooltip="A tile's width in pixels: what the model draws well."),
        io.Int.Input("tile_height", **side, tooltip="A tile's height in pixels."),
        io.Int.Input(
            "overlap",
            default=64,
            min=0,
            max=4096,
            step=8,
            tooltip="Pixels that neighbours share at least; three quarters of a tile at most.",
        ),
        share_input("min_visible", LEAST, SEEN.format(where="tile"), step=0.01),
    ]


class JoinTiles(io.ComfyNode):
    """Tiles on a picture."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ROICtrlJoinTiles",
            JOIN,
            description="Lays tiles, or a single crop, back on the picture that they were cut from, with soft seams.",
            search_aliases=typed("tile", "merge tiles", "paste crop", "uncrop", "stitch", "roictrl"),
            is_input_list=True,
            inputs=[
                io.Image.Input("image", tooltip="The picture that they were cut from: it gives the size."),
                io.Image.Input("tiles", tooltip="The tiles as they were drawn."),
                BOUNDING_BOX.Input("bboxes", tooltip="Where each lies: from Tile Layout or Crop Layout."),
                io.Int.Input(
                    "feather",
                    default=32,
                    min=0,
                    max=2048,
                    tooltip="Pixels over which a tile fades at its sides, except at the picture's border. With more "
                    "than half of the overlap some of the old picture shows in the seams.",
                ),
            ],
            outputs=[io.Image.Output(display_name="image", tooltip="The whole picture.")],
        )

    @classmethod
    def execute(cls, image, tiles, bboxes, feather) -> io.NodeOutput:
        check_widgets(cls, feather=feather[0])
        with named(JOIN):
            if len(image) != 1:
                raise ValueError(
                    f"image holds a list of {len(image)} pictures. Connect the one that the tiles were cut from."
                )
            ground = image[0]
            crops = [Crop.of(ground.shape[2], ground.shape[1], *place_of(bbox)) for bbox in bboxes]
            check_tiles(ground, tiles, len(crops))
            return io.NodeOutput(join(ground, tiles, crops, feather[0]))


def check_tiles(ground, tiles, places: int) -> None:
    """Raises ValueError where the tiles do not belong to the places or to the picture."""
    if not tiles:
        raise ValueError("there are no tiles. Connect the pictures that were drawn for the tiles.")
    if len(tiles) != places:
        raise ValueError(
            f"There are {len(tiles)} tiles and {places} bounding boxes. Connect bboxes of the node that cut the tiles, "
            "and have each tile drawn once."
        )
    for number, tile in enumerate(tiles, 1):
        if not tile.numel():
            raise ValueError(f"Tile {number} is empty: its shape is {list(tile.shape)}. Have it drawn again.")
        if tile.shape[0] != ground.shape[0] or tile.shape[3] != ground.shape[3]:
            raise ValueError(
                f"Tile {number} has the shape {list(tile.shape)}, and the picture {list(ground.shape)}: both need as "
                "many pictures and channels. Connect the picture that the tiles were cut from."
            )


NODES = [CropLayout, TileLayout, JoinTiles]
