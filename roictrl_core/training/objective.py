"""Batch -> loss: the module that DistributedDataParallel wraps."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, nn

from .batches import Batch
from .losses import REGULARISER_WEIGHT, global_weight_regulariser, prediction_loss
from .schedule import NoiseSchedule

Records = list[tuple[Tensor, Tensor]]  # per fuser: global weight [B, T], foreground [B, T]
Predict = Callable[[Batch, Tensor], tuple[Tensor, Records]]


class Losses(NamedTuple):
    """Scalars. total = prediction + 0.01 * regulariser."""

    total: Tensor
    prediction: Tensor
    regulariser: Tensor


class Objective(nn.Module):
    """The patched UNet under the training loss. Only the adapter is a sub-module: the base is no concern of DDP's.

    A batch whose boxes fill no cell at some level leaves that level's ROI weights out of its graph, so
    DistributedDataParallel needs find_unused_parameters=True.

    predict(batch, noisy latents [B, C, h, w]) runs the base with the adapter's fusers: (raw output, records).
    scale: the base's latent format, VAE latents -> what its UNet is trained on.
    """

    def __init__(
        self,
        adapter: nn.Module,
        predict: Predict,
        schedule: NoiseSchedule,
        scale: Callable[[Tensor], Tensor],
        regulariser_weight: float = REGULARISER_WEIGHT,
    ) -> None:
        super().__init__()
        self.adapter, self.predict, self.schedule, self.scale = adapter, predict, schedule, scale
        self.regulariser_weight = regulariser_weight

    def forward(self, batch: Batch) -> Losses:
        latents = self.scale(batch.latents)
        output, records = self.predict(batch, self.schedule.add_noise(latents, batch.noise, batch.timesteps))
        prediction = prediction_loss(output, self.schedule.target(latents, batch.noise, batch.timesteps))
        regulariser = global_weight_regulariser(records)
        return Losses(prediction + self.regulariser_weight * regulariser, prediction, regulariser)
