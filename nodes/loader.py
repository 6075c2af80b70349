"""Loads ROICtrl adapters from models/roictrl."""

from __future__ import annotations

from comfy_api.latest import io

from ..roictrl_core.checkpoint import read_adapter
from ..roictrl_core.notes import log
from . import model_folders
from .report import named
from .types import ADAPTER, schema
from .weights import adapter_patcher

FOLDER = "roictrl"
NODE = "Load ROICtrl Adapter"

model_folders.register(FOLDER)


class LoadAdapter(io.ComfyNode):
    """A ROICtrl adapter file -> ROICTRL."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ROICtrlLoadAdapter",
            NODE,
            description="Loads ROICtrl adapter weights from models/roictrl. The file is recognised by its contents; "
            "anything else is refused with a sentence that says what it is.",
            search_aliases=["roictrl", "regional prompt", "box control", "instance control", "layout to image"],
            inputs=[
                io.Combo.Input(
                    "adapter_name",
                    options=model_folders.choices(FOLDER),
                    tooltip=(
                        "A file in models/roictrl: .safetensors, or .bin, .pt, .pth, .ckpt holding weights alone. The "
                        "published one is ROICtrl_sdv14_30K.safetensors (Hugging Face guyuchao/ROICtrl, "
                        "cc-by-nc-4.0), for SD1.x."
                    ),
                )
            ],
            outputs=[ADAPTER.Output(display_name="adapter", tooltip="Connect it to Apply ROICtrl.")],
        )

    @classmethod
    def fingerprint_inputs(cls, adapter_name) -> str:
        """A file that was trained or downloaded anew under the same name is read again."""
        return model_folders.fingerprint(FOLDER, adapter_name)

    @classmethod
    def execute(cls, adapter_name) -> io.NodeOutput:
        with named(NODE):
            file = read_adapter(model_folders.path_of(FOLDER, adapter_name))
            log.info("%s: %s", adapter_name, file.description)
            return io.NodeOutput(adapter_patcher(file))


NODES = [LoadAdapter]
