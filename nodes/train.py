"""Train ROICtrl Adapter: boxes for a model of one's own, from a folder of captioned pictures."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import folder_paths
import torch
from comfy_api.latest import io, ui

from ..roictrl_core.checkpoint import AdapterFile
from ..roictrl_core.training.logbook import loss_curve
from ..roictrl_core.training.sources import METADATA
from . import model_folders
from .images import to_tensor
from .report import named
from .training import inputs
from .training.session import train_adapter
from .training.target import AdapterTarget
from .types import ADAPTER, clip_input, schema
from .weights import adapter_patcher
from .widgets import check_widgets

NAME = "Train ROICtrl Adapter"
FOLDER = "roictrl"
NO_DATA = f"(no folder with a {METADATA} in input)"

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


def base_and_data() -> list[io.Input]:
    """What is trained on what, and what its file is called."""
    return [
        io.Model.Input("model", tooltip="The base: an SD1.x, SD2 or SDXL model, LoRAs included. It is not changed."),
        clip_input(),
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
    ]


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
            inputs=[
                *base_and_data(),
                *inputs.run_inputs(),
                *inputs.picture_inputs(),
                ADAPTER.Input(
                    "adapter",
                    optional=True,
                    tooltip="Go on from this adapter instead of fresh weights; roi_grids and slots are then its own.",
                ),
                *inputs.rate_inputs(),
                *inputs.chance_inputs(),
                *inputs.computation_inputs(),
                *inputs.shape_inputs(),
                inputs.bad_rows_input(),
            ],
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
            folder, settings = data_path(data), inputs.settings_of(**widgets)
            # ComfyUI runs nodes in inference mode, whose tensors cannot be trained through.
            with torch.inference_mode(False), torch.enable_grad():
                trained, history = train_adapter(
                    model, clip, vae, folder, adapter_file(adapter), settings, target(name)
                )
            curve = to_tensor([loss_curve(history)])
            return io.NodeOutput(adapter_patcher(trained), curve, ui=ui.PreviewImage(curve, cls=cls))


NODES = [TrainAdapter]
