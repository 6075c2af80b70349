"""Train ROICtrl Adapter: boxes for a model of one's own, from a folder of captioned pictures."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import folder_paths
import torch
from comfy_api.latest import io, ui

from ..roictrl_core.checkpoint import AdapterFile
from ..roictrl_core.config import MAX_GRID
from ..roictrl_core.notes import quote
from ..roictrl_core.training.batches import Augmentation
from ..roictrl_core.training.logbook import loss_curve
from ..roictrl_core.training.optimisation import LearningRate
from ..roictrl_core.training.sources import METADATA
from . import model_folders
from .images import to_tensor
from .report import named
from .training.session import TrainSettings, default_precision, train_adapter
from .training.target import AdapterTarget
from .types import ADAPTER, advanced, schema
from .weights import adapter_patcher
from .widgets import check_widgets

NAME = "Train ROICtrl Adapter"
FOLDER = "roictrl"
AUTO, REFUSE, SKIP = "auto", "refuse", "skip"
NO_DATA = f"(no folder with a {METADATA} in input)"
PUBLISHED_GRIDS = "25, 19, 13, 7"

model_folders.register(FOLDER)


def data_folders() -> list[str]:
    """Folders in ComfyUI's input folder that hold a metadata.jsonl, at most two levels down."""
    root = Path(folder_paths.get_input_directory())
    found = sorted(
        file.parent.relative_to(root).as_posix() for depth in ("*", "*/*") for file in root.glob(f"{depth}/{METADATA}")
    )
    return found or [NO_DATA]


def data_path(choice: str) -> Path:
    """The folder of a choice; raises ValueError for none, and for one outside the input folder."""
    root = Path(folder_paths.get_input_directory()).resolve()
    folder = (root / choice).resolve()
    if choice == NO_DATA or not (folder / METADATA).is_file():
        raise ValueError(
            f"put a folder with pictures and a {METADATA} into {root}, press R in ComfyUI and choose it "
            "(the file's format: docs/training.md)."
        )
    if not folder.is_relative_to(root):
        raise ValueError(f"'{choice}' leads out of ComfyUI's input folder.")
    return folder


def target(name: str) -> AdapterTarget:
    """models/roictrl, or else ComfyUI's output folder and the system's temporary one.

    Nothing trained is thrown away.
    """
    spare = (Path(folder_paths.get_output_directory()), Path(tempfile.gettempdir()))
    return AdapterTarget(Path(folder_paths.get_folder_paths(FOLDER)[0]), name, spare)


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
    return advanced(io.Float.Input(name, default=default, min=0.0, max=1.0, step=0.01, tooltip=tooltip))


def _inputs() -> list[io.Input]:
    return [
        io.Model.Input("model", tooltip="The base: an SD1.x, SD2 or SDXL model, LoRAs included. It is not changed."),
        io.Clip.Input("clip", tooltip="Encodes the captions; the CLIP of the checkpoint."),
        io.Vae.Input("vae", tooltip="Encodes the pictures; the VAE of the checkpoint."),
        io.Combo.Input(
            "data",
            options=data_folders(),
            tooltip=f"A folder in ComfyUI's input folder with pictures and a "
            f"{METADATA}: per line file_name, caption, and instances with box and caption.",
        ),
        io.String.Input(
            "name", default="my_adapter", tooltip="Of the file in models/roictrl; steps and a number are added."
        ),
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
        ADAPTER.Input(
            "adapter",
            optional=True,
            tooltip="Go on from this adapter instead of fresh weights; roi_grids and slots are then its own.",
        ),
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
        _share(
            "flip",
            0.5,
            "Probability of mirroring a picture with its boxes. Captions with left or right are never mirrored.",
        ),
        _share("box_dropout", 0.1, "Probability of leaving a box out."),
        _share(
            "caption_dropout", 0.5, "Probability of an empty global caption, so that boxes learn to carry the content."
        ),
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
        advanced(
            io.Combo.Input(
                "bad_rows",
                options=[REFUSE, SKIP],
                default=REFUSE,
                tooltip=(
                    "What to do about rows that cannot be used; they are listed with their line numbers either way."
                ),
            )
        ),
    ]


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


def adapter_file(adapter) -> AdapterFile | None:
    """The weights of a ROICTRL input, cloned."""
    if adapter is None:
        return None
    weights = {name: tensor.detach().to("cpu", copy=True) for name, tensor in adapter.model.state_dict().items()}
    return AdapterFile(adapter.model.config, weights, {}, "")


class TrainAdapter(io.ComfyNode):
    """MODEL + CLIP + VAE + a folder of data -> ROICTRL and the loss curve."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ROICtrlTrainAdapter",
            NAME,
            description=(
                "Trains a ROICtrl adapter for the connected model on a folder of captioned pictures with boxes, and "
                "saves it to models/roictrl. The model itself stays as it is. Long runs and several GPUs: "
                "scripts/train.py."
            ),
            search_aliases=["roictrl training", "fine-tune", "train boxes", "train layout"],
            is_output_node=True,
            inputs=_inputs(),
            outputs=[
                ADAPTER.Output(display_name="adapter", tooltip="The trained adapter, for Apply ROICtrl."),
                io.Image.Output(display_name="loss_curve", tooltip="The loss at every step, and its moving average."),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, data, **_) -> str:
        """Edited data is trained on again."""
        try:
            status = os.stat(data_path(data) / METADATA)
        except (ValueError, OSError):
            return data
        return f"{data} {status.st_mtime_ns} {status.st_size}"

    @classmethod
    def execute(cls, model, clip, vae, data, name, adapter=None, **widgets) -> io.NodeOutput:
        check_widgets(cls, **widgets)
        with named(NAME):
            folder, settings = data_path(data), settings_of(**widgets)
            # ComfyUI runs nodes in inference mode, whose tensors cannot be trained through.
            with torch.inference_mode(False), torch.enable_grad():
                trained, history = train_adapter(
                    model, clip, vae, folder, adapter_file(adapter), settings, target(name)
                )
            curve = to_tensor([loss_curve(history)])
            return io.NodeOutput(adapter_patcher(trained), curve, ui=ui.PreviewImage(curve, cls=cls))


NODES = [TrainAdapter]
