"""The demo model in ComfyUI's own classes.

UNetModel of SD1.5 topology, a two-layer CLIP text model, TAESD as its VAE.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import comfy.latent_formats
import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.sd
import comfy.sd1_clip
import comfy.supported_models_base
import comfy.utils
import torch

from ..roictrl_core.settings import object_of_json
from ..roictrl_core.weights_file import open_weights

FOLDER = Path(__file__).resolve().parent.parent / "demo_model"
TOKENIZER = FOLDER / "tokenizer"
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


class DemoModelConfig(comfy.supported_models_base.BASE):
    """Tells ComfyUI's BaseModel how to sample: v-prediction, SD's own noise schedule."""

    unet_config = {}
    unet_extra_config = {}
    latent_format = DemoLatentFormat
    memory_usage_factor = 1.0

    def model_type(self, state_dict, prefix=""):
        return comfy.model_base.ModelType.V_PREDICTION


class DemoTokenizer(comfy.sd1_clip.SDTokenizer):
    """CLIP's tokenizer with the demo world's vocabulary; words it does not know fall apart into letters."""

    def __init__(self, embedding_directory=None, tokenizer_data={}):  # noqa: B006 - core's signature
        super().__init__(
            str(TOKENIZER),
            embedding_directory=embedding_directory,
            embedding_size=128,
            embedding_key="clip_l",
            tokenizer_data=tokenizer_data,
        )


class DemoSD1Tokenizer(comfy.sd1_clip.SD1Tokenizer):
    def __init__(self, embedding_directory=None, tokenizer_data={}):  # noqa: B006 - core's signature
        super().__init__(
            embedding_directory=embedding_directory, tokenizer_data=tokenizer_data, tokenizer=DemoTokenizer
        )


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
    config = DemoModelConfig({**UNET_CONFIG})
    if statistics:
        config.latent_format = DemoLatentFormat(**statistics)
    config.set_inference_dtype(dtype, None)
    return config.get_model({}, device=device)


class Demo(NamedTuple):
    """What `load_demo` returns."""

    model: comfy.model_patcher.ModelPatcher
    clip: comfy.sd.CLIP
    vae: comfy.sd.VAE


def load_demo(folder: Path = FOLDER) -> Demo:
    """The demo model from a folder with base.safetensors (keys "unet." and "text.") and vae.safetensors.

    The VAE's metadata field "latents" holds what DemoLatentFormat takes, as JSON. Raises ValueError when a file is
    missing or another network's.
    """
    paths = {name: Path(folder) / f"{name}.safetensors" for name in ("base", "vae")}
    for path in paths.values():
        if not path.is_file():
            raise ValueError(
                f"Load ROICtrl Demo Model: {path.name} is missing from the pack's demo_model folder: install the pack "
                "again (git checkout), or train it with `python scripts/demo_train.py`."
            )
    base, _ = _read(paths["base"])
    vae, statistics = load_vae_file(paths["vae"])
    return Demo(load_model(part_of(base, "unet"), statistics), load_clip(part_of(base, "text")), vae)


def part_of(weights: dict[str, torch.Tensor], part: str) -> dict[str, torch.Tensor]:
    """The tensors under a prefix, without it."""
    return {key.removeprefix(f"{part}."): tensor for key, tensor in weights.items() if key.startswith(f"{part}.")}


def load_model(weights: dict[str, torch.Tensor], statistics: dict) -> comfy.model_patcher.ModelPatcher:
    """MODEL from UNet weights. Raises ValueError when they are another network's."""
    device, offload = comfy.model_management.get_torch_device(), comfy.model_management.unet_offload_device()
    base = new_base_model(statistics, device=offload)
    _load(base.diffusion_model, weights, "UNet")
    patcher = getattr(comfy.model_patcher, "CoreModelPatcher", comfy.model_patcher.ModelPatcher)
    return patcher(base, load_device=device, offload_device=offload)


def load_clip(weights: dict[str, torch.Tensor]) -> comfy.sd.CLIP:
    """CLIP from the text model's weights (keys as in CLIPTextModel)."""

    class Target(comfy.supported_models_base.ClipTarget):
        def __init__(self):
            super().__init__(DemoSD1Tokenizer, DemoClipModel)

    clip = comfy.sd.CLIP(
        Target(), parameters=sum(w.numel() for w in weights.values()), model_options={"dtype": torch.float32}
    )
    _load(clip.cond_stage_model.clip_l.transformer, weights, "text encoder")
    return clip


def load_vae_file(path: Path) -> tuple[comfy.sd.VAE, dict]:
    """VAE, through ComfyUI's own detection of TAESD, and what DemoLatentFormat takes.

    Raises ValueError with a sentence.
    """
    weights, metadata = _read(path)
    try:
        statistics = object_of_json(metadata.get("latents", ""))
        DemoLatentFormat(**statistics)
    except (ValueError, TypeError, RuntimeError):  # the last two: other fields, and other than four numbers
        raise ValueError(
            f"Load ROICtrl Demo Model: {path.name} does not say what its latents are like: "
            "restore the pack's demo_model folder."
        ) from None
    return comfy.sd.VAE(sd=weights), statistics


def _read(path: Path) -> tuple[dict[str, torch.Tensor], Mapping[str, str]]:
    """A file's tensors and metadata. Raises ValueError with a sentence."""
    try:
        file = open_weights(path)
        return file.tensors(file.shapes), file.metadata
    except ValueError as error:
        raise ValueError(f"Load ROICtrl Demo Model: {error}") from None


def _load(module: torch.nn.Module, weights: dict[str, torch.Tensor], name: str) -> None:
    missing, unexpected = module.load_state_dict({k: v.float() for k, v in weights.items()}, strict=False)
    if missing or unexpected:
        raise ValueError(
            f"Load ROICtrl Demo Model: the {name}'s weights do not fit "
            f"({len(missing)} missing, {len(unexpected)} unknown keys): restore the pack's demo_model folder."
        )
