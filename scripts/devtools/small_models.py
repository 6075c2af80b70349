"""Small random models that ComfyUI's own loaders recognise, for tests of the HTTP path
and for the demo without weights.

Loaders recognise SD1.5 and SDXL by their model channels (320), context width and blocks per level, not by the width
of the deeper levels: a UNet that is 320 wide at every level loads as the real thing at a tenth of its size.
The VAE is the tiny autoencoder's shape. The text encoders have no small form: they are full-sized, random,
and stored in half precision.

    python -m devtools.small_models FOLDER [NAME ...]     writes a `models` folder, or some of its files
"""

from __future__ import annotations

import functools
import json
import os
import sys
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file

from .inprocess import start_comfyui
from .pack import register_core

register_core()

from roictrl_core.files import write_atomically  # noqa: E402

SD15_CHECKPOINT = "checkpoints/v1-5-pruned-emaonly-fp16.safetensors"
COMMUNITY_CHECKPOINT = "checkpoints/dreamshaper_8.safetensors"
SDXL_CHECKPOINT = "checkpoints/sd_xl_base_1.0.safetensors"
CONTROLNET = "controlnet/control_v11p_sd15_canny_fp16.safetensors"
T2I_ADAPTER = "controlnet/t2iadapter_canny_sd15v2.pth"
ADAPTER = "roictrl/ROICtrl_sdv14_30K.safetensors"
INSTANCE_DIFFUSION = "instance_diffusion/instancediffusion_sd15.pth"
GLIGEN = "gligen/gligen_sd14_textbox_pruned.safetensors"
IP_ADAPTER = "ipadapter/ip-adapter_sd15.safetensors"
LORA = "loras/style_lora_sd15.safetensors"
HEROES = ("loras/knight_lora_sd15.safetensors", "loras/wizard_lora_sd15.safetensors")

SD15 = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 320,
    "num_res_blocks": [2, 2, 2, 2],
    "channel_mult": [1, 1, 1, 1],
    "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0],
    "transformer_depth_middle": 1,
    "transformer_depth_output": [1] * 9 + [0] * 3,
    "use_spatial_transformer": True,
    "context_dim": 768,
    "num_heads": 8,
    "legacy": False,
}
SDXL = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 320,
    "num_res_blocks": [2, 2, 2],
    "channel_mult": [1, 1, 1],
    "transformer_depth": [0, 0, 2, 2, 10, 10],
    "transformer_depth_middle": 10,
    "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10],
    "use_spatial_transformer": True,
    "context_dim": 2048,
    "num_head_channels": 64,
    "use_linear_in_transformer": True,
    "legacy": False,
    "num_classes": "sequential",
    "adm_in_channels": 2816,
}

StateDict = dict[str, torch.Tensor]


def fill(name: str, shape: torch.Size) -> torch.Tensor:
    """Half-precision values that keep a network's activations finite, the same on every machine: norms and gates 1,
    biases 0, matrices 0.7/sqrt(fan-in)."""
    if len(shape) < 2:
        return torch.full(shape, float(not name.endswith("bias")), dtype=torch.float16)
    pool = random_pool()
    start = zlib.crc32(name.encode()) % len(pool)
    values = pool.roll(-start).repeat(-(-shape.numel() // len(pool)))[: shape.numel()]
    return (values * (0.7 / shape[1:].numel() ** 0.5)).view(shape)


@functools.cache
def random_pool() -> torch.Tensor:
    """Normal numbers that all weights draw from: a prime many, so that rows of a matrix do not repeat;
    drawing 10^9 anew takes a minute."""
    return torch.randn(1_000_003, generator=torch.Generator().manual_seed(0)).half()


def filled(build: Callable[[], torch.nn.Module], prefix: str = "") -> StateDict:
    """The random state dict of a module that is only built on the meta device."""
    with torch.device("meta"):
        module = build()
    return {prefix + name: fill(name, tensor.shape) for name, tensor in module.state_dict().items()}


def unet(config: dict) -> StateDict:
    """A diffusion UNet under a checkpoint's prefix."""
    import comfy.ops
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

    return filled(lambda: UNetModel(**config, operations=comfy.ops.disable_weight_init), "model.diffusion_model.")


def tiny_vae() -> StateDict:
    """The tiny autoencoder under a checkpoint's prefix; its two scalars leave latents as they are."""
    from comfy.taesd.taesd import TAESD

    sd = filled(lambda: TAESD(), "first_stage_model.")
    return {**sd, "first_stage_model.vae_scale": torch.tensor(1.0), "first_stage_model.vae_shift": torch.tensor(0.0)}


def clip_l(prefix: str) -> StateDict:
    """CLIP-L, the text encoder of SD1.x."""
    import comfy.ops
    import comfy.sd1_clip
    from comfy.clip_model import CLIPTextModel

    config = json.loads(Path(comfy.sd1_clip.__file__).with_name("sd1_clip_config.json").read_text(encoding="utf-8"))
    sd = filled(lambda: CLIPTextModel(config, torch.float16, "meta", comfy.ops.disable_weight_init), prefix)
    return {name: tensor for name, tensor in sd.items() if "text_projection" not in name}


def clip_g(prefix: str) -> StateDict:
    """CLIP-G in the names of an SDXL checkpoint. Its layers are zeros: the embeddings and the last
    norm already tell texts apart."""
    width, layers = 1280, 32
    shapes = {
        "positional_embedding": (77, width),
        "token_embedding.weight": (49408, width),
        "text_projection": (width, width),
        "ln_final.weight": (width,),
        "ln_final.bias": (width,),
    }
    block = {
        "ln_1.weight": (width,),
        "ln_1.bias": (width,),
        "ln_2.weight": (width,),
        "ln_2.bias": (width,),
        "attn.in_proj_weight": (3 * width, width),
        "attn.in_proj_bias": (3 * width,),
        "attn.out_proj.weight": (width, width),
        "attn.out_proj.bias": (width,),
        "mlp.c_fc.weight": (4 * width, width),
        "mlp.c_fc.bias": (4 * width,),
        "mlp.c_proj.weight": (width, 4 * width),
        "mlp.c_proj.bias": (width,),
    }
    zeros = {
        f"transformer.resblocks.{layer}.{name}": torch.zeros(shape, dtype=torch.float16)
        for layer in range(layers)
        for name, shape in block.items()
    }
    return {
        prefix + name: tensor
        for name, tensor in {**zeros, **{name: fill(name, torch.Size(shape)) for name, shape in shapes.items()}}.items()
    }


def controlnet() -> StateDict:
    """A ControlNet for the small SD1.5 UNet, its output convolutions not zero."""
    import comfy.ops
    from comfy.cldm.cldm import ControlNet

    config = {key: value for key, value in SD15.items() if key not in ("out_channels", "transformer_depth_output")}
    return filled(
        lambda: ControlNet(**config, hint_channels=3, operations=comfy.ops.disable_weight_init), "control_model."
    )


def t2i_adapter() -> StateDict:
    """A T2I-Adapter as the loader builds it: for the real UNet's widths, so that of the small one only the first level
    takes what it gives."""
    from comfy.t2i_adapter.adapter import Adapter

    return filled(lambda: Adapter(cin=64, nums_rb=2, ksize=1, sk=True, use_conv=False, xl=False))


def ip_adapter() -> StateDict:
    """IP-Adapter for the small SD1.5 UNet: four tokens of an embedding of 1,024 numbers, and keys and values of them
    for each of its 16 cross-attentions."""
    shapes = {
        "image_proj.proj.weight": (4 * 768, 1024),
        "image_proj.proj.bias": (4 * 768,),
        "image_proj.norm.weight": (768,),
        "image_proj.norm.bias": (768,),
        **{f"ip_adapter.{number}.to_{name}_ip.weight": (320, 768) for number in range(1, 32, 2) for name in "kv"},
    }
    return {name: fill(name, torch.Size(shape)) for name, shape in shapes.items()}


def lora(sd: StateDict, rank: int = 4, salt: str = "") -> StateDict:
    """A LoRA on every cross-attention query and value of a small SD1.5, in the names that ComfyUI's own
    LoRAs have: not the checkpoint's."""
    found = {}
    for name, weight in sd.items():
        if "attn2.to_q" in name or "attn2.to_v" in name:
            stem = name.removeprefix("model.").removesuffix(".weight")
            found[f"{stem}.lora_down.weight"] = fill(stem + "down" + salt, torch.Size((rank, weight.shape[1])))
            found[f"{stem}.lora_up.weight"] = fill(stem + "up" + salt, torch.Size((weight.shape[0], rank)))
    return found


def lora_named(name: str) -> StateDict:
    """One that differs from every other of them."""
    return lora(unet(SD15), salt=name)


def sd15_checkpoint() -> StateDict:
    """Everything `Load Checkpoint` wants of an SD1.5 file."""
    return unet(SD15) | tiny_vae() | clip_l("cond_stage_model.transformer.")


def sdxl_checkpoint() -> StateDict:
    """Everything `Load Checkpoint` wants of an SDXL file."""
    return (
        unet(SDXL)
        | tiny_vae()
        | clip_l("conditioner.embedders.0.transformer.")
        | clip_g("conditioner.embedders.1.model.")
    )


def write_adapter(file: Path) -> None:
    """A ROICtrl adapter for the small SD1.5 UNet under the published key names,
    every gate open, its ROI grids small."""
    from roictrl_core.adapter import ROICtrlAdapter
    from roictrl_core.checkpoint import save_adapter
    from roictrl_core.config import AdapterConfig

    config = AdapterConfig.for_unet(SD15, grids=(7, 5, 4, 3))
    save_adapter(file, config, filled(lambda: ROICtrlAdapter(config)))


def instance_diffusion() -> StateDict:
    """InstanceDiffusion for the small SD1.5 UNet, its token networks narrow; the mask branch has only one size."""
    from roictrl_core.instance_diffusion.config import InstanceDiffusionConfig
    from roictrl_core.instance_diffusion.model import InstanceDiffusion

    names = [name for name, _ in InstanceDiffusionConfig().fusers]
    config = InstanceDiffusionConfig(fusers=tuple((name, 320) for name in names), scaleu=(320,) * 12, hidden_width=64)
    return filled(lambda: InstanceDiffusion(config))


def gligen() -> StateDict:
    """GLIGEN for the small SD1.5 UNet: as many fusers as it has text blocks, under the names
    that core's loader reads."""
    from comfy.gligen import GatedSelfAttentionDense, PositionNet

    from roictrl_core.instance_diffusion.config import InstanceDiffusionConfig

    parts = filled(lambda: PositionNet(768, 768), "position_net.")
    for name, _ in InstanceDiffusionConfig().fusers:
        parts.update(filled(lambda: GatedSelfAttentionDense(320, 768, 8, 40), f"{name}.transformer_blocks.0.fuser."))
    return parts


WRITERS: dict[str, Callable[[], StateDict]] = {
    SD15_CHECKPOINT: sd15_checkpoint,
    SDXL_CHECKPOINT: sdxl_checkpoint,
    CONTROLNET: controlnet,
    T2I_ADAPTER: t2i_adapter,
    IP_ADAPTER: ip_adapter,
    LORA: lambda: lora(unet(SD15)),
    **{name: functools.partial(lora_named, name) for name in HEROES},
    INSTANCE_DIFFUSION: instance_diffusion,
    GLIGEN: gligen,
}
NAMES = (*WRITERS, ADAPTER, COMMUNITY_CHECKPOINT)


def write_models(folder: Path, names: Sequence[str] = NAMES) -> None:
    """Small models under the names that the example workflows ask for; what is there already is kept."""
    for name in names:
        file = folder / name
        if file.exists():
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        if name == ADAPTER:
            write_adapter(file)
        elif name == COMMUNITY_CHECKPOINT:
            os.link(folder / SD15_CHECKPOINT, file)
        else:
            weights = {key: tensor.contiguous() for key, tensor in WRITERS[name]().items()}
            save = torch.save if file.suffix == ".pth" else save_file
            write_atomically(file, lambda partial, save=save, weights=weights: save(weights, partial))


if __name__ == "__main__":
    start_comfyui()
    write_models(Path(sys.argv[1]), sys.argv[2:] or NAMES)
