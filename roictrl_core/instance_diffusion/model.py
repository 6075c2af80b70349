"""The three trained parts as one module, under the official UNet's state-dict names."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..layers import add_submodule
from .config import InstanceDiffusionConfig
from .fuser import InstanceFuser
from .scaleu import scale_decoder, scale_skip
from .unifusion import UniFusion

_PUBLISHED = InstanceDiffusionConfig()


class InstanceDiffusion(nn.Module):
    """UniFusion, one fuser per transformer block, and ScaleU; the SD1.5 UNet itself is the host's.

    `operations` supplies Linear, Conv2d and LayerNorm (torch.nn, or ComfyUI's). Gates and ScaleU begin at 0.
    """

    def __init__(self, config: InstanceDiffusionConfig = _PUBLISHED, *, operations=nn, dtype=None, device=None):
        super().__init__()
        kw = {"dtype": dtype, "device": device}
        self.config = config
        self.position_net = UniFusion(
            config.text_width, config.token_width, config.hidden_width, config.slots, operations=operations, **kw
        )
        for name, channels in config.fusers:
            fuser = InstanceFuser(channels, config.token_width, config.heads, operations=operations, **kw)
            add_submodule(self, f"{name}.transformer_blocks.0.fuser", fuser)
        for index, channels in enumerate(config.scaleu):
            self.register_parameter(f"scaleu_b_{index}", nn.Parameter(torch.zeros(channels, **kw)))
            self.register_parameter(f"scaleu_s_{index}", nn.Parameter(torch.zeros(1, **kw)))

    def fuser(self, transformer_index: int) -> InstanceFuser:
        """The fuser of a transformer block, counted in execution order (ComfyUI's `transformer_index`)."""
        name, _ = self.config.fusers[transformer_index]
        return self.get_submodule(f"{name}.transformer_blocks.0.fuser")

    def scaleu(self, block: int, h: Tensor, skip: Tensor, strength: float = 1.0) -> tuple[Tensor, Tensor]:
        """ScaleU at the input of output block `block`: decoder feature h and skip feature, both [B, C, H, W]."""
        decoder, low = (getattr(self, f"scaleu_{name}_{block}") for name in "bs")
        return scale_decoder(h, decoder, strength), scale_skip(skip, low, strength)
