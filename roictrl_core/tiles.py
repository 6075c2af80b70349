"""A picture in overlapping tiles, and tiles as a picture again."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .crop import LEAST, Crop, seen_layout, sights
from .layout import Layout
from .notes import Note

MAX_TILES = 1024  # each is sampled by itself
LEAST_STEP = 0.25  # of a tile, however much the tiles are to overlap


def starts(length: int, tile: int, overlap: int) -> list[int]:
    """Where the tiles of one side begin; the last one ends at the border.

    The places of core's Split Image into List of Tiles, so that its nodes and ours can be mixed.
    """
    step = max(1, round(max(LEAST_STEP * tile, tile - overlap)))
    found = [0]
    while found[-1] + tile < length:
        found.append(min(len(found) * step, length - tile))
    return found


def grid(width: int, height: int, across: int, down: int, overlap: int) -> list[Crop]:
    """The tiles of a picture row by row, ``across`` x ``down`` pixels or the picture's side where that is smaller.

    Raises ValueError where they are too many.
    """
    columns, rows = starts(width, across, overlap), starts(height, down, overlap)
    if len(columns) * len(rows) > MAX_TILES:
        raise ValueError(
            f"{len(columns)} x {len(rows)} tiles of {across} x {down} pixels would cover the picture of {width} x "
            f"{height}; at most {MAX_TILES} are made. Give larger tiles, or less overlap."
        )
    return [Crop.of(width, height, x, y, across, down) for y in rows for x in columns]


def tile_layouts(layout: Layout, crops: Sequence[Crop], least: float = LEAST) -> tuple[list[Layout], list[Note]]:
    """The layout of each tile, and a note for each enabled instance that no tile sees."""
    found = [[sight for sight in sights(layout, crop) if sight.enough(least)] for crop in crops]
    seen = {sight.index for tile in found for sight in tile}
    lost = [one.note("crop.no_tile", i, least=round(100 * least, 1)) for i, one in layout.enabled if i not in seen]
    return [seen_layout(layout, crop, tile) for crop, tile in zip(crops, found, strict=True)], lost


def join(ground: Tensor, tiles: Sequence[Tensor], crops: Sequence[Crop], feather: int) -> Tensor:
    """Tiles ``[N, h, w, C]`` laid on ``ground`` ``[N, H, W, C]`` at their crops; where several lie, they are mixed.

    A tile's weight falls to nothing over ``feather`` pixels towards each side that is not the picture's border; what is
    left of 1 is the ground's.  A tile of another size than its crop is scaled to it.
    """
    total = torch.zeros_like(ground)
    weights = ground.new_zeros(ground.shape[1:3])  # [H, W]
    for tile, crop in zip(tiles, crops, strict=True):
        place = (slice(crop.top, crop.bottom), slice(crop.left, crop.right))
        weight = torch.outer(
            _ramp(crop.top, crop.bottom, crop.height, feather), _ramp(crop.left, crop.right, crop.width, feather)
        ).to(ground)
        total[(slice(None), *place)] += weight[..., None] * _scaled(tile.to(ground), crop)
        weights[place] += weight
    weights = weights[..., None]  # [H, W, 1]
    return torch.where(weights >= 1, total / weights.clamp(min=1), total + (1 - weights) * ground)


def _ramp(begin: int, end: int, length: int, feather: int) -> Tensor:
    """``[end - begin]``: 1, falling towards both ends that are not 0 and ``length``."""
    places = torch.arange(end - begin, dtype=torch.float32) + 0.5
    ramp = torch.ones_like(places)
    feather = min(feather, (end - begin) // 2)
    if begin > 0 and feather:
        ramp = torch.minimum(ramp, places / feather)
    if end < length and feather:
        ramp = torch.minimum(ramp, places.flip(0) / feather)
    return ramp


def _scaled(tile: Tensor, crop: Crop) -> Tensor:
    """``[N, h, w, C]`` of the crop's size."""
    width, height = crop.size
    if tile.shape[1:3] == (height, width):
        return tile
    scaled = torch.nn.functional.interpolate(
        tile.movedim(-1, 1), (height, width), mode="bicubic", align_corners=False, antialias=True
    )
    return scaled.movedim(1, -1).clamp(0, 1)
