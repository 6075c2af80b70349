"""What the example workflows are put together from: boxes, prompts, a sampler, the end of a graph."""

from __future__ import annotations

import json

from devtools.graph import Graph, Output, Outputs
from workflow_files import ADAPTER, load

NEGATIVE = "worst quality, low quality, blurry"
EDITOR = {"wide": 660, "room": 300}  # pixels: as wide as the page makes a new Instance Box Prompt


def boxes(g: Graph, column: int, text: str, **more: object) -> Outputs:
    """Instance Box Prompt with a layout."""
    data = json.loads(text)
    sides = {side: data[side] for side in ("width", "height")}
    return g.add(column, "ROICtrlInstanceBoxPrompt", **EDITOR, **sides, layout=text, **more)


def prompts(g: Graph, column: int, clip: Output, text: str | Output, negative: str = NEGATIVE) -> tuple[Output, Output]:
    """Positive and negative conditioning."""
    return tuple(
        g.add(column, "CLIPTextEncode", title=title, room=80, clip=clip, text=words)[0]
        for title, words in (("Prompt for the whole picture", text), ("Negative prompt", negative))
    )


def apply(g: Graph, column: int, model: Output, clip: Output, drawn: Output, node: str = "ROICtrlApplyBoxes") -> Output:
    """Load ROICtrl Adapter and the node to start with, or another that takes the adapter."""
    adapter = load(g, column, ADAPTER)
    return g.add(column, node, model=model, adapter=adapter[0], clip=clip, layout=drawn)[0]


def empty_latent(g: Graph, column: int, drawn: Outputs) -> Output:
    """An empty latent of the layout's size."""
    return g.add(column, "EmptyLatentImage", width=drawn["width"], height=drawn["height"])[0]


def sample(
    g: Graph, column: int, model: Output, positive: Output, negative: Output, latent: Output, **more: object
) -> Outputs:
    """KSampler."""
    settings = {"seed": 42, "steps": 25, "cfg": 7.5, "sampler_name": "dpmpp_2m", "scheduler": "karras", **more}
    return g.add(column, "KSampler", model=model, positive=positive, negative=negative, latent_image=latent, **settings)


def finish(g: Graph, column: int, sampled: Outputs, vae: Output, drawn: Output, name: str) -> None:
    """Decode, save, and show the boxes on the picture, with the table of feature cells beneath it."""
    image = g.add(column, "VAEDecode", samples=sampled[0], vae=vae)[0]
    g.add(column, "SaveImage", room=260, images=image, filename_prefix=f"ROICtrl/{name}")
    g.add(column, "ROICtrlPreviewLayout", room=300, layout=drawn, image=image)


def one_pass(
    g: Graph,
    column: int,
    model: Output,
    clip: Output,
    vae: Output,
    drawn: Outputs,
    text: str | Output,
    name: str,
    **more: str,
) -> None:
    """From the prompts in `column` to the finished picture: `apply`, one KSampler on an empty latent."""
    positive, negative = prompts(g, column, clip, text)
    controlled = apply(g, column + 1, model, clip, drawn["layout"], **more)
    latent = empty_latent(g, column + 1, drawn)
    finish(g, column + 3, sample(g, column + 2, controlled, positive, negative, latent), vae, drawn["layout"], name)
