"""An adapter as ComfyUI keeps models.

Layers that cast their weights, inside a ModelPatcher that loads and offloads them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import comfy.ldm.modules.attention as comfy_attention
import comfy.model_management
import comfy.model_patcher
import comfy.ops
import torch
from torch import Tensor

from ..roictrl_core.adapter import ROICtrlAdapter
from ..roictrl_core.checkpoint import AdapterFile
from ..roictrl_core.instance_diffusion.config import InstanceDiffusionConfig
from ..roictrl_core.instance_diffusion.model import InstanceDiffusion


def attention(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """The attention kernel that ComfyUI runs with, for the adapter's own self-attentions."""
    return comfy_attention.optimized_attention(q, k, v, heads)


def adapter_patcher(file: AdapterFile, network: type[ROICtrlAdapter] = ROICtrlAdapter):
    """A ModelPatcher around the adapter; ``.model`` is the `ROICtrlAdapter`, or a variant of it."""
    return _filled(partial(network, file.config, comfy.ops.manual_cast, attention=attention), file.weights)


def instance_diffusion_patcher(config: InstanceDiffusionConfig, weights: Mapping[str, Tensor]):
    """A ModelPatcher around InstanceDiffusion's trained parts; ``.model`` is the `InstanceDiffusion`."""
    return _filled(partial(InstanceDiffusion, config, operations=comfy.ops.manual_cast), weights)


def _filled(build: Callable[..., torch.nn.Module], weights: Mapping[str, Tensor]):
    """A ModelPatcher around a network with these weights, which are checked and complete.

    Weights are stored in the dtype that ComfyUI would give a UNet on this device; computation follows the activations.
    """
    management = comfy.model_management
    load_device, offload_device = management.get_torch_device(), management.unet_offload_device()
    stored = next(iter(weights.values())).dtype
    dtype = management.unet_dtype(device=load_device, weight_dtype=stored)
    network = build(dtype=dtype, device=offload_device)
    patcher = core_patcher(network.eval().requires_grad_(False), load_device, offload_device)
    dynamic = getattr(patcher, "is_dynamic", lambda: False)()
    # Under dynamic VRAM a missing key would become zeros in silence: weights are complete (see the core's checkpoint).
    network.load_state_dict(
        {key: tensor.to(dtype) for key, tensor in weights.items()}, strict=True, **({"assign": True} if dynamic else {})
    )
    return patcher


def core_patcher(module: torch.nn.Module, load_device: torch.device, offload_device: torch.device):
    """The kind of ModelPatcher that this ComfyUI uses for its own models."""
    kind = getattr(comfy.model_patcher, "CoreModelPatcher", comfy.model_patcher.ModelPatcher)
    return kind(module, load_device=load_device, offload_device=offload_device)
