"""The subgraph blueprints: several nodes that the page's node library offers as one."""

from __future__ import annotations

import json
from collections.abc import Callable

from devtools.blueprint import Blueprint
from devtools.pack import ROOT
from workflow_parts import EDITOR, empty_latent, prompts, sample

WORDS = ("draw boxes", "boxes", "box prompt", "regional prompt", "region", "area", "roictrl")  # that people type


def box_prompt_to_picture(object_info: dict, name: str) -> dict:
    """Boxes and captions in, a picture out: all that stands between a loader and Save Image."""
    adapter = object_info["ROICtrlApplyBoxes"]["input"]["optional"]["adapter"][0]
    sockets = {"model": "MODEL", "clip": "CLIP", "vae": "VAE", "adapter": adapter}
    outside = Blueprint(object_info, name, sockets)
    g = outside.graph
    drawn = g.add(0, "ROICtrlInstanceBoxPrompt", **EDITOR)
    whole = g.add(1, "ROICtrlLayoutToPrompt", layout=drawn["layout"])
    positive, negative = prompts(g, 1, outside["clip"], whole[0])
    inputs = {key: outside[key] for key in ("model", "clip", "adapter")}
    controlled = g.add(2, "ROICtrlApplyBoxes", layout=drawn["layout"], **inputs)
    sampled = sample(g, 3, controlled[0], positive, negative, empty_latent(g, 2, drawn))
    image = g.add(4, "VAEDecode", samples=sampled[0], vae=outside["vae"])
    chinese = json.loads((ROOT / "locales" / "zh" / "search.json").read_text(encoding="utf-8"))
    outside.show(drawn, "layout", "width", "height")
    outside.show(whole, "suffix")
    outside.show(sampled, "seed", "steps", "cfg")
    return outside.workflow(
        {"image": image[0], "layout": drawn["layout"]},
        "Boxes and captions in, a picture out, on any model that Apply Boxes knows. Draw the boxes in it; suffix is "
        "what the rest of the picture shows.",
        [*WORDS, *chinese["region"], *chinese["drawing"]],
    )


BLUEPRINTS: dict[str, Callable[[dict, str], dict]] = {"Box prompt to picture": box_prompt_to_picture}
