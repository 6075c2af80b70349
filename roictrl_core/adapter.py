"""ROICtrlAdapter: the box embedding and one ROIFuser per transformer block, under the published key names."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .attention import AttentionFunction, multi_head_attention
from .box_embedding import BoxEmbedding
from .config import AdapterConfig
from .fuser import ROIFuser
from .instances import InstanceBatch
from .layers import add_submodule
from .plan import LevelPlan, plan_level


class ROICtrlAdapter(nn.Module):
    """All trained parts of ROICtrl for one UNet.

    Args:
        config: the UNet's blocks, grids, slots and widths.
        operations: where the layers come from (`torch.nn`, or a host's own such as comfy.ops).
        attention: kernel for the fusers' self-attentions.

    A variant of the method is a subclass with a `Fuser`, or a `plan`, of its own;
    everything that runs adapters runs it.
    """

    Fuser = ROIFuser

    def __init__(
        self,
        config: AdapterConfig,
        operations: Any = nn,
        *,
        attention: AttentionFunction = multi_head_attention,
        dtype: torch.dtype | None = None,
        device: Any = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.position_net = BoxEmbedding(config.token_width, config.token_hidden, operations, dtype, device)
        for block in config.blocks:
            fuser = self.Fuser(
                block.channels,
                block.heads,
                slots=config.slots,
                token_width=config.token_width,
                dropout=config.dropout,
                operations=operations,
                attention=attention,
                dtype=dtype,
                device=device,
            )
            add_submodule(self, f"{block.name}.roifuser", fuser)

    def fuser(self, block: str) -> ROIFuser:
        """The fuser of one of the config's blocks, by its name."""
        return self.get_submodule(f"{block}.roifuser")

    def plan(
        self,
        instances: InstanceBatch,
        level: int,
        height: int,
        width: int,
        device: torch.device | str,
        adaptive: bool = False,
    ) -> LevelPlan:
        """How the fusers of a U-Net level sample maps of `height` x `width` cells for these instances.

        `adaptive`: boxes of fewer cells than the level's grid have grids of their own size.
        """
        size = self.config.grids[level]
        return plan_level(instances, size=size, height=height, width=width, device=device, adaptive=adaptive)

    def box_tokens(self, instances: InstanceBatch) -> Tensor:
        """`[B, S, token width]` float32; once per run, as it does not depend on the step."""
        return self.position_net(instances.boxes, instances.token_mask)
