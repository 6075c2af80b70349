"""A node pack for tests alone: tiny random models in the place of those that a workflow loads.

One node gives a model of a family, and objects that stand in for the text encoder and the VAE, which no tiny model
has: core's own nodes work on them. Another gives a small CLIP that sees pictures.
"""

from __future__ import annotations

import json
import sys
import tempfile
import zlib
from pathlib import Path

import comfy.clip_vision
import torch

sys.path.append(str(Path(__file__).resolve().parents[3] / "scripts"))

from devtools import tiny_dits, tiny_models  # noqa: E402


class TinyText:
    """What core's text nodes and the pack ask of a CLIP; another text gives other tokens."""

    def __init__(self, family: str) -> None:
        self.family = family

    def tokenize(self, text: str, **options) -> str:
        return text

    def encode_from_tokens(self, text: str, return_pooled: bool = False, return_dict: bool = False):
        embedding, entries = tiny_dits.conditioning(self.family, zlib.crc32(text.encode()))[0]
        return {"cond": embedding, **entries} if return_dict else embedding

    def encode_from_tokens_scheduled(self, text: str, **options) -> list:
        return tiny_dits.conditioning(self.family, zlib.crc32(text.encode()))


class TinyVAE:
    """Three channels of the latent as colours, at 8 pixels a cell."""

    def decode(self, samples: torch.Tensor) -> torch.Tensor:
        frames = samples[:, :3] if samples.ndim == 5 else samples[:, :3, None]
        pixels = frames.movedim(1, -1).flatten(0, 1)  # [B * F, h, w, 3]
        return pixels.repeat_interleave(8, 1).repeat_interleave(8, 2).sigmoid()


class TinyModel:
    """A family's name -> MODEL, CLIP, VAE."""

    CATEGORY, FUNCTION, RETURN_TYPES = "tests", "make", ("MODEL", "CLIP", "VAE")

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        return {"required": {"family": ("STRING", {})}}

    def make(self, family: str) -> tuple:
        return tiny_dits.build(family), TinyText(family), TinyVAE()


class TinyVision:
    """CLIP_VISION: core's, small and random, with an embedding as wide as ViT-H's."""

    CATEGORY, FUNCTION, RETURN_TYPES = "tests", "make", ("CLIP_VISION",)
    CONFIG = {
        "model_type": "clip_vision_model",
        "hidden_act": "gelu",
        "hidden_size": 64,
        "image_size": 224,
        "intermediate_size": 64,
        "num_attention_heads": 4,
        "num_channels": 3,
        "num_hidden_layers": 3,
        "patch_size": 32,
        "projection_dim": 1024,
    }

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        return {"required": {}}

    def make(self) -> tuple:
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(self.CONFIG, file)
            file.flush()
            vision = comfy.clip_vision.ClipVisionModel(file.name)
        tiny_models.randomize(vision.model, seed=5)
        return (vision,)


NODE_CLASS_MAPPINGS = {"TestTinyModel": TinyModel, "TestTinyVision": TinyVision}
