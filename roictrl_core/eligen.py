"""EliGen (arXiv 2501.01097): which tokens of a picture an entity's region holds, and its LoRA's names.

The method adds no weights of its own: a plain LoRA, more text tokens, and the rule of who reads whom
(`roictrl_core.segments`).  The model reads the picture in cells of 8 pixels, and its tokens are 2 x 2 cells.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import floor

import torch
from torch import Tensor
from torch.nn import functional as F

from .coverage import PlacedMask
from .fields import Box

CELL = 8  # pixels
ENTITIES = 8  # that the authors' own interface takes at most

# The trainer's own names of FLUX's layers -> the model's; the tensors are laid out alike.
_DOUBLE = {
    "attn.a_to_qkv": "img_attn.qkv",
    "attn.b_to_qkv": "txt_attn.qkv",
    "attn.a_to_out": "img_attn.proj",
    "attn.b_to_out": "txt_attn.proj",
    "ff_a.0": "img_mlp.0",
    "ff_a.2": "img_mlp.2",
    "ff_b.0": "txt_mlp.0",
    "ff_b.2": "txt_mlp.2",
    "norm1_a.linear": "img_mod.lin",
    "norm1_b.linear": "txt_mod.lin",
}
_SINGLE = {"to_qkv_mlp": "linear1", "proj_out": "linear2", "norm.linear": "modulation.lin"}
_RAW = re.compile(
    r"(?P<kind>single_)?blocks\.(?P<number>\d+)\.(?P<layer>.+)\.lora_(?P<half>[AB])\.(?:default\.)?weight"
)


def box_cells(box: Box, height: int, width: int) -> Tensor:
    """``[height, width]`` bool: the cells whose middle pixel lies in a box, drawn in whole pixels."""
    x1, x2 = (round(edge * CELL * width) for edge in box[::2])
    y1, y2 = (round(edge * CELL * height) for edge in box[1::2])
    rows, columns = (CELL * torch.arange(size) + CELL // 2 for size in (height, width))
    return ((rows >= y1) & (rows < y2))[:, None] & ((columns >= x1) & (columns < x2))


def nearest(low: float, high: float, cells: int, pixels: int) -> list[int]:
    """The pixel of each of so many cells that divide ``low``..``high`` (normalised) of an axis.

    A running sum, as Pillow's: where a cell's middle is the edge of two pixels, rounding decides.
    """
    step = (high - low) * pixels / cells
    place, found = low * pixels + step / 2, []
    for _ in range(cells):
        found.append(min(max(floor(place), 0), pixels - 1))
        place += step
    return found


def mask_cells(placed: PlacedMask, height: int, width: int) -> Tensor:
    """``[height, width]`` bool: the mask's pixel nearest to each cell's middle."""
    pixels, (left, top, right, bottom) = placed.mask.pixels, placed.frame
    rows, columns = nearest(top, bottom, height, pixels.shape[0]), nearest(left, right, width, pixels.shape[1])
    return pixels[rows][:, columns].bool()


def tokens_of(cells: Tensor) -> Tensor:
    """``[h, w]`` -> ``[ceil(h / 2), ceil(w / 2)]`` bool: a token is in when any of its cells is."""
    height, width = cells.shape
    padded = F.pad(cells.float()[None], (0, width % 2, 0, height % 2))
    return F.max_pool2d(padded, 2)[0] > 0


def region(box: Box, mask: PlacedMask | None, height: int, width: int) -> Tensor:
    """The tokens of an entity on a latent of ``height`` x ``width`` cells: of its box, and of its mask in it."""
    cells = box_cells(box, height, width)
    return tokens_of(cells if mask is None else cells & mask_cells(mask, height, width))


def is_raw_flux(names: Mapping[str, object]) -> bool:
    """Whether a LoRA's tensors have the trainer's own names of FLUX's layers."""
    return any(_native(name) for name in names)


def native_lora(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Such a LoRA in the names that ComfyUI takes; tensors of other names stay."""
    return {_native(name) or name: tensor for name, tensor in tensors.items()}


def _native(name: str) -> str | None:
    found = _RAW.fullmatch(name)
    if found is None:
        return None
    layer = (_SINGLE if found["kind"] else _DOUBLE).get(found["layer"])
    blocks = "single_blocks" if found["kind"] else "double_blocks"
    return layer and f"diffusion_model.{blocks}.{found['number']}.{layer}.lora_{found['half']}.weight"
