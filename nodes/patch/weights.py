"""An adapter as ComfyUI keeps models: layers that cast their weights, inside a ModelPatcher that loads and offloads them."""

from __future__ import annotations

import comfy.ldm.modules.attention as comfy_attention
import comfy.model_management
import comfy.model_patcher
import comfy.ops
import torch
from torch import Tensor

from ...roictrl_core.adapter import ROICtrlAdapter
from ...roictrl_core.checkpoint import AdapterFile


def attention(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """The attention kernel that ComfyUI runs with, for the adapter's own self-attentions."""
    return comfy_attention.optimized_attention(q, k, v, heads)


def adapter_patcher(file: AdapterFile):
    """A ModelPatcher around the adapter; ``.model`` is the `ROICtrlAdapter`.

    Weights are stored in the dtype that ComfyUI would give a UNet on this device; computation follows the activations.
    """
    management = comfy.model_management
    load_device, offload_device = management.get_torch_device(), management.unet_offload_device()
    stored = next(iter(file.weights.values())).dtype
    dtype = management.unet_dtype(device=load_device, weight_dtype=stored)
    adapter = ROICtrlAdapter(file.config, comfy.ops.manual_cast, attention=attention, dtype=dtype, device=offload_device)
    patcher = core_patcher(adapter.eval().requires_grad_(False), load_device, offload_device)
    dynamic = getattr(patcher, "is_dynamic", lambda: False)()
    # Checked and complete (roictrl_core.checkpoint): under dynamic VRAM a missing key would become zeros in silence.
    adapter.load_state_dict({key: tensor.to(dtype) for key, tensor in file.weights.items()}, strict=True, **({"assign": True} if dynamic else {}))
    return patcher


def core_patcher(module: torch.nn.Module, load_device: torch.device, offload_device: torch.device):
    """The kind of ModelPatcher that this ComfyUI uses for its own models."""
    kind = getattr(comfy.model_patcher, "CoreModelPatcher", comfy.model_patcher.ModelPatcher)
    return kind(module, load_device=load_device, offload_device=offload_device)
