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
    """

    name: str
    patterns: tuple[str, ...]


ROICTRL = Kind("a ROICtrl adapter", (r"\.roifuser\.",))
UNKNOWN = Kind("none of the known kinds", ())

# The first match counts: what is more particular comes first.
KINDS = (
    ROICTRL,
    Kind(
        "an InstanceDiffusion checkpoint",
        (r"((^|\.)(convnext_tiny_backbone|null_polygon_feature)|_blocks?\.\d+\.state\.|^\d+\.scaleu_b$)",),
    ),
    Kind("a GLIGEN model", (r"position_net\.", r"\.fuser\.")),
    Kind("a LoRA", (r"(\.lora_(up|down|A|B|a|b)\b|lora_unet_|\.lora\.|\.hada_w|\.lokr_w|\.oft_|\.dora_scale)",)),
    Kind("an IP-Adapter", (r"(^|\.)(ip_adapter|image_proj)\.",)),
    Kind("a ControlNet", (r"(^|\.)(control_model\.|controlnet_|input_hint_block\.|zero_convs\.|lora_controlnet)",)),
    Kind("a T2I-Adapter", (r"(^|\.)(adapter\.)?body\.\d+\.(resnets\.\d+\.)?(block1|in_conv)\.",)),
    Kind("an AnimateDiff motion module", (r"motion_modules\.",)),
    Kind(
        "a full checkpoint without an adapter",
        (r"model\.diffusion_model\.", r"(first_stage_model|cond_stage_model|conditioner|vae|text_encoders)\."),
    ),
    Kind(
        "a diffusion transformer",
        (r"(double_blocks|joint_blocks|single_transformer_blocks|cap_embedder|adaln_single)\b",),
    ),
    Kind(
        "a UNet without an adapter",
        (r"((^|\.)(input_blocks|output_blocks|down_blocks|up_blocks)\.)", r"(time_embed|time_embedding)\."),
    ),
    Kind("a VAE", (r"(^|\.)decoder\.", r"(^|\.)encoder\.(down|conv_in)")),
    Kind(
        "a text encoder",
        (r"(text_model\.encoder|transformer\.resblocks|encoder\.block\.\d+\.layer|model\.layers\.\d+\.self_attn)\.?",),
    ),
    Kind("a CLIP vision model", (r"vision_model\.",)),
    Kind("a textual inversion embedding", (r"(^|\.)(emb_params|string_to_param|clip_l|clip_g)\b",)),
    Kind("an upscaler", (r"(body\.\d+\.rdb1|RRDB_trunk|model\.1\.sub\.\d+\.RDB1|conv_last)\.",)),
    Kind("a checkpoint of a training run", (r"(^|\.)(exp_avg|optimizer|optimiser)\b",)),
)


class OtherKind(ValueError):
    """A sound file, of another kind than the one that was asked for.

    The sentence says what it is. What to do with such a file is known where files are loaded: by `kind`.
    """

    def __init__(self, sentence: str, kind: Kind) -> None:
        super().__init__(sentence)
        self.kind = kind


def recognise(keys: Iterable[str]) -> Kind:
    """The kind of file that has these keys."""
    keys = list(keys)
    for kind in KINDS:
        if all(any(re.search(pattern, key) for key in keys) for pattern in kind.patterns):
            return kind
    return UNKNOWN
