"""Own passes: in the first part of the schedule each box's crop of the latent is denoised by itself on its own caption.

They are area conds, asked of the rest of the CALC_COND_BATCH chain after the sampler's own, so that batching by memory,
guidance and several GPUs are core's.  The prompt's list has crops that read the captions, the negative's crops that
read the negative; what comes back is written into the boxes in the layout's order, the upper one last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from torch import Tensor

from ...roictrl_core.own_pass import Crop, box_weights, crop_of, written
from .control import Slot
from .frames import FULL
from .hosts import Host
from .hosts.encoding import area_cond
from .roles import CAPTION, UNKNOWN
from .run import Batch

OWN = "roictrl.own"  # in transformer_options of an own pass, from which every Apply stands aside
SKIPPING = ("easycache", "lazycache")  # core's caches of whole steps, which a call of another size would empty


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
    found = ask([[own.cond] for own in wanted], _alone(options)) if wanted else []
    out = list(out)
    for own, prediction in zip(wanted, found, strict=True):
        weight = _weight(batch, own.slot, own.crop, x)
        out[own.number] = written(out[own.number], prediction, weight)
    return out


def _wanted(host: Host, model, batch: Batch, x: Tensor) -> list[_Own]:
    """The boxes that are on, in each list whose role is known."""
    found = []
    for number, (conds, role) in enumerate(zip(batch.lists, batch.roles, strict=True)):
        entry = None if role == UNKNOWN else _whole(conds or (), batch.sigma)
        if entry is None and conds and role != UNKNOWN:
            batch.run.say("run.no_whole_prompt")
        for slot in filter(None, batch.slots if entry else ()):
            crop = _crop(host, batch, slot, x)
            if crop is not None:
                text, key = slot.caption if role == CAPTION else slot.negative, ("own pass", number, slot)
                kept = batch.run.memo.get(key)
                if kept is None or kept[0] is not entry:  # context windows have entries of their own in every step
                    kept = batch.run.memo[key] = (entry, area_cond(model, x, entry, text, crop))
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


def _alone(options: Mapping) -> dict:
    """model_options under which every Apply stands aside and no cache of steps takes notice."""
    inner = options.get("transformer_options", {})
    wrappers = {
        kind: {key: functions for key, functions in by_key.items() if key not in SKIPPING}
        for kind, by_key in inner.get("wrappers", {}).items()
    }
    return {**options, "transformer_options": {**inner, "wrappers": wrappers, OWN: True}}
