"""Diffusion models in which boxes cannot act, by their class: why, and the way out.

Relatives of a family's class look like it and are not: they stand here, so that nobody gets a picture without control.
"""

from __future__ import annotations

_WAN = (
    "is a relative of Wan whose blocks read more than the text, so captions cannot act in them",
    "Use the plain Wan 2.1 or 2.2 model.",
)

# By the class of the diffusion model, or by what ComfyUI recognises a model as where its class is another family's.
REFUSED: dict[str, tuple[str, str]] = {
    **dict.fromkeys(
        (
            "wan.model.VaceWanModel",
            "wan.model.CameraWanModel",
            "wan.model.HumoWanModel",
            "wan.model.SCAILWanModel",
            "wan.model.SCAIL2WanModel",
            "wan.model.WanModel_S2V",
            "wan.model_animate.AnimateWanModel",
            "wan.model_animate2.WanAnimate2Model",
            "wan.model_wandancer.WanDancerModel",
            "wan.ar_model.CausalWanModel",
        ),
        _WAN,
    ),
    "lightricks.av_model.LTXAVModel": (
        "puts pictures and sound into one sequence, in which boxes have no place",
        "Use LTX-Video, or write the places into the prompt with Layout to Prompt.",
    ),
    "LongCatImage": (
        "places the image by the length of its text, so captions beside the prompt would move it",
        "Use FLUX.1, FLUX.2 or Qwen-Image, or write the places into the prompt with Layout to Prompt.",
    ),
    "ideogram4.model.Ideogram4Transformer2DModel": (
        "reads boxes in its prompt and needs no Apply node",
        "Connect Layout to Prompt, in its JSON style, to the text encoder.",
    ),
}
