"""Loads the demo model that comes with the pack."""

from __future__ import annotations

from comfy_api.latest import io

from ..roictrl_core.checkpoint import read_adapter
from .demo_model import FOLDER
from .demo_model.files import load_demo
from .demo_model.limits import limited
from .report import named
from .types import ADAPTER, schema
from .weights import adapter_patcher

NODE = "Load ROICtrl Demo Model"
ADAPTER_FILE = FOLDER / "adapter.safetensors"


class LoadDemoModel(io.ComfyNode):
    """The pack's demo weights -> MODEL, CLIP, VAE, ROICTRL."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ROICtrlLoadDemoModel",
            NODE,
            description=(
                "A tiny text-to-image model with its ROICtrl adapter, so that instance control can be tried on any "
                "computer with nothing to download. It draws 128-pixel pictures of coloured, plain, striped or dotted "
                "circles, squares, triangles, crosses, rings and stars at a guidance (cfg) of about 2, and knows no "
                "other words."
            ),
            search_aliases=["roictrl", "demo", "example", "tiny model"],
            inputs=[],
            outputs=[
                io.Model.Output(display_name="model", tooltip="The base model, for Apply ROICtrl or a sampler."),
                io.Clip.Output(display_name="clip", tooltip="Its text encoder, with a vocabulary of its own."),
                io.Vae.Output(display_name="vae", tooltip="Its VAE, TAESD's architecture."),
                ADAPTER.Output(display_name="adapter", tooltip="Its ROICtrl adapter, for Apply ROICtrl."),
            ],
        )

    @classmethod
    def execute(cls) -> io.NodeOutput:
        with named(NODE):
            if not ADAPTER_FILE.is_file():
                raise ValueError(
                    "adapter.safetensors is missing from the pack's demo_model folder: install the pack again "
                    "(git checkout), or train it with `python scripts/demo_train.py`."
                )
            model, clip, vae = load_demo()
            return io.NodeOutput(limited(model, NODE), clip, vae, adapter_patcher(read_adapter(ADAPTER_FILE)))


NODES = [LoadDemoModel]
