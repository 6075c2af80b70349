"""The demo transformer: a small DiT of Anima's kind (Cosmos-Predict2: text cross-attention, RoPE) for the demo world.

Its latents and texts are the demo model's.  Import after ComfyUI is started.
"""

from __future__ import annotations

from collections.abc import Mapping

import comfy.model_base
import comfy.supported_models
import torch

from .pack import pack_module
from .tiny_dits import patcher_of

CONFIG = {
    "image_model": "cosmos_predict2",
    "max_img_h": 64,
    "max_img_w": 64,
    "max_frames": 1,
    "in_channels": 4,
    "out_channels": 4,
    "patch_spatial": 2,
    "patch_temporal": 1,
    "concat_padding_mask": True,
    "model_channels": 256,
    "num_blocks": 8,
    "num_heads": 4,
    "crossattn_emb_channels": 128,
    "pos_emb_cls": "rope3d",
    "pos_emb_learnable": True,
    "pos_emb_interpolation": "crop",
    "use_adaln_lora": True,
    "adaln_lora_dim": 64,
    "rope_enable_fps_modulation": False,
}
STEPS_OF_TIME = 1000.0  # what the network reads for pure noise


class _Config(comfy.supported_models.CosmosT2IPredict2):
    """Rectified flow, as Anima's, with an even schedule."""

    sampling_settings = {"multiplier": STEPS_OF_TIME, "shift": 1.0}

    def get_model(self, state_dict, prefix="", device=None):
        return comfy.model_base.CosmosPredict2(self, comfy.model_base.ModelType.FLOW, device=device)


def new_transformer(statistics: Mapping | None = None) -> comfy.model_base.BaseModel:
    """A BaseModel whose weights are still to be loaded; ``statistics`` as `DemoLatentFormat` takes them."""
    config = _Config(dict(CONFIG))
    config.latent_format = _latent_format(statistics or {})
    config.set_inference_dtype(torch.float32, None)
    return config.get_model({}, device=torch.device("cpu"))


def load_transformer(weights: Mapping[str, torch.Tensor], statistics: Mapping):
    """A ModelPatcher."""
    model = new_transformer(statistics)
    model.diffusion_model.load_state_dict({key: tensor.float() for key, tensor in weights.items()})
    model.diffusion_model.requires_grad_(False)
    return patcher_of(model)


def _latent_format(statistics: Mapping):
    """The demo's, for latents with an axis of time."""

    class Format(pack_module("nodes.demo_model.networks").DemoLatentFormat):
        latent_dimensions = 3

        def __init__(self):
            super().__init__(**statistics)
            self.mean, self.std = self.mean[..., None], self.std[..., None]

    return Format()
