"""The example workflows of the demo model, which need no download: the first to try, and the same as an app."""

from __future__ import annotations

from collections.abc import Callable

from devtools.graph import Graph, Output, Outputs
from devtools.templates import DEMO, DEMO_APP
from workflow_files import note
from workflow_parts import boxes, empty_latent, prompts, sample
from workflow_scenes import SHAPES, SIGNS

KNOWS = """The demo model comes with the pack: a tiny model of its own that draws pictures of 128 x 128 pixels, \
with a guidance (cfg) of about 2, and knows no other words than these.

- **Colours**: red, yellow, green, cyan, blue, magenta, white
- **Textures**: plain, striped, dotted
- **Shapes**: circle, square, triangle, cross, ring, star"""
DEMO_NOTE = f"""**A first try, with nothing to download.** Press Run; then change a caption, move a box, run again. \
Strength 0 in **Apply Boxes** shows what the same seed gives without control.

{KNOWS}"""
APP_NOTE = f"""**The demo as an app**: the box editor and the picture, without the graph. Pages of ComfyUI that \
have no apps show the graph.

{KNOWS}"""


def _graph(g: Graph, scene: str) -> tuple[Outputs, Outputs, Output]:
    """From the demo model to the picture: the boxes, the sampler, and the picture."""
    model = g.add(0, "ROICtrlLoadDemoModel")
    drawn = boxes(g, 0, scene)
    whole = g.add(1, "ROICtrlLayoutToPrompt", layout=drawn["layout"])
    positive, negative = prompts(g, 1, model["clip"], whole[0], "")
    inputs = {"model": model["model"], "adapter": model["adapter"], "clip": model["clip"], "layout": drawn["layout"]}
    controlled = g.add(2, "ROICtrlApplyBoxes", **inputs)[0]
    settings = {"steps": 20, "cfg": 2.0, "sampler_name": "euler", "scheduler": "normal"}
    sampled = sample(g, 3, controlled, positive, negative, empty_latent(g, 2, drawn), **settings)
    return drawn, sampled, g.add(4, "VAEDecode", samples=sampled[0], vae=model["vae"])[0]


def demo(g: Graph) -> str:
    """The demo model, which comes with the pack: nothing to download."""
    note(g, DEMO_NOTE)
    drawn, _, image = _graph(g, SHAPES)
    g.add(4, "SaveImage", room=260, images=image, filename_prefix="ROICtrl/demo")
    large = g.add(
        4, "ImageScaleBy", title="Enlarge, so that captions fit", image=image, upscale_method="lanczos", scale_by=3.0
    )
    g.add(4, "ROICtrlPreviewLayout", room=300, layout=drawn["layout"], image=large[0], table=False)
    return SHAPES


def demo_app(g: Graph) -> str:
    """The same, shown as an app: the boxes and a seed in, the picture out."""
    note(g, APP_NOTE)
    drawn, sampled, image = _graph(g, SIGNS)
    large = g.add(4, "ImageScaleBy", image=image, upscale_method="lanczos", scale_by=4.0)
    saved = g.add(4, "SaveImage", room=260, images=large[0], filename_prefix="ROICtrl/demo_app")
    g.add(4, "ROICtrlPreviewLayout", room=300, layout=drawn["layout"], image=large[0], table=False)
    g.as_app([(drawn, "layout"), (sampled, "seed")], [saved])
    return SIGNS


DEMO_WORKFLOWS: dict[str, Callable[[Graph], str]] = {DEMO: demo, DEMO_APP: demo_app}
