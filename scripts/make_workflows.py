"""Writes workflows/*.json with their thumbnails, and subgraphs/*.json, with the nodes of a running ComfyUI.

    python scripts/dev.py workflows

Run it after a node has changed; the files are committed. What they hold is defined in *_workflows.py and blueprints.py;
a file's name is its title in the page. A thumbnail is the layout's own drawing, unless a picture that was really made
with the workflow stands in its place (KEPT).
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from any_model_workflows import ANY_MODEL_WORKFLOWS
from beside_workflows import BESIDE_WORKFLOWS
from blueprints import BLUEPRINTS
from demo_workflows import DEMO_WORKFLOWS
from devtools.base import make_base
from devtools.frontend import frontend_arguments
from devtools.graph import Graph
from devtools.neighbours import add_neighbours
from devtools.pack import ROOT, register_core
from devtools.places import find_comfyui
from devtools.server import Server
from devtools.templates import DEMO, FOLDER, template
from instance_diffusion_workflows import INSTANCE_DIFFUSION_WORKFLOWS
from redo_workflows import REDO_WORKFLOWS
from sd15_workflows import SD15_WORKFLOWS

register_core()

from roictrl_core.drawing import draw_layout  # noqa: E402
from roictrl_core.layout import Layout  # noqa: E402

WORKFLOWS = (
    DEMO_WORKFLOWS
    | REDO_WORKFLOWS
    | SD15_WORKFLOWS
    | BESIDE_WORKFLOWS
    | INSTANCE_DIFFUSION_WORKFLOWS
    | ANY_MODEL_WORKFLOWS
)
SUBGRAPHS = ROOT / "subgraphs"
THUMBNAIL = 400  # pixels, longer side
KEPT = (DEMO,)  # thumbnails that are real pictures


def write(object_info: dict) -> None:
    """Every workflow with its thumbnail, and every blueprint; a file of ours that is defined no more goes."""
    kept = {*map(template, WORKFLOWS), *(SUBGRAPHS / f"{name}.json" for name in BLUEPRINTS)}
    for old in {*FOLDER.glob("*.json"), *SUBGRAPHS.glob("*.json")} - kept:
        old.unlink()
        old.with_suffix(".jpg").unlink(missing_ok=True)
    for title, define in WORKFLOWS.items():
        graph = Graph(object_info, define.__name__)
        text = define(graph)
        save(template(title), graph.workflow())
        if title not in KEPT:
            thumbnail(text).save(template(title).with_suffix(".jpg"), quality=88)
    SUBGRAPHS.mkdir(exist_ok=True)
    for name, define in BLUEPRINTS.items():
        save(SUBGRAPHS / f"{name}.json", define(object_info, name))


def save(file: Path, content: dict) -> None:
    """JSON that a person can read the changes of."""
    file.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def thumbnail(text: str):
    """The layout drawn on a dark ground."""
    layout = Layout.from_json(text)
    scale = THUMBNAIL / max(layout.width, layout.height)
    return draw_layout(layout.resized(round(layout.width * scale), round(layout.height * scale)))


def main() -> None:
    """Ask a fresh server for its nodes and write."""
    comfyui, python = find_comfyui(), Path(sys.executable)
    with (
        tempfile.TemporaryDirectory() as base,
        Server(
            python, comfyui, add_neighbours(make_base(Path(base))), arguments=frontend_arguments(python, comfyui)
        ) as server,
    ):
        write(server.object_info)


if __name__ == "__main__":
    main()
