"""A caption through the model's own door: as the sampler makes of a prompt what a model reads."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Mapping
from dataclasses import replace

import comfy.sampler_helpers
import comfy.samplers
import comfy.utils
import torch
from comfy.conds import CONDNoiseShape
from torch import Tensor

from ....roictrl_core.own_pass import Crop
from ..control import Text
from ..memo import Memo
from ..points import CannotAct


def encoded(model, x: Tensor, text: Text) -> Text:
    """What ``model`` (a BaseModel) reads of a caption beside latents x: some have an adapter or padding of theirs."""
    if text.tokens.ndim != 2:
        raise CannotAct(
            "an instance's custom conditioning holds a text for each of several layers, which this model does not "
            "read. Connect the output of an ordinary CLIP Text Encode."
        )
    conds = _model_conds(model, x, {}, text)
    others = {name: cond.cond for name, cond in conds.items() if name != "c_crossattn"}
    return replace(text, tokens=conds["c_crossattn"].cond[0], others=others)


def area_cond(model, x: Tensor, entry: Mapping, text: Text | None, crop: Crop, memo: Memo) -> dict:
    """The cond of a crop of latents x: an entry of the sampler's, with ``text``, where given, in place of its own.

    It is encoded for the whole latent, and what belongs to places is cut: starting pictures, masks, ControlNets (one
    for prompt and negative alike, or core could not run the two together).  Raises CannotAct for what cannot be cut.
    """
    uncut = next((name for name in _UNCUT if name in entry["model_conds"]), None)
    if uncut is not None:
        raise CannotAct(
            f"this conditioning holds pictures at places of the video ({uncut}), which a pass of one box cannot have a "
            "part of. Set own_pass to 0."
        )
    cond = {key: value for key, value in entry.items() if key not in _OF_THE_WHOLE}
    conds = dict(entry["model_conds"])
    if text is not None:
        placed = {name: cond for name, cond in conds.items() if isinstance(cond, CONDNoiseShape) or name == _NOISE_MASK}
        conds = {**_model_conds(model, x, entry, text), **placed}
    if _NOISE_MASK in conds:
        conds[_NOISE_MASK] = CONDNoiseShape(conds[_NOISE_MASK].cond)  # which core does not cut
    if cond.get("control") is not None:
        control = cond["control"]
        # The control is kept as well, so that no other can get its identity.
        cond["control"] = memo.make(("cut", id(control), crop), lambda: (control, _cut(control, crop, x)))[1]
    area = (crop.height, crop.width, crop.top, crop.left)
    return {**cond, "model_conds": conds, "area": area, "strength": 1.0, "uuid": uuid.uuid4()}


# What of an entry is about the whole picture, or about when it acts.
_OF_THE_WHOLE = ("mask", "mask_strength", "set_area_to_bounds", "timestep_start", "timestep_end", "default", "gligen")
_NOISE_MASK = "denoise_mask"
_UNCUT = ("time_dim_concat", "keyframe_idxs")  # Wan Phantom's pictures, LTX-Video's guides


def _model_conds(model, x: Tensor, entry: Mapping, text: Text) -> dict:
    """What ``model`` makes of a text, with everything else as an entry has it."""
    # Without a pooled output there is an error in ComfyUI 0.3.75.
    given = comfy.sampler_helpers.convert_cond([[text.tokens[None], {"pooled_output": None, **text.others}]])
    given = [{**entry, **given[0], "model_conds": {}}]
    return comfy.samplers.encode_model_conds(
        model.extra_conds,
        given,
        x,
        x.device,
        "positive",
        latent_image=torch.zeros_like(x),
        denoise_mask=None,
        seed=0,
    )[0]["model_conds"]


def _cut(control, crop: Crop, x: Tensor):
    """A ControlNet, and those before it, that see the crop's part of their pictures and masks."""
    part = copy.copy(control)
    for name in ("cond_hint", "extra_concat", "control_input"):  # made of the whole picture
        if hasattr(part, name):
            setattr(part, name, None)
    part.cond_hint_original = _window(control.cond_hint_original, crop, x, control.upscale_algorithm)
    part.extra_concat_orig = [_window(t, crop, x, control.upscale_algorithm) for t in control.extra_concat_orig]
    if control.previous_controlnet is not None:
        part.previous_controlnet = _cut(control.previous_controlnet, crop, x)
    return part


def _window(picture: Tensor | None, crop: Crop, x: Tensor, method: str) -> Tensor | None:
    """The crop's part of a picture ``[B, C, h, w]``, which covers latents x as core lays it: its middle, scaled."""
    if picture is None or picture.shape[-2:].numel() == 1:
        return picture
    height, width = x.shape[-2:]
    scale = max(1, round(picture.shape[-2] / height))  # pixels of a cell
    picture = comfy.utils.common_upscale(picture, width * scale, height * scale, method, "center")
    top, left, rows, columns = (cells * scale for cells in crop)
    return picture[..., top : top + rows, left : left + columns]
