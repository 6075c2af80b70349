"""Model families as the pack sees them: one host for each kind, the only places that know ComfyUI's model classes.

unet.py               SD1.x, SD2, SDXL: blocks and points
unet_attention.py     a block's own cross-attention, read from inside the ROIs
unet_replacements.py  what other packs' replacements of it do, watched
transformer.py        what the hosts of diffusion transformers share
cross_attention.py    those that read text by cross-attention; cross_families.py: how they differ
joint_attention.py    those whose text and image attend together; joint_families.py: how they differ
refused.py            models in which boxes cannot act, and the way out
gated.py              LoRAs in a model's own layers for some tokens alone
loras.py              LoRA files in a model and its text encoder, and layers under them for a while
encoding.py, swap.py  captions through a model's own door; a module's forward for the time of a call
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import torch
from torch import Tensor

from ..control import Text
from ..gates import Gate
from ..memo import Memo
from ..points import Block, Inputs
from .cross_attention import CrossAttentionDiT
from .joint_attention import JointAttentionDiT
from .refused import REFUSED
from .swap import class_of
from .unet import UNet

HOSTS = (UNet, CrossAttentionDiT, JointAttentionDiT)


class Host(Protocol):
    """One model of a kind.

    Attributes:
        families: of the kind, by the names that people know; ``offers``: the points that it has (`points.py`).
        name: which of the families this model is of.
        family: what ComfyUI recognised the model as, such as SD15 or SDXL.
        blocks: those that read text, in forward order.
        text_width: numbers per token of that text.
        shape: the model in words, for a sentence that says that something does not fit.
        base: the BaseModel that it is in, where that is known.
        readers: the modules by which it reads text from outside its own tokens, by their names in it.
    """

    families: Sequence[str]
    offers: frozenset[str]
    name: str
    family: str
    blocks: Sequence[Block]
    text_width: int
    shape: str
    base: object
    readers: Mapping[str, torch.nn.Module]

    def __init__(self, diffusion_model: torch.nn.Module, family: str = "", base: object = None) -> None: ...

    @staticmethod
    def owns(diffusion_model: torch.nn.Module) -> bool:
        """Whether a diffusion model is of the family."""

    def why_not(self, config) -> str:
        """Why instances cannot act in this one, as the end of a sentence; "" where they can."""

    def least_crop(self, height: int, width: int) -> tuple[int, int]:
        """The least side of a crop of latents of that size that the model can run, and what its sides are multiples of,
        in cells."""

    @staticmethod
    def at_skips(options: Mapping) -> tuple[bool, list[Callable]]:
        """Whether another Apply acts at the decoder's skips in a call, and other packs' functions there."""

    @staticmethod
    def encoded(model, x: Tensor, text: Text) -> Text:
        """A caption as ``model`` (a BaseModel) reads it beside latents x, out of what its encoder gives."""

    @staticmethod
    def installer(key: str) -> Callable[..., AbstractContextManager[Inputs]]:
        """``install(host, inputs, points, size, memo, say)`` -> a context in which a call with the inputs that it gives
        reaches the points of one Apply, whose ``key`` is its own."""

    def treats_tokens(self, layer: str) -> bool:
        """Whether a layer of that name is one through which the tokens of picture or text go."""

    def gated(self, gates: Sequence[Gate], inputs: Inputs, memo: Memo) -> AbstractContextManager[Inputs]:
        """A context in which a call with the inputs that it gives has LoRAs in its layers for some tokens."""

    @staticmethod
    def together(inputs: Inputs) -> AbstractContextManager[Inputs]:
        """The same for what several Applies bring to one call, and for what is so in every call."""


def known_families() -> str:
    """The families in which boxes can act, in words."""
    return ", ".join(family for host in HOSTS for family in host.families)


def host_of(model) -> Host:
    """The host of a ModelPatcher's model.

    Raises ValueError where instances cannot act in it.
    """
    diffusion_model, config = model.get_model_object("diffusion_model"), model.model.model_config
    family = type(config).__name__
    kind = next((host for host in HOSTS if host.owns(diffusion_model)), None)
    way_out = f"Use a model of one of these families: {known_families()}."
    why_not = "is of no family in whose blocks boxes can act"
    refused = REFUSED.get(class_of(diffusion_model)) or REFUSED.get(family)
    if refused is not None:
        why_not, way_out = refused
    elif kind is not None:
        host = kind(diffusion_model, family, model.model)
        why_not = host.why_not(config)
    if why_not:
        raise ValueError(f"this model ({family}) {why_not}. {way_out}")
    return host
