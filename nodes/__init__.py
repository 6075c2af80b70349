"""The nodes. Each module of `MODULES` lists its classes in `NODES`; this file collects them for ComfyUI.

What the nodes share:

types.py          socket types, schemas, and the inputs that several nodes have
widgets.py        checks of settings that come over links
report.py         errors and notes: in the log and on the page
similarity.py     captions against crops, by CLIP
images.py         ComfyUI's IMAGE, and layouts drawn as one
loras.py          LoRAs of single instances; references.py: their image prompts
captions.py       captions -> text embeddings
slots.py          a layout's instances -> the slots of an Apply
blocks.py         which of a model's blocks act
speed.py          whether every step is computed
weights.py        adapters as ComfyUI keeps models
remedies.py       which node loads which kind of file
model_folders.py  our folders under ComfyUI's models folder
page.py           the running server, and notes to the page while a model samples
routes.py         the server's route that reads boxes for the editor
demo_model/       the demo model in ComfyUI's classes
patch/            instances in ComfyUI's models
sampling/         guiders and samplers of our own
training/         training in ComfyUI
"""

from __future__ import annotations

from importlib import import_module

from comfy_api.latest import ComfyExtension

from . import routes

# In the order of the node menu.
MODULES: tuple[str, ...] = (
    "loader",
    "prompt",
    "apply_boxes",
    "apply",
    "roi_prompts",
    "preview",
    "check",
    "redo",
    "convert",
    "instances",
    "instance_lora",
    "instance_reference",
    "layout_masks",
    "crops",
    "gligen",
    "eligen",
    "instance_diffusion",
    "instance_diffusion_sampling",
    "demo",
    "train",
)


class ROICtrlExtension(ComfyExtension):
    """Tells ComfyUI which nodes this pack brings."""

    async def get_node_list(self) -> list[type]:
        """Every node class of every module in `MODULES`; the editor's route goes with them."""
        routes.register()
        return [node for name in MODULES for node in import_module(f".{name}", __package__).NODES]
