"""A UNet forward with the adapter's hooks and gradients, for the trainer.

Every row has boxes and captions of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...roictrl_core.adapter import ROICtrlAdapter
from ...roictrl_core.instances import InstanceBatch
from ..patch.control import Text
from ..patch.hosts.unet import UNet
from ..patch.memo import Memo
from ..patch.methods.captioned import Order
from ..patch.methods.roictrl import ROICtrl
from ..patch.points import Points, Reading
from ..patch.roles import CAPTION
from ..patch.rows import Chunk, Rows

KEY = "roictrl.training"

# The global slot's blending weight [B, T], and which positions have an instance [B, T].
BlockRecord = tuple[Tensor, Tensor]


class AdaptedUNet:
    """ComfyUI's UNet with an adapter in its blocks.

    ``model`` is a BaseModel, or its UNet; it is not changed.  Gradients flow to whatever requires them: freeze the base
    (`requires_grad_(False)`), and build both outside inference mode.

        unet = AdaptedUNet(model, adapter)
        eps, blocks = unet(x, timesteps, context, instances, captions)
    """

    def __init__(self, model: torch.nn.Module, adapter: ROICtrlAdapter) -> None:
        self.host = UNet(getattr(model, "diffusion_model", model))
        self.method = ROICtrl(adapter)
        self._install = UNet.patching(KEY)

    def __call__(
        self,
        x: Tensor,
        timesteps: Tensor,
        context: Tensor,
        instances: InstanceBatch,
        captions: Sequence[Tensor],
        *,
        order: Order = lambda block: None,
        **unet_inputs,
    ) -> tuple[Tensor, list[BlockRecord]]:
        """The UNet's raw output (eps or v), and what each block blended; raises ValueError without a caption per slot.

        Args:
            x: ``[B, C, h, w]`` as it enters the UNet: sqrt(abar) x0 + sqrt(1 - abar) eps.
            timesteps: ``[B]`` discrete timesteps.
            context: ``[B, L, c]`` of the global captions, or ``[B, layers, L, c]``.
            instances: boxes and masks of the B rows, on the adapter's slots, on x's device.
            captions: the embedding ``[L, c]`` (or ``[layers, L, c]``) of each of ``instances.pairs``, in that order.
            order: the slot permutation of a block for the gate.
            unet_inputs: what else the UNet takes (SDXL's ``y``).

        Returns:
            output ``[B, C', h, w]`` and one (global weight ``[B, T]``, foreground ``[B, T]``) per adapted block in
            forward order, for the regulariser.
        """
        if len(captions) != len(instances.pairs):
            raise ValueError(
                f"The instances fill {len(instances.pairs)} slots, and there are {len(captions)} captions."
            )
        records: list[BlockRecord] = []
        size = (x.shape[0], *x.shape[-2:])
        rows = Rows((Chunk(0, CAPTION),), x.shape[0], size)
        reading = Reading(rows, instances.pairs, [Text(caption) for caption in captions], [False] * len(captions))
        fuse = self.method.fuse(instances, reading, order, lambda *record: records.append(record))
        points = Points(after=lambda h, a, n, spot: fuse(h, a, n, spot) - h)
        options = self._install(self.host, {"cond_or_uncond": [0]}, points, size, Memo(), reading.say)
        options = self.host.reading_layers(options, context)
        output = self.host.module(x, timesteps, context=context, transformer_options=options, **unet_inputs)
        return output, records
