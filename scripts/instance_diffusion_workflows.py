"""The example workflows of InstanceDiffusion: boxes, points and scribbles, masks, and the Multi-Instance Sampler."""

from __future__ import annotations

from collections.abc import Callable

from devtools.graph import Graph, Output
from workflow_files import INSTANCE_DIFFUSION, SD15, describe, load
from workflow_parts import boxes, empty_latent, finish, prompts
from workflow_scenes import CATS, KITCHEN, LAKE, POTTERY


def _grounded(g: Graph, text: str, shows: str, more: str = "", formats: str = "auto") -> dict[str, Output]:
    """The graph up to its sampler: the sampler's inputs, and what `finish` wants."""
    describe(g, shows, [SD15, INSTANCE_DIFFUSION], more=more)
    model = load(g, 0, SD15)
    drawn = boxes(g, 0, text)
    whole = g.add(1, "ROICtrlLayoutToPrompt", layout=drawn["layout"], prefix="a photo of")
    positive, negative = prompts(g, 1, model["CLIP"], whole[0])
    weights = load(g, 2, INSTANCE_DIFFUSION)
    inputs = {"model": model["MODEL"], "clip": model["CLIP"], "layout": drawn["layout"], "formats": formats}
    controlled = g.add(2, "ROICtrlApplyInstanceDiffusion", instance_diffusion=weights[0], **inputs)
    return {
        "model": controlled[0],
        "positive": positive,
        "negative": negative,
        "latent_image": empty_latent(g, 2, drawn),
        "vae": model["VAE"],
        "layout": drawn["layout"],
    }


def _published(g: Graph, parts: dict[str, Output], name: str, **settings: object) -> None:
    """InstanceDiffusion Sampler and the picture."""
    inputs = {key: parts[key] for key in ("model", "positive", "negative", "latent_image")}
    sampled = g.add(3, "ROICtrlInstanceDiffusionSampler", **inputs, seed=42, steps=50, cfg=7.5, **settings)
    finish(g, 4, sampled, parts["vae"], parts["layout"], name)


def instance_diffusion(g: Graph) -> str:
    """InstanceDiffusion from boxes alone, with the published sampler."""
    shows = "**InstanceDiffusion from boxes**, with the sampler that it was published with."
    _published(g, _grounded(g, KITCHEN, shows), "instance_diffusion", mis_share=0.0)
    return KITCHEN


def instance_diffusion_scribbles(g: Graph) -> str:
    """Points and scribbles beside the boxes."""
    shows = (
        "**Points and scribbles.** A scribble says roughly what an instance covers, a point only where it is; "
        "InstanceDiffusion reads both."
    )
    more = (
        "They are part of the layout's JSON: `scribble` is a list of strokes, `point` one pair of numbers, all 0 to 1."
    )
    parts = _grounded(g, LAKE, shows, more, "scribble")
    _published(g, parts, "instance_diffusion_scribbles", mis_share=0.0)
    return LAKE


def instance_diffusion_masks(g: Graph) -> str:
    """Masks give the outline of each instance."""
    shows = "**Masks as outlines.** InstanceDiffusion was trained on masks: each gives the outline of its instance."
    more = "To use your own masks, connect **Layout from Masks** in place of Instance Box Prompt."
    _published(g, _grounded(g, POTTERY, shows, more, "mask"), "instance_diffusion_masks", mis_share=0.0)
    return POTTERY


def multi_instance_sampler(g: Graph) -> str:
    """Every instance by itself for the first third of the steps, then all as one picture,
    with core's advanced sampler node."""
    shows = (
        "**Alike things kept apart.** For a third of the steps **Multi-Instance Sampler** denoises each instance by "
        "itself, so that no caption leaks into another box."
    )
    more = (
        "It costs a third of a run more for each instance. With nothing connected to its `sampler` it is PLMS as "
        "published; connect KSamplerSelect for any other."
    )
    parts = _grounded(g, CATS, shows, more)
    inputs = {key: parts[key] for key in ("model", "positive", "negative")}
    guider = g.add(3, "ROICtrlMultiInstanceGuider", **inputs, cfg=7.5)
    sampler = g.add(3, "ROICtrlMultiInstanceSampler", mis_share=0.36)
    sigmas = g.add(3, "ROICtrlPLMSScheduler", model=parts["model"], steps=50)
    noise = g.add(3, "RandomNoise", noise_seed=42)
    inputs = {"noise": noise[0], "guider": guider[0], "sampler": sampler[0], "sigmas": sigmas[0]}
    sampled = g.add(4, "SamplerCustomAdvanced", **inputs, latent_image=parts["latent_image"])
    finish(g, 5, sampled, parts["vae"], parts["layout"], "multi_instance_sampler")
    return CATS


INSTANCE_DIFFUSION_WORKFLOWS: dict[str, Callable[[Graph], str]] = {
    "InstanceDiffusion - boxes": instance_diffusion,
    "InstanceDiffusion - points and scribbles": instance_diffusion_scribbles,
    "InstanceDiffusion - masks": instance_diffusion_masks,
    "InstanceDiffusion - Multi-Instance Sampler": multi_instance_sampler,
}
