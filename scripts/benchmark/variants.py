"""What bench_train.py trains beside ROICtrl: ablations and the GLIGEN-style baseline.
Import after the pack is loaded."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from roictrl_pack.nodes.training.base import TrainingBase
from roictrl_pack.roictrl_core.adapter import ROICtrlAdapter
from roictrl_pack.roictrl_core.checkpoint import save_adapter
from roictrl_pack.roictrl_core.files import write_atomically
from roictrl_pack.roictrl_core.training.batches import BatchStream
from roictrl_pack.roictrl_core.training.objective import Objective
from safetensors.torch import save_file
from torch import Tensor, nn

from . import gligen
from .ablations import MaskedAdapter

Weights = dict[str, Tensor]


class Setup(NamedTuple):
    """network: all that is trained.  stream: (cache, settings) -> batches.  save: (file, weights, metadata)."""

    network: nn.Module
    objective: Objective
    stream: Callable[..., BatchStream]
    save: Callable[[Path, Weights, dict[str, str]], None]


@dataclass(frozen=True)
class Variant:
    """full: the budget of ROICtrl itself, else the ablations' shorter one."""

    title: str
    build: Callable[[TrainingBase, object, Namespace], Setup]
    full: bool = False


def ablated(
    network: type[ROICtrlAdapter] = ROICtrlAdapter, zero: tuple[str, ...] = (), regulariser: float | None = None
) -> Callable:
    """ROICtrl with another network or regulariser, or with parameters (ends of their names) kept at zero."""

    def build(base: TrainingBase, clip, options: Namespace) -> Setup:
        torch.manual_seed(options.seed)
        config = base.adapter_config(grids=tuple(options.grids), slots=options.slots, dropout=options.dropout)
        adapter = network(config).to(base.device).train()
        for name, parameter in adapter.named_parameters():
            if name.endswith(zero):
                parameter.requires_grad_(False).zero_()
        weight = options.regulariser if regulariser is None else regulariser
        objective = Objective(
            adapter, base.predict(adapter, options.gradient_checkpointing), base.schedule, base.scale, weight
        )
        return Setup(
            adapter, objective, BatchStream, lambda path, weights, about: save_adapter(path, config, weights, about)
        )

    return build


def gligen_style(base: TrainingBase, clip, options: Namespace) -> Setup:
    torch.manual_seed(options.seed)
    network = gligen.new_gligen(base.unet, options.slots).to(base.device).train()
    objective = gligen.GligenObjective(network, gligen.predictor(base.unet, network), base.schedule, base.scale)

    def save(path: Path, weights: Weights, about: dict[str, str]) -> None:
        tensors = {
            "slots": torch.tensor(options.slots),
            **{name: tensor.contiguous() for name, tensor in weights.items()},
        }
        write_atomically(path, lambda file: save_file(tensors, file, about))

    return Setup(network, objective, lambda cache, **settings: gligen.PooledStream(cache, clip, **settings), save)


VARIANTS = {
    "gligen": Variant("GLIGEN-style box and text tokens", gligen_style, full=True),
    "roictrl_short": Variant("ROICtrl, short budget", ablated()),
    # A gate that stays at zero takes what is behind it out.
    "no_self_attention": Variant("without ROI self-attention", ablated(zero=("alpha_roi_self_attn",))),
    "no_regulariser": Variant("without the regulariser", ablated(regulariser=0.0)),
    # With the embedding's first weights at zero all box tokens are one learned vector: they say nothing of any box.
    "no_box_tokens": Variant("without box tokens", ablated(zero=("position_net.linears.0.weight",))),
    "masked_attention": Variant("masked attention in place of ROI-Align and ROI-Unpool", ablated(MaskedAdapter)),
}
