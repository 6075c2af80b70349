"""Keep Steps and Redo Boxes: some boxes of a picture drawn anew, everything else kept to the bit."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from comfy_api.latest import io

from ..roictrl_core.finite import all_finite
from ..roictrl_core.layout import Instance, Layout
from ..roictrl_core.notes import Note
from ..roictrl_core.redo import freed, left_behind, pixels_of, redo_mask, to_redo
from .instances import find_instances
from .report import named, said
from .sampling.kept_steps import KEEP, MAX_BYTES, REDO, KeepingSampler, KeptRun, RedoingSampler, Steps
from .types import LAYOUT, STEPS, schema

ALIASES = ["redo boxes", "local change", "continuous generation", "repair", "fix box", "regenerate", "roictrl"]


def kept_run(steps: Steps, latent: dict) -> KeptRun:
    """The run that gave this latent; raises ValueError with a sentence where it was not kept."""
    run = steps.run
    if run is None:
        raise ValueError(
            f"no run has been kept yet. Connect the sampler of {KEEP} to SamplerCustomAdvanced, and the output of that "
            "to latent."
        )
    if not run.latents:
        raise ValueError(
            f"the latents of this run are {run.megabytes} MB, more than the {MAX_BYTES // 2**20} MB that are kept. "
            "Sample fewer steps, or a smaller picture or batch."
        )
    if not all_finite(run.samples):
        raise ValueError(
            "the picture that was kept holds values that are not numbers. Sample it anew with another sampler, seed or "
            "precision."
        )
    if not torch.equal(latent["samples"].cpu().float(), run.samples):
        raise ValueError(
            f"the latent is not the picture of the run that {KEEP} holds. Connect the output of the sampler that draws "
            "with it (not its denoised output); if it is connected, give that sampler another seed, so that it draws "
            "again."
        )
    return run


def chosen(steps: Steps, layout: Layout, names: str) -> list[tuple[int, Instance]]:
    """The instances to draw anew: those missed or changed, and those that are named, one a line."""
    found = dict(to_redo(steps.layout, layout))
    for index in find_instances(layout, names):
        found[index + 1] = layout.instances[index]
    return sorted(found.items())


def redo_notes(instances: Sequence[tuple[int, Instance]], left: int) -> list[Note]:
    """What is drawn anew, or that nothing is."""
    names = [instance.subject(index) for index, instance in instances]
    notes = [Note("redo.boxes", values={"names": names})] if names else []
    notes += [Note("redo.left", values={"count": left})] if left else []
    return notes or [Note("redo.nothing")]


class KeepSteps(io.ComfyNode):
    """SAMPLER -> SAMPLER and STEPS."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ROICtrlKeepSteps",
            KEEP,
            description="The same sampler, which also keeps the latent of every step in main memory, so that Redo "
            "Boxes can draw some boxes anew and leave the rest of the picture as it is.",
            search_aliases=ALIASES,
            inputs=[
                io.Sampler.Input("sampler", tooltip="Any sampler with a fixed number of steps."),
                LAYOUT.Input("layout", tooltip="The layout that the picture is drawn from."),
            ],
            outputs=[
                io.Sampler.Output(
                    display_name="sampler", tooltip="For SamplerCustomAdvanced, which draws the picture."
                ),
                STEPS.Output(display_name="kept_steps", tooltip="For Redo Boxes. At most 4096 MB are kept."),
            ],
        )

    @classmethod
    def execute(cls, sampler, layout) -> io.NodeOutput:
        with named(KEEP):
            if isinstance(sampler, (KeepingSampler, RedoingSampler)):
                raise ValueError(
                    f"the sampler keeps its steps already. Connect the kept_steps of the {KEEP} or {REDO} it comes "
                    f"from, or give {KEEP} the sampler before that."
                )
            steps = Steps(sampler, layout.validate())
        return io.NodeOutput(KeepingSampler(steps), steps)


class RedoBoxes(io.ComfyNode):
    """STEPS and a layout -> SAMPLER that draws the changed boxes alone."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ROICtrlRedoBoxes",
            REDO,
            description="A sampler that draws boxes of a picture anew: those that Check Layout marked, those that "
            "changed, and those that are named. Outside them the latent stays as it is, to the bit.",
            search_aliases=ALIASES,
            inputs=_redo_inputs(),
            outputs=_redo_outputs(),
        )

    @classmethod
    def execute(cls, kept_steps, latent, layout, instances="", obeyed=False) -> io.NodeOutput:
        with named(REDO):
            run = kept_run(kept_steps, latent)
            again = [] if obeyed else chosen(kept_steps, layout.validate(), instances)
        left = [] if obeyed else left_behind(kept_steps.layout, layout)
        mask = redo_mask([*(freed(instance) for _, instance in again), *left], *run.result.shape[-2:])
        # A picture that stays is still that of the layout before.
        kept = Steps(kept_steps.sampler, kept_steps.layout if obeyed else layout)
        sampler = RedoingSampler(kept_steps.sampler, run, mask, KeepingSampler(kept))
        notes = [Note("redo.enough")] if obeyed else redo_notes(again, len(left))
        pixels = pixels_of(mask, layout.height, layout.width)[None]
        return io.NodeOutput(sampler, kept, pixels, ui=said(REDO, notes))


def _redo_inputs() -> list[io.Input]:
    """The kept picture, and what of it is to be another."""
    return [
        STEPS.Input("kept_steps", tooltip="From Keep Steps, or from another Redo Boxes."),
        io.Latent.Input("latent", tooltip="The picture: the output of the sampler that drew it."),
        LAYOUT.Input(
            "layout", tooltip="The layout as it is to be now: from Check Layout, or changed by Edit Instance."
        ),
        io.String.Input(
            "instances",
            multiline=True,
            default="",
            tooltip="Boxes to draw anew beside those that are marked or changed: a label, a caption or an "
            "index from 1, one a line; or all.",
        ),
        io.Boolean.Input(
            "obeyed",
            optional=True,
            force_input=True,
            tooltip="From Check Layout: where it is true the picture stays as it is, and nothing is sampled.",
        ),
    ]


def _redo_outputs() -> list[io.Output]:
    """What draws, and where the picture changes."""
    return [
        io.Sampler.Output(
            display_name="sampler",
            tooltip="For a second SamplerCustomAdvanced, with the same sigmas and latent as the first, a "
            "guider that knows the layout, and noise of another seed.",
        ),
        STEPS.Output(display_name="kept_steps", tooltip="The steps of the new picture, for another Redo Boxes."),
        io.Mask.Output(
            display_name="mask",
            tooltip="Where the picture changes. A decoded picture changes a little everywhere: Image Composite "
            "Masked puts the old pixels back outside the mask.",
        ),
    ]


NODES = [KeepSteps, RedoBoxes]
