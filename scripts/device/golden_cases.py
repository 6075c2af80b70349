"""The golden files, computed on a device in a dtype: a function per file gives pairs of what comes out and what should.

Boxes stay float32 and geometry is computed on the CPU, as in a run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn

from devtools import golden_unets, tiny_models
from devtools.goldens import (
    GOLDEN,
    GRIDS,
    attn2_of,
    blending_of,
    grounding_of,
    load_hashfill,
    metadata_of,
    part,
    plan_of_maps,
    tensors_of,
)
from devtools.pack import pack_module
from roictrl_core.attention import BlockAttention
from roictrl_core.box_embedding import BoxEmbedding
from roictrl_core.fuser import ROIFuser
from roictrl_core.instance_diffusion.config import FORMATS
from roictrl_core.instance_diffusion.fuser import InstanceFuser
from roictrl_core.instance_diffusion.scaleu import scale_decoder, scale_skip
from roictrl_core.instance_diffusion.unifusion import FREQUENCIES, UniFusion
from roictrl_core.instances import InstanceBatch
from roictrl_core.layers import fourier_features
from roictrl_core.plan import plan_level

KEPT = ("boxes", "masks", "fg_mask", "t", "timestep")  # float32 in every dtype, as a sampler gives them


@dataclass(frozen=True)
class Target:
    """Where, and in what dtype."""

    device: str
    dtype: torch.dtype

    def module(self, module: nn.Module) -> nn.Module:
        """There, in evaluation."""
        return module.to(self.device, self.dtype).eval()

    def tensors(self, path: str) -> dict[str, Tensor]:
        """A golden file there."""
        return {
            key: tensor.to(self.device, self.dtype if tensor.is_floating_point() and key not in KEPT else None)
            for key, tensor in read(path).items()
        }


@dataclass(frozen=True)
class Pair:
    """What came out, what should, and how far apart the tests let them be in fp32 on a CPU."""

    got: Tensor
    want: Tensor
    atol: float
    rtol: float = 0.0
    norm: float = float("inf")

    @property
    def errors(self) -> tuple[float, float]:
        """The largest absolute one, and the relative one of the whole."""
        error = self.got.float().cpu() - self.want
        return float(error.abs().max()), float(error.norm() / self.want.norm())

    @property
    def within(self) -> bool:
        error = (self.got.float().cpu() - self.want).abs()
        return bool((error <= self.atol + self.rtol * self.want.abs()).all()) and self.errors[1] < self.norm


@cache
def read(path: str) -> dict[str, Tensor]:
    """A golden file in float32, by its path below tests/golden without the suffix."""
    return tensors_of(GOLDEN / f"{path}.safetensors")


def box_tokens(path: str, target: Target) -> Iterator[Pair]:
    """The box embedding."""
    given = target.tensors(path)
    weights = part(given, "position_net.")
    module = BoxEmbedding(weights["linears.4.weight"].shape[0], weights["linears.0.weight"].shape[0])
    module.load_state_dict(weights)
    yield Pair(target.module(module)(given["boxes"], given["masks"] > 0), read(path)["objs"], 2e-6, 1e-5)


def blending(path: str, target: Target) -> Iterator[Pair]:
    """The blending of slots that are whole maps."""
    given, want = target.tensors(path), read(path)
    slots, foreground = given["x"], given["fg_mask"].bool()
    plan = plan_of_maps(foreground[:, 1:])
    a = slots[:, 0].flatten(2).transpose(1, 2)  # [B, T, C]
    rois = slots[plan.pair_row, 1 + plan.pair_slot].flatten(2).transpose(1, 2).flatten(0, 1)  # [A * T, C]
    used = foreground[:, 1:].flatten(2).any(2)
    instances = InstanceBatch(torch.zeros(*used.shape, 4), used, used, torch.ones(used.shape))
    blend = target.module(blending_of(want))(a, rois, instances, plan, given["perm"])
    yield Pair(blend.fused.transpose(1, 2).reshape(want["out"].shape), want["out"], 2e-6, 1e-5)
    yield Pair(blend.global_weight, want["fuse_weight"][:, 0].flatten(1), 2e-6, 1e-5)


def block(path: str, target: Target) -> Iterator[Pair]:
    """One block: ROI-Align, both attentions, ROI-Unpool, blending, coordinate attention, the dense layer."""
    given, want, meta = target.tensors(path), read(path), metadata_of(GOLDEN / f"{path}.safetensors")
    stride = int(meta["level"])
    height, width = (side // stride for side in meta["image_hw"])
    fuser = ROIFuser(want["hidden"].shape[-1], int(meta["heads"]))
    fuser.load_state_dict(part(want, "roifuser."))
    instances = InstanceBatch.from_boxes(want["boxes"], want["masks"])
    plan = plan_level(instances, size=GRIDS[stride], height=height, width=width, device=target.device)
    texts = [given["instance_embeddings"][pair] for pair in instances.pairs]
    attention, weights = BlockAttention(target.module(attn2_of(want)), texts), []
    out = target.module(fuser)(
        given["hidden"], given["attn_output"], given["normed"], instances, plan, attention, given["objs"],
        order=given["perm"], record=lambda weight, foreground: weights.append(weight),
    )  # fmt: skip
    yield Pair(out, want["out"], 2e-5, norm=1e-6)
    yield Pair(weights[0], want["i.fuse_weight"][:, 0].flatten(1), 2e-6)


def whole_unet(path: str, target: Target) -> Iterator[Pair]:
    """ComfyUI's UNet with the adapter in all its blocks."""
    unet = "roictrl/unet_ldm_smallA"
    config = metadata_of(GOLDEN / f"{unet}.safetensors")["unet_config"]
    model = tiny_models.sd15_model(config, read(unet), target.dtype).to(target.device)
    file = pack_module("roictrl_core.checkpoint").read_adapter(GOLDEN / "roictrl" / "adapter_smallA.safetensors")
    adapter = target.module(pack_module("nodes.weights").adapter_patcher(file).model)
    adapted = pack_module("nodes.training.adapted_unet").AdaptedUNet(model, adapter)
    yield Pair(golden_unets.evaluate(adapted, target.tensors(path))[0], read(path)["eps"], 1e-4, norm=1e-5)


def fourier(path: str, target: Target) -> Iterator[Pair]:
    """Fourier features, which are float32 whatever comes in: in the other dtypes the input alone is rounded."""
    given, want = target.tensors(path), read(path)
    for width in ("4", "40"):
        yield Pair(fourier_features(given[f"x{width}"], FREQUENCIES), want[f"out{width}"], 2e-6)


def skip_filter(path: str, target: Target) -> Iterator[Pair]:
    """ScaleU's low-frequency filter."""
    given, want = target.tensors(path), read(path)
    for size in ("2x2", "5x7", "8x8", "12x20", "16x16", "64x64"):
        for scale in (0.25, 1.7):
            gain = torch.atanh(torch.tensor([scale - 1.0], device=target.device))
            yield Pair(scale_skip(given[f"x_{size}"], gain), want[f"out_{size}_s{scale}"], 2e-5)


def scaleu(path: str, target: Target) -> Iterator[Pair]:
    """ScaleU at three output blocks."""
    given, want = target.tensors(path), read(path)
    for number in (0, 5, 8):
        h = scale_decoder(given[f"h_in.{number}"], given[f"scaleu_b_{number}"])
        skip = scale_skip(given[f"hs_in.{number}"], given[f"scaleu_s_{number}"])
        yield Pair(torch.cat([h, skip], 1), want[f"cat_out.{number}"], 2e-5)


def small_fuser(path: str, target: Target) -> Iterator[Pair]:
    """InstanceDiffusion's fuser."""
    given, fuser = target.tensors(path), InstanceFuser(32, 24, 2)
    fuser.load_state_dict(part(read(path), "w."))
    fuser = target.module(fuser)
    yield Pair(fuser(given["x"], fuser.project(given["objs"])), read(path)["out"], 2e-5)


def full_fuser(path: str, target: Target) -> Iterator[Pair]:
    """The same at full size; the file has every eighth visual token."""
    given, fuser = target.tensors(path), InstanceFuser(320, 768, 8)
    load_hashfill().fill_module(fuser, "fuser320.")
    fuser = target.module(fuser)
    grounding = fuser.project(given["objs"])
    for scale in (1.0, 0.5):
        yield Pair(fuser(given["x"], grounding, scale)[:, ::8], read(path)[f"out_scale{scale:g}"], 2e-5)


def unifusion(path: str, target: Target) -> Iterator[Pair]:
    """The tokens of instances."""
    from comfy.ops import manual_cast

    net = UniFusion(16, 24, 32, operations=manual_cast)  # tokens are float32, whatever the weights are
    load_hashfill().fill_module(net, "small.")
    grounding = grounding_of(read(path)).to(target.device)
    yield Pair(target.module(net)(grounding, FORMATS["scribble"]), read(path)["out"], 2e-5)


def tiny_unet(path: str, target: Target) -> Iterator[Pair]:
    """ComfyUI's UNet with InstanceDiffusion in it: with instances, with the null tokens, with the fusers off."""
    given, want = target.tensors(path), read(path)
    model, patcher = golden_unets.instance_diffusion_model(target.dtype)
    model.to(target.device)
    patcher.model.to(target.device)
    for case in golden_unets.CASES:
        unet = golden_unets.golden_instance_diffusion(model, patcher, grounding_of(want), case)
        for size in golden_unets.SIZES:
            result = unet(given[f"x.{size}"], given["timestep"], given["ctx"])
            yield Pair(result, want[f"{case}.{size}"], 1e-4)


FILES: dict[str, Callable[[str, Target], Iterator[Pair]]] = {
    **{f"roictrl/{name}": box_tokens for name in ("bbox_proj_1", "bbox_proj_5", "bbox_proj_b2")},
    **{f"roictrl/{name}": blending for name in ("fuse_3roi", "fuse_wide_b2", "fuse_perm")},
    "roictrl/roifuser_l64_b2": block,
    **{f"roictrl/{name}": whole_unet for name in golden_unets.ROICTRL},
    "instancediffusion/fourier": fourier,
    "instancediffusion/fourier_filter": skip_filter,
    "instancediffusion/scaleu_tiny": scaleu,
    "instancediffusion/fuser_small": small_fuser,
    "instancediffusion/fuser_320": full_fuser,
    "instancediffusion/unifusion_small": unifusion,
    "instancediffusion/tiny_unet": tiny_unet,
}
UNETS = (whole_unet, tiny_unet)
SLOW = tuple(f"roictrl/{name}" for name in golden_unets.ROICTRL[1:])  # on a CPU, and like the first
