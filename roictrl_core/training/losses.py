"""The training objective: noise-prediction loss + 0.01 * regulariser (ROICtrl paper, training section)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

REGULARISER_WEIGHT = 0.01


def prediction_loss(output: Tensor, target: Tensor) -> Tensor:
    """Mean squared error of the raw UNet output [B, C, h, w] against eps or v, in float32."""
    return F.mse_loss(output.float(), target.float())


def global_weight_regulariser(records: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """How much of the boxes' area the global slot keeps for itself, 0..1; small means that instances take over.

    records: per fuser (global_weight [B, T], foreground [B, T]): the global slot's blending weight after the softmax,
    and the positions that any instance covers.  Averaged over a picture's covered positions, then over the pictures
    (one without covered positions counts as 0), then over the fusers.  Averaging per picture first makes the value of
    a batch the mean of the values of its parts, so ranks and accumulation steps add up to one large batch.
    """
    per_fuser = []
    for weight, foreground in records:
        covered = foreground.to(torch.float32)  # [B, T]
        mean = (weight.float() * covered).sum(1) / covered.sum(1).clamp_min(1)  # [B]
        per_fuser.append(mean.mean())
    if not per_fuser:
        raise ValueError("the regulariser got no blending weights: the UNet ran without the adapter's fusers")
    return torch.stack(per_fuser).mean()
