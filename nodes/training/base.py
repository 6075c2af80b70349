"""A MODEL as the base of a training run: a frozen copy of its UNet that gradients can pass, and its schedule."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import comfy.model_management
import comfy.model_sampling
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ...roictrl_core.adapter import ROICtrlAdapter
from ...roictrl_core.config import AdapterConfig
from ...roictrl_core.training.batches import Batch
from ...roictrl_core.training.objective import Predict, Records
from ...roictrl_core.training.schedule import NoiseSchedule
from ..patch.hosts.swap import unwrapped
from ..patch.hosts.unet import UNet
from .adapted_unet import AdaptedUNet

PLAIN_DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


@dataclass(frozen=True)
class TrainingBase:
    """model: ComfyUI's BaseModel, read only.  unet: the copy that is trained through.

    size: pixels, (width, height).
    """

    model: nn.Module
    unet: nn.Module
    schedule: NoiseSchedule
    device: torch.device
    size: tuple[int, int]

    @classmethod
    def from_model(cls, patcher, dtype: torch.dtype, size: tuple[int, int]) -> TrainingBase:
        """Copy the UNet of a MODEL, LoRAs and all, to ComfyUI's device.

        Raises ValueError for what cannot be trained on.
        """
        model = patcher.model
        check_base(patcher)
        prediction = prediction_of(patcher.get_model_object("model_sampling"))
        comfy.model_management.load_models_gpu([patcher], force_full_load=True)
        unet = frozen_copy(model.diffusion_model, dtype)
        sigmas = patcher.get_model_object("model_sampling").sigmas
        return cls(model, unet, NoiseSchedule.from_sigmas(sigmas, prediction), patcher.load_device, size)

    def adapter_config(self, **settings: object) -> AdapterConfig:
        """An adapter for every text block of the UNet. settings: slots, grids, dropout."""
        return AdapterConfig.for_unet(self.model.model_config.unet_config, **settings)

    def scale(self, latents: Tensor) -> Tensor:
        """VAE latents -> what the UNet is trained on."""
        return self.model.process_latent_in(latents)

    def predict(self, adapter: ROICtrlAdapter, checkpointing: bool = False) -> Predict:
        """The patched UNet as a function of (batch, noisy latents) for `Objective`.

        checkpointing: keep only the layers' inputs for the backward pass, and compute the rest again there.
        """
        unet, dtype = AdaptedUNet(self.unet, adapter), self.unet.dtype

        def run(batch: Batch, noisy: Tensor) -> tuple[Tensor, Records]:
            vector = self._vector(batch)
            extra = {} if vector is None else {"y": vector.to(dtype)}
            with checkpointed_layers(self.unet) if checkpointing else nullcontext():
                return unet(
                    noisy.to(dtype),
                    batch.timesteps,
                    batch.context.to(dtype),
                    batch.instances,
                    batch.instance_contexts,
                    **extra,
                )

        return run

    def _vector(self, batch: Batch) -> Tensor | None:
        """SDXL's vector of pooled text and picture size [B, adm], None where the UNet takes none."""
        if self.model.adm_channels == 0:
            return None
        width, height = self.size
        return self.model.encode_adm(
            pooled_output=batch.pooled,
            width=width,
            height=height,
            crop_w=0,
            crop_h=0,
            target_width=width,
            target_height=height,
            device=self.device,
        )


def plan_adapter(patcher, begin: AdapterConfig | None, **settings: object) -> AdapterConfig:
    """What is going to be trained: `begin`, or a fresh adapter for every text block of the UNet.

    Costs nothing: it comes before the data is encoded. settings: slots, grids, dropout of a fresh one.
    Raises ValueError for what cannot be trained on, and for a `begin` that was made for another UNet.
    """
    check_base(patcher)
    fresh = AdapterConfig.for_unet(patcher.model.model_config.unet_config, **({} if begin else settings))
    if begin is None:
        return fresh
    wanted, found = ({(block.name, block.channels) for block in config.blocks} for config in (begin, fresh))
    if not wanted <= found:
        raise ValueError(
            f"the adapter to go on from is for another model: it acts in {len(wanted)} blocks, of which this model has "
            f"{len(wanted & found)}. Take the model that it was trained on, or begin without it."
        )
    return begin


def check_base(patcher) -> None:
    """Raise ValueError for a MODEL that cannot be trained on."""
    unet = patcher.model.diffusion_model
    if not UNet.owns(unet):
        raise ValueError(
            f"the model is a {type(unet).__name__}, not a UNet with text "
            "cross-attention. Take an SD1.x, SD2 or SDXL model."
        )
    prediction_of(patcher.get_model_object("model_sampling"))
    odd = {str(p.dtype) for p in unet.parameters() if p.dtype not in PLAIN_DTYPES}
    if odd or any(type(p) is not nn.Parameter for p in unet.parameters()):
        raise ValueError(
            f"the model's weights are quantised ({', '.join(sorted(odd)) or 'scaled'}). Load it in fp16, bf16 or fp32."
        )


def prediction_of(sampling) -> str:
    """ "eps" or "v". Raises ValueError for a model that predicts something else."""
    if isinstance(sampling, comfy.model_sampling.V_PREDICTION):
        kind = "v"
    elif isinstance(sampling, comfy.model_sampling.EPS):
        kind = "eps"
    else:
        kind = None
    if kind is None or not isinstance(sampling, comfy.model_sampling.ModelSamplingDiscrete):
        raise ValueError(
            f"the model samples by {type(sampling).__mro__[1].__name__}; the trainer knows noise (eps) and "
            "v-prediction with discrete timesteps, as in SD1.x, SD2 and SDXL."
        )
    return kind


def frozen_copy(unet: nn.Module, dtype: torch.dtype) -> nn.Module:
    """A copy without gradients of its own.

    Nodes load weights in inference mode, and such tensors cannot be trained through.
    """
    duplicate = copy.deepcopy(unwrapped(unet)).requires_grad_(False).eval().to(dtype)
    duplicate.dtype = dtype
    return duplicate


@contextmanager
def checkpointed_layers(unet: nn.Module) -> Iterator[None]:
    """Inside, every residual and transformer layer keeps nothing but its inputs for the backward pass."""
    layers = [layer for stage in (*unet.input_blocks, unet.middle_block, *unet.output_blocks) for layer in stage]
    for layer in layers:
        layer.forward = _checkpointed(layer.forward)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def _checkpointed(forward: Callable) -> Callable:
    def run(*args, **kwargs):
        # The UNet writes the current block into the one transformer_options of the call: keep it as this layer saw it.
        args, kwargs = [_snapshot(arg) for arg in args], {name: _snapshot(arg) for name, arg in kwargs.items()}
        return checkpoint(forward, *args, use_reentrant=False, **kwargs)

    return run


def _snapshot(argument: object) -> object:
    return dict(argument) if isinstance(argument, dict) else argument
