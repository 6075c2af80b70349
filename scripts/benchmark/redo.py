"""ROICtrl, and what is not obeyed drawn anew: the nodes Keep Steps and Redo Boxes, with the judge for a detector.

What the row can score is what the judge says, and the judge decides what is drawn again: it says how far redrawing
gets with a detector that makes no mistakes. Import after the pack is loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import comfy.sample
import comfy.samplers
import numpy as np
import torch
from roictrl_pack.nodes.redo import KeepSteps, RedoBoxes
from roictrl_pack.roictrl_core.check import MARK, NAME, PLACE
from roictrl_pack.roictrl_core.layout import Layout

from demo_world.judge import IOU_SUCCESS, judge

from .layouts import Case
from .prepare import Parts, Settings, roictrl
from .rows import layout_of
from .sampling import Conditioned, Sampler, as_bytes

APART = 1_000_003  # between the seeds of two tries, far from all seeds of the benchmark


def redone(parts: Parts, case: Case, settings: Settings, sampler: Sampler, seed: int) -> np.ndarray:
    """A picture, uint8 [size, size, 3], after up to ``settings["redos"]`` redos of its missed boxes."""
    conditioned, layout = roictrl(parts, case, settings), layout_of(case)
    own, steps = KeepSteps.execute(comfy.samplers.sampler_object(sampler.name), layout).result
    latent = _draw(conditioned, own, case, settings, sampler, seed)
    picture = _decoded(parts, latent)
    for again in range(1, settings["redos"] + 1):
        marked = _judged(layout, case, picture)
        if marked == layout:
            break
        own, steps, _ = RedoBoxes.execute(steps, {"samples": latent}, marked).result
        latent = _draw(conditioned, own, case, settings, sampler, seed + again * APART)
        picture = _decoded(parts, latent)
    return picture


def _judged(layout: Layout, case: Case, picture: np.ndarray) -> Layout:
    """The layout with a mark on each box in which the judge does not see what was asked for."""
    verdicts = judge(picture, case.boxes, case.wanted)
    marks: Sequence[dict] = [
        {} if verdict.success else {MARK: NAME if verdict.iou >= IOU_SUCCESS else PLACE} for verdict in verdicts
    ]
    pairs = zip(layout.instances, marks, strict=True)
    return replace(layout, instances=tuple(replace(instance, extra=extra) for instance, extra in pairs))


def _draw(conditioned: Conditioned, own, case: Case, settings: Settings, sampler: Sampler, seed: int) -> torch.Tensor:
    """SamplerCustom on an empty latent."""
    model, positive, negative = conditioned
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), sampler.scheduler, sampler.steps)
    channels = model.get_model_object("latent_format").latent_channels
    latent = torch.zeros(1, channels, case.size // 8, case.size // 8)
    noise = comfy.sample.prepare_noise(latent, seed)
    return comfy.sample.sample_custom(
        model, noise, settings["cfg"], own, sigmas, positive, negative, latent, disable_pbar=True, seed=seed
    )


def _decoded(parts: Parts, latent: torch.Tensor) -> np.ndarray:
    return as_bytes(parts.vae.decode(latent))[0]
