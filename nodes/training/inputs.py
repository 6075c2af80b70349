"""The numbers and choices of the `Train ROICtrl Adapter` node, in groups, and the settings that they make."""

from __future__ import annotations

import re

from comfy_api.latest import io

from ...roictrl_core.config import MAX_GRID
from ...roictrl_core.notes import quote
from ...roictrl_core.training.batches import Augmentation
from ...roictrl_core.training.optimisation import LearningRate
from ..types import advanced, share_input
from .session import TrainSettings, default_precision

AUTO, REFUSE, SKIP = "auto", "refuse", "skip"
PUBLISHED_GRIDS = "25, 19, 13, 7"


def parse_grids(text: str) -> tuple[int, ...]:
    """ "25, 19, 13, 7" -> (25, 19, 13, 7). Raises ValueError with a sentence."""
    try:
        grids = tuple(int(part) for part in re.split(r"[,\s]+", text.strip()))
    except ValueError:
        grids = ()
    if not grids or not all(1 <= grid <= MAX_GRID for grid in grids):
        raise ValueError(
            f"roi_grids is {quote(text)}; write the ROI grid side of each UNet level, 1 to {MAX_GRID}, "
            f"such as {PUBLISHED_GRIDS}."
        )
    return grids


def _share(name: str, default: float, tooltip: str) -> io.Input:
    return advanced(share_input(name, default, tooltip, step=0.01))


def run_inputs() -> list[io.Input]:
    """How long it goes on, in steps of which size."""
    return [
        io.Int.Input(
            "steps",
            default=2000,
            min=1,
            max=1_000_000,
            tooltip="Optimiser steps. The paper's adapter took tens of thousands with large batches.",
        ),
        io.Int.Input(
            "batch_size",
            default=1,
            min=1,
            max=256,
            tooltip="Pictures per step. More is steadier and takes more memory.",
        ),
        io.Float.Input(
            "learning_rate",
            default=5e-5,
            min=1e-7,
            max=1e-1,
            step=1e-7,
            round=False,
            tooltip="5e-5 for SD-sized models, 1e-3 for the demo model.",
        ),
    ]


def picture_inputs() -> list[io.Input]:
    """What the pictures become, and the seed of all that is drawn at random."""
    return [
        io.Int.Input(
            "width",
            default=512,
            min=64,
            max=4096,
            step=8,
            tooltip="Pictures are scaled and cropped to this size; the base's own is best.",
        ),
        io.Int.Input("height", default=512, min=64, max=4096, step=8, tooltip="See width."),
        io.Int.Input(
            "seed",
            default=0,
            min=0,
            max=2**31 - 1,
            tooltip="Of weights, noise, dropout and order. The same seed gives the same adapter on a CPU.",
        ),
    ]


def rate_inputs() -> list[io.Input]:
    """How the learning rate differs between weights, and over the first steps."""
    return [
        advanced(
            io.Float.Input(
                "gate_learning_rate",
                default=0.0,
                min=0.0,
                max=1.0,
                step=1e-7,
                round=False,
                tooltip="Of the gates, which start at zero; 0 = learning_rate.",
            )
        ),
        advanced(
            io.Int.Input("warmup", default=100, min=0, max=100_000, tooltip="Steps over which the learning rate rises.")
        ),
    ]


def chance_inputs() -> list[io.Input]:
    """What is left out or mirrored at random."""
    return [
        _share(
            "flip",
            0.5,
            "Probability of mirroring a picture with its boxes. Captions with left or right are never mirrored.",
        ),
        _share("box_dropout", 0.1, "Probability of leaving a box out."),
        _share(
            "caption_dropout", 0.5, "Probability of an empty global caption, so that boxes learn to carry the content."
        ),
    ]


def computation_inputs() -> list[io.Input]:
    """How it is computed, and what is kept of it."""
    return [
        _share("ema", 0.999, "Decay of the weights' moving average, which is what gets saved."),
        advanced(
            io.Combo.Input(
                "precision",
                options=[AUTO, "fp32", "bf16", "fp16"],
                default=AUTO,
                tooltip="Of the forward pass; the adapter's weights stay fp32. auto: bf16 where the GPU has it.",
            )
        ),
        advanced(
            io.Boolean.Input(
                "gradient_checkpointing", default=True, tooltip="Much less memory, a third to a half more time."
            )
        ),
    ]


def shape_inputs() -> list[io.Input]:
    """The shape of an adapter that begins with fresh weights."""
    return [
        advanced(
            io.String.Input(
                "roi_grids",
                default=PUBLISHED_GRIDS,
                tooltip=(
                    "ROI grid side per UNet level. The published ones suit 64 x 64 latents; "
                    "the demo model takes 8, 6, 4, 2."
                ),
            )
        ),
        advanced(
            io.Int.Input(
                "slots", default=30, min=1, max=256, tooltip="The most boxes per picture that the adapter will take."
            )
        ),
    ]


def bad_rows_input() -> io.Input:
    """What is done where the data is not sound."""
    return advanced(
        io.Combo.Input(
            "bad_rows",
            options=[REFUSE, SKIP],
            default=REFUSE,
            tooltip=("What to do about rows that cannot be used; they are listed with their line numbers either way."),
        )
    )


def settings_of(
    steps,
    batch_size,
    learning_rate,
    width,
    height,
    seed,
    gate_learning_rate,
    warmup,
    flip,
    box_dropout,
    caption_dropout,
    ema,
    precision,
    gradient_checkpointing,
    roi_grids,
    slots,
    bad_rows,
) -> TrainSettings:
    """The widgets, checked."""
    return TrainSettings(
        steps=steps,
        batch_size=batch_size,
        rate=LearningRate(learning_rate, steps, min(warmup, steps // 2)),
        gate_factor=(gate_learning_rate or learning_rate) / learning_rate,
        size=(width, height),
        seed=seed,
        augmentation=Augmentation(flip, box_dropout, caption_dropout),
        precision=default_precision() if precision == AUTO else precision,
        checkpointing=gradient_checkpointing,
        ema=ema,
        grids=parse_grids(roi_grids),
        slots=slots,
        refuse=bad_rows == REFUSE,
    )
