"""The transformer blocks of ComfyUI's UNetModel, named as its hooks name them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

BlockKey = tuple[str, int, int]  # ("input" | "middle" | "output", number, index in its transformer)


@dataclass(frozen=True)
class Block:
    """One BasicTransformerBlock, the ``number``-th in forward order, in the ``layer``-th transformer (per-layer text)."""

    key: BlockKey
    module: torch.nn.Module
    number: int
    layer: int

    @property
    def channels(self) -> int:
        return self.module.attn2.to_q.in_features

    @property
    def heads(self) -> int:
        return self.module.n_heads

    @property
    def text_width(self) -> int:
        return self.module.attn2.to_k.in_features


def unwrapped(module: torch.nn.Module) -> torch.nn.Module:
    """The module itself where torch.compile wrapped it."""
    return getattr(module, "_orig_mod", module)


def is_unet(module: torch.nn.Module) -> bool:
    """Whether a diffusion model is a UNet with blocks that our hooks reach (a DiT is not)."""
    module = unwrapped(module)
    return all(hasattr(module, name) for name in ("input_blocks", "middle_block", "output_blocks"))


def text_blocks(unet: torch.nn.Module) -> dict[BlockKey, Block]:
    """Every transformer block with text cross-attention, in forward order."""
    blocks, layer = {}, 0
    for name, number, stage in _stages(unwrapped(unet)):
        for member in unwrapped(stage):
            inner = getattr(member, "transformer_blocks", None)
            if inner is None:
                continue
            for index, module in enumerate(inner):
                if _reads_text(module):
                    key = name, number, index
                    blocks[key] = Block(key, unwrapped(module), len(blocks), layer)
            layer += 1
    return blocks


def _stages(unet: torch.nn.Module) -> Iterator[tuple[str, int, torch.nn.Module]]:
    yield from (("input", i, stage) for i, stage in enumerate(unet.input_blocks))
    if unet.middle_block is not None:
        yield "middle", 0, unet.middle_block
    yield from (("output", i, stage) for i, stage in enumerate(unet.output_blocks))


def _reads_text(block: torch.nn.Module) -> bool:
    return getattr(block, "attn2", None) is not None and not getattr(block, "switch_temporal_ca_to_sa", False)
