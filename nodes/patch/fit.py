"""Whether a model can take what an Apply node does to it; where not, a sentence that says what to use instead."""

from __future__ import annotations

from ...roictrl_core.config import AdapterConfig
from .hosts import Host, family_of

REMEDY = "Use an SD1.x checkpoint, or for Apply ROI Prompts SD1.x, SD2 or SDXL."


def host_of(model, node: str) -> Host:
    """The host of a ModelPatcher's model; raises ValueError where no instance can act in it."""
    diffusion_model = model.get_model_object("diffusion_model")
    name, kind = type(model.model.model_config).__name__, family_of(diffusion_model)
    if kind is None:
        raise ValueError(
            f"{node}: this model ({name}) is a diffusion transformer, and boxes act in the cross-attention of a UNet. {REMEDY}"
        )
    if _reads_a_picture(model.model.model_config):
        raise ValueError(
            f"{node}: this model ({name}) reads a picture where others read text, so captions cannot act. {REMEDY}"
        )
    host = kind(diffusion_model, name)
    if not host.blocks:
        raise ValueError(
            f"{node}: this model ({name}) does not read text in its UNet, so captions cannot act. {REMEDY}"
        )
    return host


def _reads_a_picture(config) -> bool:
    """Whether the context of the cross-attention is a CLIP vision embedding alone (Stable Zero123, SVD, SV3D)."""
    return bool(config.clip_vision_prefix) and config.clip_target() is None


def check_adapter_fits(host: Host, config: AdapterConfig, node: str) -> None:
    """Raises ValueError where the adapter was made for another model."""
    wanted = {spec.name: (spec.channels, spec.heads) for spec in config.blocks}
    found = {block.name: (block.channels, block.heads) for block in host.blocks}
    if wanted.items() <= found.items():
        return
    made_for = "SD1.x" if config.blocks == AdapterConfig.sd15().blocks else host.described(config.blocks)
    raise ValueError(
        f"{node}: the adapter is for {made_for}, and this model ({host.family}) is {host.shape}. "
        "Use an SD1.x checkpoint with it, or Apply ROI Prompts, which needs no adapter, with this model."
    )
