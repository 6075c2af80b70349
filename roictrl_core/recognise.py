"""What a weight file is, told from the names of its tensors and never from the file's name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A sort of weight file: it is one when every pattern is found among its keys.

    Attributes:
        name: with its article, for a sentence.
        patterns: regular expressions, searched in each key.
        remedy: a sentence saying what to do with such a file.
    """

    name: str
    patterns: tuple[str, ...]
    remedy: str


ROICTRL = Kind("a ROICtrl adapter", (r"\.roifuser\.",), "Load it with Load ROICtrl Adapter.")
UNKNOWN = Kind("none of the known kinds", (), "Check that it is the file you meant.")

# The first match counts: what is more particular comes first.
KINDS = (
    ROICTRL,
    Kind(
        "an InstanceDiffusion checkpoint",
        (r"((^|\.)(convnext_tiny_backbone|null_polygon_feature)|_blocks?\.\d+\.state\.|^\d+\.scaleu_b$)",),
        "Load it with Load InstanceDiffusion, which reads it as it is; scripts/convert.py makes one safetensors file "
        "of what it needs.",
    ),
    Kind("a GLIGEN model", (r"position_net\.", r"\.fuser\."), "Load it with GLIGENLoader."),
    Kind(
        "a LoRA",
        (r"(\.lora_(up|down|A|B|a|b)\b|lora_unet_|\.lora\.|\.hada_w|\.lokr_w|\.oft_|\.dora_scale)",),
        "Load it with Load LoRA, on the model that goes into Apply ROICtrl.",
    ),
    Kind("an IP-Adapter", (r"(^|\.)(ip_adapter|image_proj)\.",), "Load it with the nodes of an IP-Adapter pack."),
    Kind(
        "a ControlNet",
        (r"(^|\.)(control_model\.|controlnet_|input_hint_block\.|zero_convs\.|lora_controlnet)",),
        "Load it with Load ControlNet Model.",
    ),
    Kind(
        "a T2I-Adapter",
        (r"(^|\.)(adapter\.)?body\.\d+\.(resnets\.\d+\.)?(block1|in_conv)\.",),
        "Load it with Load ControlNet Model.",
    ),
    Kind("an AnimateDiff motion module", (r"motion_modules\.",), "Load it with the nodes of an AnimateDiff pack."),
    Kind(
        "a full checkpoint without an adapter",
        (r"model\.diffusion_model\.", r"(first_stage_model|cond_stage_model|conditioner|vae|text_encoders)\."),
        "Load it with Load Checkpoint; the adapter is a file of its own.",
    ),
    Kind(
        "a diffusion transformer",
        (r"(double_blocks|joint_blocks|single_transformer_blocks|cap_embedder|adaln_single)\b",),
        "Load it with Load Diffusion Model; ROICtrl needs a UNet.",
    ),
    Kind(
        "a UNet without an adapter",
        (r"((^|\.)(input_blocks|output_blocks|down_blocks|up_blocks)\.)", r"(time_embed|time_embedding)\."),
        "Load it with Load Diffusion Model; the adapter is a file of its own.",
    ),
    Kind(
        "a VAE",
        (r"(^|\.)decoder\.", r"(^|\.)encoder\.(down|conv_in)"),
        "Load it with Load VAE.",
    ),
    Kind(
        "a text encoder",
        (r"(text_model\.encoder|transformer\.resblocks|encoder\.block\.\d+\.layer|model\.layers\.\d+\.self_attn)\.?",),
        "Load it with Load CLIP.",
    ),
    Kind("a CLIP vision model", (r"vision_model\.",), "Load it with Load CLIP Vision."),
    Kind(
        "a textual inversion embedding",
        (r"(^|\.)(emb_params|string_to_param|clip_l|clip_g)\b",),
        "Put it into models/embeddings and write embedding:name in a caption.",
    ),
    Kind(
        "an upscaler",
        (r"(body\.\d+\.rdb1|RRDB_trunk|model\.1\.sub\.\d+\.RDB1|conv_last)\.",),
        "Load it with Load Upscale Model.",
    ),
    Kind(
        "a checkpoint of a training run",
        (r"(^|\.)(exp_avg|optimizer|optimiser)\b",),
        "Resume the training with it, or use the adapter file that the run wrote beside it.",
    ),
)


def recognise(keys: Iterable[str]) -> Kind:
    """The kind of file that has these keys."""
    keys = list(keys)
    for kind in KINDS:
        if all(any(re.search(pattern, key) for key in keys) for pattern in kind.patterns):
            return kind
    return UNKNOWN
