"""The host for ComfyUI's UNetModel (SD1.x, SD2, SDXL): its blocks by their published names, and its points.

Before cross-attention is a middle_patch, after it an attn2_output_patch, the decoder's skip an output_block_patch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property

import comfy.ldm.modules.attention as comfy_attention
import torch
from comfy.ldm.modules.diffusionmodules.openaimodel import Downsample, Upsample
from torch import Tensor

from ....roictrl_core.attention import InstanceAttention
from ....roictrl_core.config import in_words
from ..control import Text
from ..gates import Gate
from ..memo import Memo
from ..points import AFTER, BEFORE, OURS, SKIP, STATE, Carry, Inputs, Points, Reading, Size
from .gated import on_maps, swaps
from .loras import UnderLoRAs
from .swap import swapped, unwrapped
from .unet_attention import CaptionAttention
from .unet_replacements import watched

BlockKey = tuple[str, int, int]  # ("input" | "middle" | "output", number, index in its transformer), as hooks name it
Say = Callable[..., None]

# A keyword that the model takes and does not read. torch.compile's nodes skip the guards on transformer_options, so
# that a model traced without our patches would never see them; on a keyword there is a guard, and this one tells the
# patches.
PATCHES = "roictrl_patches"


@dataclass(frozen=True)
class UNetBlock:
    """One BasicTransformerBlock.

    It is the ``number``-th in forward order, in the ``layer``-th transformer (per-layer text).
    """

    key: BlockKey
    name: str
    official: str
    module: torch.nn.Module
    number: int
    layer: int
    level: int

    @property
    def reader(self) -> str:
        """The name in the model of its cross-attention."""
        return f"{self.official}.attn2"

    @property
    def channels(self) -> int:
        """C, the width of its state."""
        return self.module.attn2.to_q.in_features

    @property
    def heads(self) -> int:
        """Of its attention."""
        return self.module.n_heads

    @property
    def text_width(self) -> int:
        """Numbers per token that its cross-attention reads."""
        return self.module.attn2.to_k.in_features


class UNet:
    """A UNet that is, or was made for, ``diffusion_model``; ``family`` is what ComfyUI recognised the model as."""

    families = ("SD1.x", "SD2.x", "SDXL")
    offers = frozenset({BEFORE, AFTER, STATE, SKIP})

    def __init__(self, diffusion_model: torch.nn.Module, family: str = "", base: object = None) -> None:
        self.module, self.family, self.base = unwrapped(diffusion_model), family, base

    @staticmethod
    def owns(diffusion_model: torch.nn.Module) -> bool:
        """Whether a diffusion model is a UNet."""
        module = unwrapped(diffusion_model)
        return all(hasattr(module, name) for name in ("input_blocks", "middle_block", "output_blocks"))

    @cached_property
    def by_key(self) -> dict[BlockKey, UNetBlock]:
        """Every transformer block with text cross-attention, in forward order."""
        return {block.key: block for block in _blocks(self.module)}

    @property
    def blocks(self) -> Sequence[UNetBlock]:
        """The same."""
        return list(self.by_key.values())

    @cached_property
    def readers(self) -> Mapping[str, torch.nn.Module]:
        """As `Host.readers`."""
        return {block.reader: block.module.attn2 for block in self.blocks}

    @property
    def name(self) -> str:
        """Which of the families it is of, by the text that it reads."""
        return {768: "SD1.x", 1024: "SD2.x", 2048: "SDXL"}.get(self.text_width, self.family)

    @property
    def text_width(self) -> int:
        """Numbers per token of the text that it reads."""
        return self.blocks[0].text_width

    def why_not(self, config) -> str:
        """Why instances cannot act in it, as the end of a sentence; "" where they can.

        ``config``: ComfyUI's of the model.
        """
        if config.clip_vision_prefix and config.clip_target() is None:  # Stable Zero123, SVD, SV3D
            return "reads a picture where others read text, so captions cannot act"
        return "" if self.by_key else "does not read text in its UNet, so captions cannot act"

    @property
    def shape(self) -> str:
        """In words, for a sentence that says that something does not fit."""
        return in_words(self.blocks)

    def least_crop(self, height: int, width: int) -> tuple[int, int]:
        """As `Host.least_crop`: it runs on any."""
        return 1, 1

    @staticmethod
    def at_skips(options: Mapping) -> tuple[bool, list[Callable]]:
        """Whether another Apply acts at the decoder's skips in this call; and other packs' functions there."""
        found = options.get("patches", {}).get("output_block_patch", ())
        return any(hasattr(f, OURS) for f in found), [f for f in found if not hasattr(f, OURS)]

    @staticmethod
    def encoded(model, x: Tensor, text: Text) -> Text:
        """A caption as the model reads it: the embedding itself."""
        return text

    def treats_tokens(self, layer: str) -> bool:
        """As `Host.treats_tokens`: in the transformers, and what leads into them and out."""
        return layer.startswith(tuple({block.official.partition("transformer_blocks.")[0] for block in self.blocks}))

    @contextmanager
    def gated(self, gates: Sequence[Gate], inputs: Inputs, memo: Memo) -> Iterator[Inputs]:
        """As `Host.gated`."""
        rows, _, *size = inputs.x.shape
        grids = [tuple(size)]
        while max(grids[-1]) > 1:
            grids.append(tuple(-(-side // 2) for side in grids[-1]))
        others = {**inputs.others, PATCHES: (*inputs.others.get(PATCHES, ()), ("gates", len(gates)))}
        with swapped(swaps(self, gates, on_maps(rows, grids), memo)):
            yield inputs._replace(others=others)

    @staticmethod
    def unpacked(out: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """The tensor in what a reader gives, and how it is put back."""
        return out, lambda a: a

    @staticmethod
    def installer(key: str) -> Callable[..., AbstractContextManager[Inputs]]:
        """As `Host.installer`."""
        patch = UNet.patching(key)

        def install(
            host: UNet, inputs: Inputs, points: Points, size: tuple[int, ...], memo: Memo, say: Say
        ) -> AbstractContextManager[Inputs]:
            options = patch(host, inputs.options, points, size, memo, say)
            counts = tuple((name, len(patches)) for name, patches in options.get("patches", {}).items())
            return nullcontext(
                inputs._replace(
                    options=options,
                    others={**inputs.others, PATCHES: (*inputs.others.get(PATCHES, ()), *counts)},
                )
            )

        return install

    @staticmethod
    def together(inputs: Inputs) -> AbstractContextManager[Inputs]:
        """As `Host.together`: text with a layer for each transformer is read so, whatever acts."""
        return nullcontext(inputs._replace(options=UNet.reading_layers(inputs.options, inputs.text)))

    @staticmethod
    def patching(key: str) -> Callable[..., dict]:
        """``patch(host, options, points, size, memo, say)``: a copy of a call's transformer_options in which a
        method's points are reached.  For one Apply, whose ``key`` is its own; the patches are the same in every call,
        since torch.compile traces a UNet anew for each that it has not seen."""
        patches = _patches(key)

        def patch(host: UNet, options: Mapping, points: Points, size: tuple[int, ...], memo: Memo, say: Say) -> dict:
            foreign = [patch for patch in options.get("patches", {}).get("attn2_patch", ()) if not hasattr(patch, OURS)]
            options = {**options, key: _Acting(points, size, host.by_key, tuple(foreign), say)}
            if points.before:
                options = with_patches(options, {"middle_patch": patches["before"]}, first=("middle_patch",))
            if points.after:
                around = {
                    "middle_patch": patches["capture_h"],
                    "attn2_patch": patches["capture_n"],
                    "attn2_output_patch": patches["after"],
                }
                options = with_patches(options, around)
                options = watched(options, memo, say)
            if points.skip:
                options = with_patches(options, {"output_block_patch": patches["skip"]})
            return options

        return patch

    @staticmethod
    def reading_layers(options: Mapping, context: Tensor | None) -> Mapping:
        """The options of a call whose text ``[B, layers, L, c]`` has a layer for each transformer (ED-LoRA)."""
        if context is None or context.ndim != 4:
            return options
        return with_patches(options, {"attn2_patch": pick_layer})


# --- blocks ---


def _blocks(unet: torch.nn.Module) -> Iterator[UNetBlock]:
    number = layer = 0
    for section, place, published, level, stage in _stages(unet):
        for member, module in enumerate(stage):
            inner = getattr(unwrapped(module), "transformer_blocks", None)
            if inner is None:
                continue
            official = f"middle_block.{member}" if section == "middle" else f"{section}_blocks.{place}.{member}"
            for index, block in enumerate(inner):
                if _reads_text(block):
                    names = (f"{name}.transformer_blocks.{index}" for name in (published, official))
                    yield UNetBlock((section, place, index), *names, unwrapped(block), number, layer, level)
                    number += 1
            layer += 1


def _stages(unet: torch.nn.Module) -> Iterator[tuple[str, int, str, int, torch.nn.Module]]:
    """Section, place in it, diffusers' name of its attention, level and modules of every stage that can have one."""
    level, step = 0, -1  # the first stage is a convolution alone
    for place, stage in enumerate(map(unwrapped, unet.input_blocks)):
        yield "input", place, f"down_blocks.{level}.attentions.{step}", level, stage
        level, step = (level + 1, 0) if _has(stage, Downsample) else (level, step + 1)
    coarsest = level
    if unet.middle_block is not None:
        yield "middle", 0, "mid_block.attentions.0", coarsest, unwrapped(unet.middle_block)
    level = step = 0
    for place, stage in enumerate(map(unwrapped, unet.output_blocks)):
        yield "output", place, f"up_blocks.{level}.attentions.{step}", coarsest - level, stage
        level, step = (level + 1, 0) if _has(stage, Upsample) else (level, step + 1)


def _has(stage: torch.nn.Module, kind: type) -> bool:
    return any(isinstance(unwrapped(member), kind) for member in stage)


def _reads_text(block: torch.nn.Module) -> bool:
    return getattr(block, "attn2", None) is not None and not getattr(block, "switch_temporal_ca_to_sa", False)


# --- points ---


@dataclass(frozen=True)
class _Acting:
    """What our patches need in one call: the method's functions, the input ``(rows, height, width)`` that they are for,
    and other packs' attn2_patches, of which core tells the blocks' hooks nothing."""

    points: Points
    size: tuple[int, int, int]
    blocks: Mapping[BlockKey, UNetBlock]
    context_patches: tuple[Callable, ...]
    say: Say


@dataclass(frozen=True)
class UNetSpot:
    """One block in one call, with the options that core gives the block's hooks."""

    block: UNetBlock
    size: Size
    options: dict
    context_patches: tuple[Callable, ...] = ()

    def attention(self, reading: Reading, carry: Carry) -> InstanceAttention:
        """The block's attn2 on the ROIs' texts."""
        own = CaptionAttention(self.block, reading, self.options, self.context_patches, carry)
        return UnderLoRAs.around(own, self.block.module.attn2, self.block.reader, reading)

    def kernel(self, q: Tensor, k: Tensor, v: Tensor, heads: int, mask: Tensor | None = None) -> Tensor:
        """ComfyUI's attention; looked up at the call, because some packs replace the functions in their module."""
        if mask is None:
            return comfy_attention.optimized_attention(q, k, v, heads, transformer_options=self.options)
        return comfy_attention.optimized_attention_masked(q, k, v, heads, mask, transformer_options=self.options)


def with_patches(options: Mapping, patches: Mapping[str, Callable], first: Sequence[str] = ("attn2_patch",)) -> dict:
    """A copy of transformer_options with our patches in its lists, before everybody's where named in ``first``.

    The capture of norm2's output and the per-layer text go before everybody's attn2_patch, the capture of h and our
    output after everybody's: a middle_patch behind ours would make the h that we saw stale.
    """
    lists = {name: list(own) for name, own in options.get("patches", {}).items()}
    for name, patch in patches.items():
        lists.setdefault(name, []).insert(0 if name in first else len(lists[name]), patch)
    return {**options, "patches": lists}


def _patches(key: str) -> dict[str, Callable]:
    """The patches of one Apply; they hand h and n on in the dict that core makes for each block call."""
    kept = f"{key}.block"

    def before(h, options):
        spot = _spot(options.get(key), (h,), options)
        return h if spot is None else options[key].points.before(h, spot)

    def capture_h(h, options):
        if key in options:
            options[kept] = {"h": h}
        return h

    def capture_n(n, context, value, options):
        if kept in options:
            options[kept]["n"] = n
        return n, context, value

    def after(a, options):
        state = options.pop(kept, {})
        if len(state) < 2:
            return a
        spot = _spot(options.get(key), (state["h"], state["n"], a), options)
        return a if spot is None else options[key].points.after(state["h"], a, state["n"], spot)

    def skip(h, skip, options):
        acting = options.get(key)
        if acting is None or h.shape[0] != acting.size[0]:
            return h, skip
        return acting.points.skip(options["block"][1], h, skip)

    patches = {f.__name__: torch.compiler.disable()(f) for f in (before, capture_h, capture_n, after, skip)}
    for patch in patches.values():
        setattr(patch, OURS, True)
    return patches


def _spot(acting: _Acting | None, states: Sequence[Tensor], options: dict) -> UNetSpot | None:
    """Where a block call is, or None where it is no part of the call that the instances were placed for."""
    if acting is None:
        return None
    block = acting.blocks.get((*options["block"], options.get("block_index", 0)))
    size = tuple(options["activations_shape"][-2:])
    shape = options.get("original_shape")
    if block is None or shape is not None and (shape[0], *shape[-2:]) != acting.size:
        return None  # an extra pass over something else than the sampled latent, a reference image for one
    if any(s.shape != states[0].shape for s in states) or states[0].shape[:2] != (acting.size[0], size[0] * size[1]):
        acting.say("run.tokens_changed")
        return None
    return UNetSpot(block, size, options, acting.context_patches)


def pick_layer(n: Tensor, context: Tensor, value: Tensor, options: dict):
    """attn2_patch for per-layer text ``[B, layers, L, c]``: each transformer reads its own layer (ED-LoRA)."""
    if context.ndim != 4:
        return n, context, value
    layer, count = options["transformer_index"], context.shape[1]
    if layer >= count:
        raise ValueError(
            f"The conditioning holds text for {count} transformer layers, and this model has more. "
            "Encode it for this model, or use an ordinary CLIP Text Encode."
        )
    return n, context[:, layer], value[:, layer]


setattr(pick_layer, OURS, True)
