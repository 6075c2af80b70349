"""Other packs' replacements of attn2, watched while a block calls them.

What they do on the map says what to do in the ROIs:

- One that treats all places alike (an image prompt without a mask) is called inside the ROIs as well.
- One that knows places (an image prompt with a mask) is not: a ROI is no picture.  What it adds to the model's own
  attention is taken from the map, where geometry and rows are its own, and carried into the ROIs.
- One that does not read the text it is handed (attention couple) would overrule the captions.  The model's own
  attention reads them instead, and that is said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import comfy.ldm.modules.attention as comfy_attention
import torch
from torch import Tensor

from ..control import ImagePrompt, Replacement
from ..memo import Memo
from ..points import OURS

EFFECT = "roictrl.effect"  # in a block's options: the Effect of the replacement that it just called

NOISE = 1e-3  # shares of the largest value of the model's own attention: what rounding and other kernels change,
_SAME = 1e-2  # and below what two results are the same
_MOVE = 0.38  # of the map's sides: no mask in use looks the same when it is moved so far


@dataclass(frozen=True)
class Effect:
    """What a replacement does in one block call: ``inside``, to be called in the ROIs too; or ``added``
    ``[rows, T, I]``, before attn2's output projection; or nothing."""

    inside: Replacement | None = None
    added: Tensor | None = None


def watched(options: dict, memo: Memo, say: Callable[..., None]) -> dict:
    """A copy of transformer_options whose attn2 replacements leave their `Effect` in the options of each block call."""
    everything = options.get("patches_replace", {})
    found = everything.get("attn2", {})
    if not found:
        return options
    # A second Apply reads what the first one's watch leaves.
    own = {key: f if hasattr(f, OURS) else _watch(f, memo, say) for key, f in found.items()}
    return {**options, "patches_replace": {**everything, "attn2": own}}


def image_prompt_in(model_options: Mapping) -> ImagePrompt:
    """What replaces attn2 in a model, by its options; empty where nothing does."""
    return dict(model_options.get("transformer_options", {}).get("patches_replace", {}).get("attn2", {}))


def replacement_in(image_prompt: ImagePrompt, key: tuple) -> Replacement | None:
    """What takes the place of a block's attn2, found as core finds it: by the transformer block, else its stage."""
    return image_prompt.get(key, image_prompt.get(key[:2]))


def unfit(
    replacement: Replacement, q: Tensor, k: Tensor, v: Tensor, out: Tensor, plain: Tensor, options: dict
) -> list[str] | None:
    """The notes on a box's own image prompt: it knows places, as one with a mask does, or does not read the text.  None
    where it does not act in this step.  ``plain``: the model's own attention."""
    if (out - plain).abs().amax() <= NOISE * plain.abs().amax():
        return None
    masked = ["run.reference_masked"] if knows_places(replacement, q, k, v, out, plain, options) else []
    deaf = _deaf(replacement, q, k, v, out, plain, options)
    return masked + ([] if deaf is None else ["run.reference_deaf"])


def knows_places(
    replacement: Replacement, q: Tensor, k: Tensor, v: Tensor, out: Tensor, plain: Tensor, options: dict
) -> bool:
    """Whether it treats places of the map differently."""
    added, scale = (out - plain).abs().amax(), plain.abs().amax()
    return not _alike(replacement, q, k, v, out, options, NOISE * scale + 0.05 * added)


def named_rows(options: Mapping, pictures: Sequence[int], count: int) -> dict:
    """The entry of the options that tells image prompts which of a batch's ``count`` pictures each row belongs to."""
    known = options.get("ad_params") or {}
    frames = known.get("sub_idxs") or range(count)
    return {"ad_params": {"full_length": count, **known, "sub_idxs": [frames[picture] for picture in pictures]}}


def _watch(replacement: Replacement, memo: Memo, say: Callable[..., None]) -> Replacement:
    @torch.compiler.disable()
    def watch(q, k, v, options):
        out = replacement(q, k, v, options)
        options[EFFECT] = _effect(replacement, q, k, v, out, options, memo, say)
        return out

    setattr(watch, OURS, True)
    return watch


def _effect(
    replacement: Replacement,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    out: Tensor,
    options: dict,
    memo: Memo,
    say: Callable[..., None],
) -> Effect:
    plain = comfy_attention.optimized_attention(
        q, k, v, options["n_heads"], attn_precision=options.get("attn_precision"), transformer_options=options
    )  # [rows, T, I]
    if out.shape != plain.shape:
        return Effect()
    added, scale = out - plain, plain.abs().amax()
    if added.abs().amax() <= NOISE * scale:
        return Effect()  # it does not act in this step
    place = *options["block"], options.get("block_index", 0), tuple(options["cond_or_uncond"]), q.shape
    deaf = memo.make(("deaf", *place), lambda: _deaf(replacement, q, k, v, out, plain, options))
    if deaf is not None:
        say("run.text_ignored")
        return Effect(added=added.masked_fill(deaf, 0))
    # Looked at again in every call while it is called inside: one with a mask may set in later.
    if memo.get(("knows places", *place)) or knows_places(replacement, q, k, v, out, plain, options):
        memo[("knows places", *place)] = True
        return Effect(added=added)
    return Effect(inside=replacement)


def _deaf(
    replacement: Replacement, q: Tensor, k: Tensor, v: Tensor, out: Tensor, plain: Tensor, options: dict
) -> Tensor | None:
    """``[rows, T, 1]`` bool: where the result is the same without the text's values; None where it is so nowhere."""
    without = replacement(q, k, torch.zeros_like(v), dict(options))
    same = _SAME * plain.abs().amax()
    deaf = ((without - out).abs().amax(-1, keepdim=True) <= same) & (plain.abs().amax(-1, keepdim=True) > 2 * same)
    return deaf if deaf.any() else None


def _alike(
    replacement: Replacement, q: Tensor, k: Tensor, v: Tensor, out: Tensor, options: dict, tolerance: Tensor
) -> bool:
    """Whether queries get the same result at another place of the map and in another, named picture of the batch."""
    chunks, size = len(options["cond_or_uncond"]), tuple(options["activations_shape"][-2:])
    if size[0] * size[1] != q.shape[1] or q.shape[0] % chunks:
        return False
    count = q.shape[0] // chunks

    def next_picture(t: Tensor) -> Tensor:
        return t.unflatten(0, (chunks, count)).roll(1, 1).flatten(0, 1)

    def moved(t: Tensor) -> Tensor:
        by = tuple(max(1, round(_MOVE * side)) for side in size)
        return next_picture(t).unflatten(1, size).roll(by, (1, 2)).flatten(1, 2)

    pictures = [(row - 1) % count for row in range(count)]
    named = named_rows(options, pictures, count) if count > 1 or "ad_params" in options else {}
    there = replacement(moved(q), next_picture(k), next_picture(v), {**options, **named})
    return bool((there - moved(out)).abs().amax() <= tolerance)
