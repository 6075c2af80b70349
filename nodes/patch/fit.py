"""Whether a model can take what an Apply node does to it; where not, a sentence that says what to use instead."""

from __future__ import annotations

from ...roictrl_core.config import AdapterConfig
from .topology import Block, BlockKey, is_unet, text_blocks


def family(model) -> str:
    """What ComfyUI recognised the model as, such as SD15, SDXL or Flux."""
    return type(model.model.model_config).__name__


def unet_blocks(model, node: str) -> dict[BlockKey, Block]:
    """The text blocks of a ModelPatcher's UNet; raises ValueError where it has none."""
    diffusion_model = model.get_model_object("diffusion_model")
    if not is_unet(diffusion_model):
        raise ValueError(
            f"{node}: this model ({family(model)}) is a diffusion transformer, and boxes act in the "
            "cross-attention of a UNet. Use an SD1.x checkpoint, or for Apply ROI Prompts SD1.x, SD2 or SDXL."
        )
    if _reads_a_picture(model.model.model_config):
        raise ValueError(
            f"{node}: this model ({family(model)}) reads a picture where others read text, so captions cannot act. "
            "Use an SD1.x checkpoint, or for Apply ROI Prompts SD1.x, SD2 or SDXL."
        )
    blocks = text_blocks(diffusion_model)
    if not blocks:
        raise ValueError(
            f"{node}: this model ({family(model)}) does not read text in its UNet, so captions cannot act. "
            "Use an SD1.x checkpoint, or for Apply ROI Prompts SD1.x, SD2 or SDXL."
        )
    return blocks


def _reads_a_picture(config) -> bool:
    """Whether the context of the cross-attention is a CLIP vision embedding alone (Stable Zero123, SVD, SV3D)."""
    return bool(config.clip_vision_prefix) and config.clip_target() is None


def check_adapter_fits(model, config: AdapterConfig, node: str) -> None:
    """Raises ValueError where the adapter was made for another UNet."""
    blocks = unet_blocks(model, node)
    wanted = {(*spec.comfy, spec.index): (spec.channels, spec.heads) for spec in config.blocks}
    found = {key: (block.channels, block.heads) for key, block in blocks.items()}
    if wanted.items() <= found.items():
        return
    made_for = "SD1.x" if config.blocks == AdapterConfig.sd15().blocks else _shape(wanted)
    raise ValueError(
        f"{node}: the adapter is for {made_for}, and this model ({family(model)}) is {_shape(found)}. "
        "Use an SD1.x checkpoint with it, or Apply ROI Prompts, which needs no adapter, with this model."
    )


def _shape(blocks: dict[BlockKey, tuple[int, int]]) -> str:
    widths = "/".join(str(width) for width in sorted({width for width, _ in blocks.values()}))
    heads = "/".join(str(count) for count in sorted({count for _, count in blocks.values()}))
    return f"a UNet with {len(blocks)} text blocks of {widths} channels and {heads} heads"


def text_width(model) -> int:
    """Numbers per token that the UNet's cross-attention reads."""
    return next(iter(text_blocks(model.get_model_object("diffusion_model")).values())).text_width
