"""Own passes: in the first part of the schedule each box's crop of the latent is denoised by itself on its own caption.

They are area conds, asked of the rest of the CALC_COND_BATCH chain after the sampler's own, so that batching by memory,
guidance and several GPUs are core's.  The prompt's list has crops that read the captions, the negative's crops that
read the negative.  Around its box a crop sees an even ground; what comes back, or at first a patch that is made of it,
is written into the boxes in the layout's order, the upper one last (docs/any_model.md section 3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ...roictrl_core.own_pass import Crop, background, box_weights, crop_of, inside_crop, patch, written
from .control import Slot
from .frames import FULL
from .hosts import Host
from .hosts.encoding import area_cond
from .points import CannotAct
from .roles import CAPTION, UNKNOWN
from .run import Batch

OWN = "roictrl.own"  # in transformer_options of an own pass, from which every Apply stands aside
EASY = "easycache"  # core's cache of whole calls, which a call of another size would empty
LAZY = "lazycache"  # core's cache of whole steps: it would carry patches beyond their part of the schedule


class _Place(NamedTuple):
    """What a call of an own pass is told of one of its conds: what to add to the latent, which is nothing inside the
    box, and the number of the sampler's list that it stands in for."""

    around: Tensor
    number: int


class _Own(NamedTuple):
    """One box in one of the sampler's lists of conds."""

    number: int
    slot: Slot
    crop: Crop
    cond: dict


def with_own_passes(
    ask: Callable[[list, dict], Sequence[Tensor]],
    host: Host,
    model,
    batch: Batch,
    x: Tensor,
    options: Mapping,
    out: Sequence[Tensor],
) -> list[Tensor]:
    """The predictions ``out`` of a batch's lists of conds, with each box's own over them.

    ``ask(lists, options)`` gives the predictions of other lists at the same latents ``x``.
    """
    wanted = _wanted(host, model, batch, x)
    if not wanted:
        return list(out)
    if any(LAZY in by_key for by_key in options.get("transformer_options", {}).get("wrappers", {}).values()):
        raise CannotAct(
            "LazyCache reuses whole steps, with what own passes draw in them, beyond the steps that it belongs to. "
            "Remove LazyCache (EasyCache works), or set own_pass to 0."
        )
    batch.run.draws_own = True
    weights = {own.slot: _weight(batch, own.slot, own.crop, x) for own in wanted}
    even = background(_caption_of(batch, out), torch.stack(list(weights.values())).amax(0))
    emptied = _noised(batch, model, x, even) - x

    def drawn(asked: Sequence[_Own]) -> Sequence[Tensor]:
        places = {own.cond["uuid"]: _Place(around(own), own.number) for own in asked}
        return ask([[own.cond] for own in asked], _alone(options, places))

    def around(own: _Own) -> Tensor:
        return inside_crop(emptied, own.crop) * (inside_crop(weights[own.slot], own.crop) == 0)

    patched = batch.run.draws_patches(batch.sigma)
    found = _patches(batch, wanted, drawn, even, weights) if patched else drawn(wanted)
    out = list(out)
    for own, prediction in zip(wanted, found, strict=True):
        out[own.number] = written(out[own.number], prediction, weights[own.slot])
    return out


def _patches(batch: Batch, wanted: Sequence[_Own], drawn: Callable, even: Tensor, weights: Mapping) -> list[Tensor]:
    """For each of ``wanted`` the patch of its box, made of the pass that reads the caption.

    The negative's is the same, so that guidance does not exaggerate it.
    """
    chosen: dict[Slot, _Own] = {}
    for own in wanted:
        if own.slot not in chosen or batch.roles[own.number] == CAPTION:
            chosen[own.slot] = own
    found = drawn(list(chosen.values()))
    made = {
        slot: patch(prediction, even, slot.box, weights[slot]) for slot, prediction in zip(chosen, found, strict=True)
    }
    return [made[own.slot] for own in wanted]


def _caption_of(batch: Batch, found: Sequence[Tensor]) -> Tensor:
    """The prediction of the list that reads the prompt, of the first where none does."""
    return found[batch.roles.index(CAPTION) if CAPTION in batch.roles else 0]


def _noised(batch: Batch, model, x: Tensor, even: Tensor) -> Tensor:
    """Latents ``even`` with noise of this step's level, anew in each: of noise that stays, objects would be made."""
    generator = torch.Generator().manual_seed(batch.run.noise_seed())
    noise = torch.randn(x.shape, generator=generator).to(x)
    sigma = torch.tensor([batch.sigma], device=x.device, dtype=x.dtype)
    return model.model_sampling.noise_scaling(sigma, noise, even.expand_as(x))


def surrounded(x: Tensor, options: Mapping) -> tuple[Tensor, Mapping]:
    """The input of an own pass, with what is around each box in place of the picture's, and its options as they are
    where boxes have no lists of their own: other packs find their own positive and negative by the list's number."""
    if OWN not in options:
        return x, options
    places = [options[OWN][name] for name in options["uuids"]]
    parts = [part + place.around.to(part) for part, place in zip(x.chunk(len(places)), places, strict=True)]
    return torch.cat(parts), {**options, "cond_or_uncond": [place.number for place in places]}


def _wanted(host: Host, model, batch: Batch, x: Tensor) -> list[_Own]:
    """The boxes that are on, in each list whose role is known."""
    asked = {
        number: _whole(conds, batch.sigma)
        for number, (conds, role) in enumerate(zip(batch.lists, batch.roles, strict=True))
        if conds and role != UNKNOWN
    }
    if None in asked.values():  # of one side of guidance alone, a box would be exaggerated
        batch.run.say("run.no_whole_prompt")
        return []
    found = []
    for number, entry in asked.items():
        for slot in filter(None, batch.slots):
            crop = _crop(host, batch, slot, x)
            if crop is not None:
                text = slot.caption if batch.roles[number] == CAPTION else slot.negative
                kept = batch.run.memo.get(("own pass", number, slot))
                if kept is None or kept[0] is not entry:  # context windows have entries of their own in every step
                    kept = entry, area_cond(model, x, entry, text, crop, batch.run.memo)
                    batch.run.memo["own pass", number, slot] = kept
                found.append(_Own(number, slot, crop, kept[1]))
    return found


def _whole(conds: Sequence[Mapping], sigma: float) -> Mapping | None:
    """The entry that is about the whole picture now."""
    for cond in conds:
        if "area" not in cond and cond.get("timestep_end", sigma) <= sigma <= cond.get("timestep_start", sigma):
            return cond
    return None


def _crop(host: Host, batch: Batch, slot: Slot, x: Tensor) -> Crop | None:
    own, (height, width) = batch.run.control.own, x.shape[-2:]
    least, step = host.least_crop(height, width)
    least, grain = max(least, round(own.least * min(height, width))), round(own.grain * min(height, width))
    return crop_of(slot.box, height, width, own.margin, least, grain, step)


def _weight(batch: Batch, slot: Slot, crop: Crop, x: Tensor) -> Tensor:
    """``[H, W]``: how much of each cell the box takes."""

    def make() -> Tensor:
        height, width = x.shape[-2:]
        weight = box_weights(slot.box, crop, height, width, batch.run.control.own.feather)
        if slot.mask is not None:
            weight = weight * slot.mask.coverage(FULL, height, width)
        return (weight * slot.strength * batch.run.control.strength).clamp(max=1).to(x.device)

    return batch.run.memo.make(("own weight", slot, x.device), make)


def _alone(options: Mapping, places: Mapping) -> dict:
    """model_options under which every Apply stands aside and no cache of steps takes notice."""
    inner = options.get("transformer_options", {})
    wrappers = {
        kind: {key: functions for key, functions in by_key.items() if key != EASY}
        for kind, by_key in inner.get("wrappers", {}).items()
    }
    return {**options, "transformer_options": {**inner, "wrappers": wrappers, OWN: places}}
