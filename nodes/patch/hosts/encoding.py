"""A caption through the model's own door: as the sampler makes of a prompt what a diffusion transformer reads."""

from __future__ import annotations

import comfy.sampler_helpers
import comfy.samplers
import torch
from torch import Tensor

from ..control import Text
from ..points import CannotAct


def encoded(model, x: Tensor, text: Text) -> Text:
    """What ``model`` (a BaseModel) reads of a caption beside latents x: some have an adapter or padding of theirs."""
    if text.tokens.ndim != 2:
        raise CannotAct(
            "an instance's custom conditioning holds a text for each of several layers, which this model does not "
            "read. Connect the output of an ordinary CLIP Text Encode."
        )
    entry = {"pooled_output": None, **text.others}  # whose absence is an error in ComfyUI 0.3.75
    conds = comfy.samplers.encode_model_conds(
        model.extra_conds,
        comfy.sampler_helpers.convert_cond([[text.tokens[None], entry]]),
        x,
        x.device,
        "positive",
        latent_image=torch.zeros_like(x),
        denoise_mask=None,
        seed=0,
    )[0]["model_conds"]
    others = {name: cond.cond for name, cond in conds.items() if name != "c_crossattn"}
    return Text(conds["c_crossattn"].cond[0], others)
