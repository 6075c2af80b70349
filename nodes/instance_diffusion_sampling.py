"""InstanceDiffusion's samplers: PLMS as published, and the Multi-Instance Sampler around it or around any other."""

from __future__ import annotations

import comfy.model_management
import comfy.sample
import comfy.samplers
import comfy.utils
import latent_preview
import torch
from comfy_api.latest import io

from ..roictrl_core.instance_diffusion.schedule import plms_sigmas
from .report import named
from .sampling.multi_instance import MultiInstanceGuider, MultiInstanceSampler
from .types import schema, share_input
from .widgets import check_widgets

SAMPLER, SCHEDULER = "InstanceDiffusion Sampler", "PLMS Scheduler"
PUBLISHED_STEPS, PUBLISHED_CFG, PUBLISHED_SHARE = 50, 7.5, 0.36
ALIASES = ["instancediffusion", "multi-instance sampler", "mis", "plms"]


def published_sigmas(model, steps: int, denoise: float) -> torch.Tensor:
    """The last ``steps`` + 1 levels of PLMS, on the model's own noise schedule; ``denoise`` 1 is all of them."""
    table = model.get_model_object("model_sampling").sigmas
    if len(table) != 1000:
        raise ValueError(
            f"PLMS is defined on 1000 noise levels, and this model has {len(table)}. Use Multi-Instance Sampler "
            "with another sampler."
        )
    whole = steps if denoise >= 1 else round(steps / max(denoise, 1e-3))
    return torch.tensor(plms_sigmas(min(whole, 999), table.tolist())[-(steps + 1) :])


def multi_instance_guider(model, positive, negative, cfg: float) -> MultiInstanceGuider:
    guider = MultiInstanceGuider(model)
    guider.set_branches(positive, negative)
    guider.set_cfg(cfg)
    return guider


def _share_input() -> io.Input:
    return share_input(
        "mis_share",
        PUBLISHED_SHARE,
        "Share of the steps in which every instance is denoised by itself before they are joined; below 0.4 is "
        "advised, 0 turns it off. n instances at 0.36 of 50 steps cost 51 + 19 n evaluations instead of 51.",
        step=0.01,
    )


def _cfg_input() -> io.Input:
    return io.Float.Input(
        "cfg",
        default=PUBLISHED_CFG,
        min=0.0,
        max=100.0,
        step=0.1,
        round=0.01,
        tooltip="How strongly the prompt and the instances act against the negative prompt.",
    )


def _steps_input() -> io.Input:
    return io.Int.Input("steps", default=PUBLISHED_STEPS, min=1, max=999, tooltip="Published: 50.")


def _denoise_input(tooltip: str) -> io.Input:
    return io.Float.Input("denoise", default=1.0, min=0.01, max=1.0, step=0.01, tooltip=tooltip)


class InstanceDiffusionSampler(io.ComfyNode):
    """MODEL + prompts + LATENT -> LATENT, as published."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ROICtrlInstanceDiffusionSampler",
            SAMPLER,
            description=(
                "The published sampler of InstanceDiffusion: PLMS with its own timesteps, and the Multi-Instance "
                "Sampler, which keeps captions from leaking into other instances."
            ),
            search_aliases=ALIASES,
            inputs=[
                io.Model.Input("model", tooltip="From Apply InstanceDiffusion."),
                io.Conditioning.Input("positive", tooltip="What the whole picture shows."),
                io.Conditioning.Input("negative", tooltip="What it shall not show; the instances' branches share it."),
                io.Latent.Input("latent_image", tooltip="An empty latent, or a picture to change."),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=True,
                    tooltip="Of the noise.",
                ),
                _steps_input(),
                _cfg_input(),
                _share_input(),
                _denoise_input("Below 1 the picture in latent_image is kept to that degree."),
            ],
            outputs=[io.Latent.Output(display_name="latent", tooltip="For VAE Decode.")],
        )

    @classmethod
    def execute(
        cls,
        model,
        positive,
        negative,
        latent_image,
        seed,
        steps=PUBLISHED_STEPS,
        cfg=PUBLISHED_CFG,
        mis_share=PUBLISHED_SHARE,
        denoise=1.0,
    ) -> io.NodeOutput:
        check_widgets(cls, seed=seed, steps=steps, cfg=cfg, mis_share=mis_share, denoise=denoise)
        with named(SAMPLER):
            sigmas = published_sigmas(model, steps, denoise)
        samples = comfy.sample.fix_empty_latent_channels(model, latent_image["samples"])
        noise = comfy.sample.prepare_noise(samples, seed, latent_image.get("batch_index"))
        result = multi_instance_guider(model, positive, negative, cfg).sample(
            noise,
            samples,
            MultiInstanceSampler(mis_share),
            sigmas,
            denoise_mask=latent_image.get("noise_mask"),
            callback=latent_preview.prepare_callback(model, steps),
            disable_pbar=not comfy.utils.PROGRESS_BAR_ENABLED,
            seed=seed,
        )
        return io.NodeOutput({**latent_image, "samples": result.to(comfy.model_management.intermediate_device())})


class MultiInstanceGuiderNode(io.ComfyNode):
    """MODEL + prompts -> GUIDER."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ROICtrlMultiInstanceGuider",
            "Multi-Instance Guider",
            description="CFG Guider that also knows every instance's own prompt, for Multi-Instance Sampler.",
            search_aliases=ALIASES,
            inputs=[
                io.Model.Input(
                    "model", tooltip="From Apply InstanceDiffusion; its captions become the instances' prompts."
                ),
                io.Conditioning.Input("positive", tooltip="What the whole picture shows."),
                io.Conditioning.Input("negative", tooltip="What it shall not show; all share it."),
                _cfg_input(),
            ],
            outputs=[io.Guider.Output(display_name="guider", tooltip="For SamplerCustomAdvanced.")],
        )

    @classmethod
    def execute(cls, model, positive, negative, cfg=PUBLISHED_CFG) -> io.NodeOutput:
        check_widgets(cls, cfg=cfg)
        return io.NodeOutput(multi_instance_guider(model, positive, negative, cfg))


class MultiInstanceSamplerNode(io.ComfyNode):
    """SAMPLER -> SAMPLER."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ROICtrlMultiInstanceSampler",
            "Multi-Instance Sampler",
            description=(
                "Every instance alone for the first steps, then all joined. Around any sampler, which restarts after "
                "the joining; without one it is PLMS as published. Needs Multi-Instance Guider."
            ),
            search_aliases=ALIASES,
            inputs=[
                _share_input(),
                io.Sampler.Input("sampler", optional=True, tooltip="From KSamplerSelect, for example. Left out: PLMS."),
            ],
            outputs=[io.Sampler.Output(display_name="sampler", tooltip="For SamplerCustomAdvanced.")],
        )

    @classmethod
    def execute(cls, mis_share=PUBLISHED_SHARE, sampler=None) -> io.NodeOutput:
        check_widgets(cls, mis_share=mis_share)
        return io.NodeOutput(MultiInstanceSampler(mis_share, sampler))


class PLMSScheduler(io.ComfyNode):
    """MODEL -> SIGMAS."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ROICtrlPLMSScheduler",
            SCHEDULER,
            description=(
                "The noise levels of the published PLMS sampler. The last one is not 0, but that of the first timestep."
            ),
            search_aliases=ALIASES,
            inputs=[
                io.Model.Input("model", tooltip="Its noise schedule is used."),
                _steps_input(),
                _denoise_input("Below 1: only the last steps of a longer schedule."),
            ],
            outputs=[io.Sigmas.Output(display_name="sigmas", tooltip="For SamplerCustomAdvanced.")],
        )

    @classmethod
    def execute(cls, model, steps=PUBLISHED_STEPS, denoise=1.0) -> io.NodeOutput:
        check_widgets(cls, steps=steps, denoise=denoise)
        with named(SCHEDULER):
            return io.NodeOutput(published_sigmas(model, steps, denoise))


NODES = [InstanceDiffusionSampler, MultiInstanceGuiderNode, MultiInstanceSamplerNode, PLMSScheduler]
