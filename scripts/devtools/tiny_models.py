"""ComfyUI's own UNetModel and CLIP in sizes that a test samples in a second, random or with given weights.
Needs `start_comfyui`."""

from __future__ import annotations

import torch

SD15 = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 32,
    "num_res_blocks": [2, 2, 2, 2],
    "channel_mult": [1, 2, 2, 2],
    "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0],
    "transformer_depth_middle": 1,
    "transformer_depth_output": [1] * 9 + [0] * 3,
    "use_spatial_transformer": True,
    "context_dim": 64,
    "num_heads": 8,
    "num_head_channels": -1,
    "legacy": False,
    "use_linear_in_transformer": False,
    "adm_in_channels": None,
    "use_temporal_attention": False,
}
SDXL = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 32,
    "num_res_blocks": [2, 2, 2],
    "channel_mult": [1, 2, 4],
    "transformer_depth": [0, 0, 2, 2, 3, 3],
    "transformer_depth_middle": 3,
    "transformer_depth_output": [0, 0, 0, 2, 2, 2, 3, 3, 3],
    "use_spatial_transformer": True,
    "context_dim": 64,
    "num_heads": -1,
    "num_head_channels": 16,
    "legacy": False,
    "use_linear_in_transformer": True,
    "num_classes": "sequential",
    "adm_in_channels": 1536 + 64,
    "use_temporal_attention": False,
}


def randomize(module: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Weights that keep activations finite and every part visible: norms 1, matrices
    0.7 / sqrt(fan-in), small biases."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, tensor in sorted(module.state_dict().items()):
        noise = torch.randn(tensor.shape, generator=generator)
        if tensor.ndim > 1:
            noise = noise * 0.7 / tensor[0].numel() ** 0.5
        else:
            noise = noise * 0.1 + float("norm" in name and name.endswith("weight"))
        state[name] = noise.to(tensor.dtype)
    module.load_state_dict(state)
    return module


def sd15_model(
    unet: dict = SD15,
    weights: dict | None = None,
    dtype: torch.dtype = torch.float32,
    manual_cast: torch.dtype | None = None,
):
    """A BaseModel of SD1.x's kind."""
    from comfy.model_base import BaseModel
    from comfy.supported_models import SD15 as Config

    return _filled(BaseModel(_config(Config, unet, dtype, manual_cast)), weights)


def sdxl_model(unet: dict = SDXL, dtype: torch.dtype = torch.float32):
    """A BaseModel of SDXL's kind; its conditioning carries 64 pooled numbers."""
    from comfy.model_base import SDXL as Base
    from comfy.supported_models import SDXL as Config

    return _filled(Base(_config(Config, unet, dtype, None)), None)


def patcher(model, device: str = "cpu"):
    """A ModelPatcher as a checkpoint loader returns it, loading to a device from the CPU's memory."""
    import comfy.model_patcher

    kind = getattr(comfy.model_patcher, "CoreModelPatcher", comfy.model_patcher.ModelPatcher)
    return kind(model, load_device=torch.device(device), offload_device=torch.device("cpu"))


def clip(width: int = 64):
    """SD1.x's CLIP with its real tokenizer and a one-layer random text model."""
    import comfy.sd
    import comfy.sd1_clip
    from comfy.supported_models_base import ClipTarget

    size = {"num_hidden_layers": 1, "hidden_size": width, "num_attention_heads": 4, "intermediate_size": 2 * width}
    made = comfy.sd.CLIP(
        ClipTarget(comfy.sd1_clip.SD1Tokenizer, comfy.sd1_clip.SD1ClipModel),
        model_options={"clip_l_model_config": size},
    )
    randomize(made.cond_stage_model, seed=1)
    return made


def _config(kind: type, unet: dict, dtype: torch.dtype, manual_cast: torch.dtype | None):
    config = kind(dict(unet))
    config.unet_config.update(unet)
    config.set_inference_dtype(dtype, manual_cast)
    return config


def _filled(model, weights: dict | None):
    if weights is None:
        randomize(model.diffusion_model)
    else:
        model.diffusion_model.load_state_dict(weights)
    return model.requires_grad_(False)
