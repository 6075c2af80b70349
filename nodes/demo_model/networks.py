"""The demo model's networks: UNetModel of SD1.5 topology and a two-layer CLIP text model. Its VAE is TAESD as it is."""

from __future__ import annotations

import json

import comfy.latent_formats
import comfy.model_base
import comfy.sd1_clip
import comfy.supported_models_base
import torch

from .tokenizer import TOKENIZER

UNET_CONFIG = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 32,
    "num_res_blocks": [2, 2, 2, 2],
    "channel_mult": (1, 2, 4, 4),
    "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0],
    "transformer_depth_middle": 1,
    "transformer_depth_output": [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
    "num_heads": -1,
    "num_head_channels": 16,
    "use_spatial_transformer": True,
    "use_linear_in_transformer": False,
    "context_dim": 128,
    "legacy": False,
    "adm_in_channels": None,
    "use_temporal_attention": False,
}


def text_config() -> dict:
    """The text model's configuration; vocabulary and special tokens as in the tokenizer's files."""
    vocabulary = json.loads((TOKENIZER / "vocab.json").read_text(encoding="utf-8"))
    return {
        "num_hidden_layers": 2,
        "hidden_size": 128,
        "num_attention_heads": 4,
        "intermediate_size": 512,
        "hidden_act": "quick_gelu",
        "max_position_embeddings": 77,
        "vocab_size": len(vocabulary),
        "eos_token_id": vocabulary["<|endoftext|>"],
        "bos_token_id": vocabulary["<|startoftext|>"],
    }


class DemoLatentFormat(comfy.latent_formats.LatentFormat):
    """Latents with mean 0 and deviation 1 in every channel. Statistics come with the weights: `from_statistics`."""

    latent_channels = 4

    def __init__(self, mean=(0.0,) * 4, std=(1.0,) * 4, rgb_factors=None, rgb_bias=None):
        self.mean, self.std = torch.tensor(mean).view(1, 4, 1, 1), torch.tensor(std).view(1, 4, 1, 1)
        self.latent_rgb_factors, self.latent_rgb_factors_bias = rgb_factors, rgb_bias

    def process_in(self, latent):
        """VAE latents [B, 4, h, w] -> the UNet's."""
        return (latent - self.mean.to(latent)) / self.std.to(latent)

    def process_out(self, latent):
        """The UNet's latents [B, 4, h, w] -> VAE latents."""
        return latent * self.std.to(latent) + self.mean.to(latent)


class DemoModel(comfy.supported_models_base.BASE):
    """Tells ComfyUI's BaseModel how to sample: v-prediction, SD's own noise schedule."""

    unet_config = {}
    unet_extra_config = {}
    latent_format = DemoLatentFormat
    memory_usage_factor = 1.0

    def model_type(self, state_dict, prefix=""):
        return comfy.model_base.ModelType.V_PREDICTION


class DemoTextModel(comfy.sd1_clip.SDClipModel):
    def __init__(self, device="cpu", dtype=None, model_options={}):  # noqa: B006 - core's signature
        config = text_config()
        end = config["eos_token_id"]
        super().__init__(
            device=device,
            dtype=dtype,
            model_options=model_options,
            textmodel_json_config=config,
            special_tokens={"start": config["bos_token_id"], "end": end, "pad": end},
            return_projected_pooled=False,
        )
        # CLIPTextModel takes CLIP's 49408 words whatever its config says.
        embedding = self.operations.Embedding(config["vocab_size"], config["hidden_size"], device=device, dtype=dtype)
        self.transformer.set_input_embeddings(embedding)


class DemoClipModel(comfy.sd1_clip.SD1ClipModel):
    def __init__(self, device="cpu", dtype=None, model_options={}):  # noqa: B006 - core's signature
        super().__init__(device=device, dtype=dtype, model_options=model_options, clip_model=DemoTextModel)


def new_base_model(statistics: dict | None = None, dtype=torch.float32, device=None) -> comfy.model_base.BaseModel:
    """A BaseModel around a UNet whose weights are still to be loaded.

    statistics: {"mean": [4], "std": [4]} of VAE latents.
    """
    config = DemoModel({**UNET_CONFIG})
    if statistics:
        config.latent_format = DemoLatentFormat(**statistics)
    config.set_inference_dtype(dtype, None)
    return config.get_model({}, device=device)
