"""Two ways in which people place captions today, made anew and small: attention couple, and regional prompting.

Both patch cross-attention: every token of the map reads the prompt and the caption of each region, and masks say whose
output it takes.  Attention couple takes the regions' alone; regional prompting keeps a share of the prompt's, its base
ratio.  Outside the regions the prompt's is taken.
"""

from __future__ import annotations

from math import isqrt

import torch
from torch import Tensor
from torch.nn import functional as F

from .layouts import Case
from .prepare import Parts, Settings, box_masks, global_prompt
from .sampling import Conditioned, encode

POSITIVE = 0  # its list of conds in KSampler's calls


def region_weights(masks: Tensor, side: int, base_ratio: float) -> Tensor:
    """``[1 + regions, side * side]`` of pixel masks ``[regions, h, w]``: the prompt's share of each token, then the
    regions'; where they overlap they have equal ones."""
    cells = F.interpolate(masks[None], (side, side), mode="nearest")[0]
    total = cells.sum(0)
    regions = cells / total.clamp(min=1) * (1 - base_ratio)
    base = torch.where(total > 0, base_ratio, 1.0)
    return torch.cat([base[None], regions]).flatten(1)


def coupled(model, texts: list[Tensor], masks: Tensor, base_ratio: float):
    """The model (a ModelPatcher) in which regions read ``texts`` ``[1, L, c]``."""
    count = 1 + len(texts)

    def read(n: Tensor, context: Tensor, value: Tensor, options: dict):
        roles = options["cond_or_uncond"]
        queries, keys = [], []
        for role, tokens, text in zip(roles, n.chunk(len(roles)), context.chunk(len(roles)), strict=True):
            placed = role == POSITIVE
            queries += [tokens] * (count if placed else 1)
            keys += [text, *(own.to(text).expand(len(text), -1, -1) for own in texts)] if placed else [text]
        keys = torch.cat(keys)
        return torch.cat(queries), keys, keys

    def mix(out: Tensor, options: dict) -> Tensor:
        roles, start, found = options["cond_or_uncond"], 0, []
        rows = len(out) // sum(count if role == POSITIVE else 1 for role in roles)
        weights = region_weights(masks, isqrt(out.shape[1]), base_ratio).to(out)[:, None, :, None]
        for role in roles:
            parts = count if role == POSITIVE else 1
            part = out[start : start + parts * rows].unflatten(0, (parts, rows))
            found.append((part * weights).sum(0) if role == POSITIVE else part[0])
            start += parts * rows
        return torch.cat(found)

    model = model.clone()
    model.set_model_attn2_patch(read)
    model.set_model_attn2_output_patch(mix)
    return model


def prepare(parts: Parts, case: Case, settings: Settings) -> Conditioned:
    """The model with the regions of a layout, and the prompts."""
    texts = [encode(parts.clip, caption)[0][0] for caption in case.captions]
    model = coupled(parts.model, texts, box_masks(case), settings["base_ratio"])
    return global_prompt(parts._replace(model=model), case, settings)
