"""Model families as the pack sees them: one host for each, the only places that know ComfyUI's model classes.

unet.py               SD1.x, SD2, SDXL: blocks and points
unet_attention.py     a block's own cross-attention, read from inside the ROIs
unet_replacements.py  what other packs' replacements of it do, watched
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch

from ..points import Block
from .unet import UNet

HOSTS = (UNet,)


class Host(Protocol):
    """One model of a family.

    Attributes:
        points: the names of the points (see `points.Points`) that the family offers.
        family: what ComfyUI recognised the model as, such as SD15 or SDXL.
        blocks: those that read text, in forward order.
        text_width: numbers per token of that text.
        shape: the model in words, for a sentence that says that something does not fit; ``described`` the same of the
            blocks that weights were made for.
    """

    points: frozenset[str]
    family: str
    blocks: Sequence[Block]
    text_width: int
    shape: str

    def described(self, blocks: Sequence) -> str: ...


def family_of(diffusion_model: torch.nn.Module) -> type[UNet] | None:
    """The host class of a diffusion model; None where there is none."""
    return next((host for host in HOSTS if host.owns(diffusion_model)), None)
