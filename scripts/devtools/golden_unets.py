"""The golden UNets in ComfyUI's own UNetModel, for the tests and the device check. Needs `start_comfyui`."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

from torch import Tensor

from . import tiny_models
from .goldens import load_hashfill
from .pack import pack_module

ROICTRL = ("unet_p1_square_3", "unet_p2_cfg_pair_3", "unet_p4_square_3_perm")  # of the files in the repository
INSTANCE_DIFFUSION_UNET = {**tiny_models.SD15, "channel_mult": [1, 2, 4, 4], "num_heads": 2, "context_dim": 16}
SIZES, CASES = ("32", "24x40"), ("cond", "null", "scale0")


def evaluate(unet, case: dict[str, Tensor]) -> tuple:
    """The trainer's forward, `AdaptedUNet`, on a golden file of ROICtrl's."""
    instances = pack_module("roictrl_core.instances").InstanceBatch.from_boxes(case["boxes"], case["masks"])
    captions = [case["instance_embeddings"][row, slot] for row, slot in instances.pairs]
    return unet(
        case["x"],
        case["t"].float(),
        case["context"],
        instances,
        captions,
        order=lambda block: case["perms"][block.number],
    )


def fusers_of(unet: dict, heads: int = 8):
    """InstanceDiffusion's config for the fusers and ScaleU that a UNet of SD1.x's kind wants."""
    config = pack_module("roictrl_core.instance_diffusion.config")
    base, mult = unet["model_channels"], unet["channel_mult"]
    widths = {320: base * mult[0], 640: base * mult[1], 1280: base * mult[2]}
    sd15 = config.InstanceDiffusionConfig()
    return config.InstanceDiffusionConfig(
        fusers=tuple((name, widths[channels]) for name, channels in sd15.fusers),
        heads=heads,
        scaleu=tuple([base * mult[3]] * 3 + [base * mult[2]] * 4 + [base * mult[1]] * 3 + [base * mult[0]] * 2),
        text_width=unet["context_dim"],
        token_width=unet["context_dim"],
        hidden_width=32,
    )


def instance_diffusion_model(dtype=None) -> tuple:
    """(BaseModel, INSTANCE_DIFFUSION) of the golden UNet."""
    import comfy.ops
    import torch
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

    hashfill, dtype = load_hashfill(), dtype or torch.float32
    unet = UNetModel(**INSTANCE_DIFFUSION_UNET, operations=comfy.ops.disable_weight_init, device="meta")
    shapes = {key: tuple(value.shape) for key, value in unet.state_dict().items()}
    model = tiny_models.sd15_model(
        INSTANCE_DIFFUSION_UNET, {key: hashfill.make("tiny." + key, shape) for key, shape in shapes.items()}, dtype
    )
    config = fusers_of(INSTANCE_DIFFUSION_UNET, heads=2)
    network = pack_module("roictrl_core.instance_diffusion.model").InstanceDiffusion(config, device="meta")
    weights = {key: hashfill.make("tiny." + key, tuple(value.shape)) for key, value in network.state_dict().items()}
    patcher = pack_module("nodes.weights").instance_diffusion_patcher(config, weights)
    patcher.model.to(dtype).load_state_dict(weights)  # ComfyUI would store them as it likes on this device
    return model, patcher


def given_unet(unet, patcher, grounding, scale: float, settings) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """A function (x, t, text): the UNet with InstanceDiffusion's patches at one row.

    Its grounding and the fusers' strength are given in place of a layout's.
    """
    module = pack_module("nodes.patch.methods.instance_diffusion")
    rows, memo = pack_module("nodes.patch.rows"), pack_module("nodes.patch.memo").Memo

    class Given(module.InstanceDiffusionSession):
        def __init__(self) -> None:
            run = SimpleNamespace(control=SimpleNamespace(strength=1.0), memo=memo(), say=lambda code, **values: None)
            super().__init__(SimpleNamespace(network=patcher.model, settings=settings), run)

        def grounding(self, subject):
            return grounding

        def _scale(self, call):
            return scale

    host = pack_module("nodes.patch.hosts").UNet(unet)
    session, install = Given(), host.patching("test")

    def evaluate(x: Tensor, t: Tensor, text: Tensor) -> Tensor:
        size = (1, *x.shape[-2:])
        own = rows.Rows((rows.Chunk(0, "negative", slots=((),)),), 1, size)
        points = session(SimpleNamespace(host=host, options={}, rows=own))
        options = install(host, {"cond_or_uncond": [0]}, points, size, memo(), session.run.say)
        return unet(x, t, context=text, transformer_options=options)

    return evaluate


def golden_instance_diffusion(model, patcher, grounding, case: str) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """`given_unet` of one of CASES; grounding: of the file."""
    settings = pack_module("nodes.patch.methods.instance_diffusion").Settings(
        formats=pack_module("roictrl_core.instance_diffusion.config").FORMATS["mask"]
    )
    given = type(grounding).null(1, 16) if case == "null" else grounding
    return given_unet(model.diffusion_model, patcher, given, 0.0 if case == "scale0" else 1.0, settings)
