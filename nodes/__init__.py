"""The nodes. Each module lists its classes in `NODES`; this file only collects them."""

from __future__ import annotations

from importlib import import_module

from comfy_api.latest import ComfyExtension

from . import routes

# In the order of the node menu. A module is added here when it lands.
MODULES: tuple[str, ...] = (
    "loader",
    "prompt",
    "apply",
    "preview",
    "convert",
    "instances",
    "gligen",
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
