"""What the hosts of diffusion transformers share: blocks of one width, and a family for each class of models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch

from .encoding import encoded
from .swap import class_of, unwrapped


@dataclass(frozen=True)
class TransformerBlock:
    """One transformer block; ``module`` is where a host acts in it."""

    name: str
    module: torch.nn.Module
    number: int
    channels: int
    heads: int
    text_width: int
    level: int = 0

    @property
    def official(self) -> str:
        """These models have one name for it."""
        return self.name


class Family:
    """One class of diffusion models, as a host of them sees it.

    Attributes:
        names: as people know them.
        patch: cells of the latent in a token, each way.
        width, heads: of its blocks; ``text_width``: numbers per token of the text that the model reads.
    """

    names: tuple[str, ...] = ()
    patch = 2

    def __init__(self, module: torch.nn.Module) -> None:
        self.module = module
        self.width, self.heads, self.text_width = self.measures()

    @property
    def name(self) -> str:
        """Which of ``names`` it is."""
        return self.names[0]

    def measures(self) -> tuple[int, int, int]:
        """Width, heads, text width."""
        raise NotImplementedError

    def least_side(self, height: int, width: int) -> int:
        """Cells that a crop of latents of that size has at least each way."""
        return self.patch

    def why_not(self) -> str:
        """Why instances cannot act in it, as the end of a sentence; "" where they can."""
        return ""

    def attentions(self) -> list[tuple[str, torch.nn.Module]]:
        """Name and module of each block, or of what a host acts on in it."""
        raise NotImplementedError


class Transformer:
    """A transformer of one of the families; ``family`` is what ComfyUI recognised the model as."""

    kinds: ClassVar[Mapping[str, type[Family]]] = {}

    def __init__(self, diffusion_model: torch.nn.Module, family: str = "", base: object = None) -> None:
        self.module, self.family, self.base = unwrapped(diffusion_model), family, base
        self.kind = self.kinds[class_of(diffusion_model)](self.module)

    @classmethod
    def owns(cls, diffusion_model: torch.nn.Module) -> bool:
        """Whether a diffusion model is of one of the families, exactly: relatives have other blocks."""
        return class_of(diffusion_model) in cls.kinds

    @cached_property
    def blocks(self) -> Sequence[TransformerBlock]:
        """Its blocks, in forward order."""
        return [
            TransformerBlock(name, unwrapped(module), number, self.kind.width, self.kind.heads, self.kind.text_width)
            for number, (name, module) in enumerate(self.kind.attentions())
        ]

    def treats_tokens(self, layer: str) -> bool:
        """As `Host.treats_tokens`: in its blocks, without what makes the modulation."""
        return layer.startswith(tuple(f"{block.name}." for block in self.blocks)) and "mod" not in layer.lower()

    @property
    def readers(self) -> Mapping[str, torch.nn.Module]:
        """As `Host.readers`: none, where text and image attend together."""
        return {}

    @property
    def name(self) -> str:
        """Which of the families it is of."""
        return self.kind.name

    @property
    def text_width(self) -> int:
        """Numbers per token of the text that it reads."""
        return self.kind.text_width

    def why_not(self, config) -> str:
        """Why instances cannot act in it, as the end of a sentence; "" where they can."""
        return self.kind.why_not()

    @property
    def shape(self) -> str:
        """In words, for a sentence that says that something does not fit."""
        return f"a diffusion transformer with {len(self.blocks)} blocks of {self.kind.width} channels"

    def least_crop(self, height: int, width: int) -> tuple[int, int]:
        """As `Host.least_crop`."""
        return self.kind.least_side(height, width), self.kind.patch

    @staticmethod
    def at_skips(options: Mapping) -> tuple[bool, list[Callable]]:
        """It has no skips."""
        return False, []

    encoded = staticmethod(encoded)
