"""What the example workflows are put together from: layouts, prompts, a sampler, the end of a graph."""

from __future__ import annotations

import json

import numpy as np

from devtools.graph import Graph, Output
from devtools.pack import register_core

register_core()

from roictrl_core.masks import RunLengthMask  # noqa: E402

SD15 = "v1-5-pruned-emaonly-fp16.safetensors"
SDXL = "sd_xl_base_1.0.safetensors"
ADAPTER = "ROICtrl_sdv14_30K.safetensors"
NEGATIVE = "worst quality, low quality, blurry"


def layout(width: int, height: int, *instances: tuple) -> str:
    """Layout JSON for the widget: (caption, box xyxy 0..1), and perhaps a dict of other fields, each."""
    made = [{"box": box, "caption": caption, **(more[0] if more else {})} for caption, box, *more in instances]
    return json.dumps({"version": 1, "width": width, "height": height, "instances": made}, indent=1)


def ellipse(x1: float, y1: float, x2: float, y2: float, side: int = 128) -> dict:
    """The mask that fills a box as an ellipse."""
    y, x = np.mgrid[0:side, 0:side] / side
    inside = ((2 * x - x1 - x2) / (x2 - x1)) ** 2 + ((2 * y - y1 - y2) / (y2 - y1)) ** 2 <= 1
    return {"mask": RunLengthMask.from_array(inside).to_dict()}


ANIMALS = layout(
    512,
    512,
    ("a red fox sitting on the grass", [0.04, 0.4, 0.46, 0.96]),
    ("a white rabbit with long ears", [0.54, 0.45, 0.96, 0.96]),
    ("a hot-air balloon with yellow stripes", [0.3, 0.03, 0.62, 0.36]),
)
TABLE = layout(
    512,
    512,
    ("a blue teapot", [0.06, 0.35, 0.45, 0.85]),
    ("a slice of strawberry cake on a plate", [0.52, 0.5, 0.95, 0.88]),
)
STREET = layout(
    512, 512, ("a yellow taxi", [0.03, 0.5, 0.55, 0.92]), ("a woman in a green coat", [0.62, 0.25, 0.92, 0.97])
)
TOWER = layout(
    512,
    768,
    ("a full moon", [0.56, 0.04, 0.9, 0.27]),
    ("an old stone lighthouse", [0.1, 0.15, 0.45, 0.8]),
    ("a small red sailing boat", [0.5, 0.66, 0.92, 0.92]),
)
PATCH = layout(512, 512, ("a ginger cat with a blue collar", [0.3, 0.35, 0.75, 0.9]))
SHAPES = layout(
    128,
    128,
    ("a red striped circle", [0.06, 0.1, 0.46, 0.5]),
    ("a blue plain star", [0.54, 0.08, 0.94, 0.5]),
    ("a green dotted square", [0.3, 0.56, 0.7, 0.95]),
)
LAKE = layout(
    512,
    512,
    (
        "a wooden rowing boat",
        [0.1, 0.55, 0.6, 0.85],
        {"scribble": [[[0.12, 0.7], [0.25, 0.8], [0.45, 0.8], [0.58, 0.68]]]},
    ),
    ("a white swan", [0.66, 0.6, 0.9, 0.85], {"point": [0.78, 0.74]}),
    (
        "a snowy mountain",
        [0.05, 0.08, 0.95, 0.45],
        {"scribble": [[[0.06, 0.42], [0.4, 0.12], [0.55, 0.3], [0.7, 0.16], [0.94, 0.42]]]},
    ),
)
FRUIT = layout(
    512,
    512,
    *(
        (caption, box, ellipse(*box))
        for caption, box in (("a green pear", [0.08, 0.3, 0.42, 0.85]), ("an orange", [0.5, 0.45, 0.9, 0.85]))
    ),
)
MARKET = layout(
    1024,
    1024,
    ("a wooden crate full of lemons", [0.04, 0.5, 0.46, 0.95]),
    ("a wooden crate full of red apples", [0.54, 0.5, 0.96, 0.95]),
    ("a striped market awning", [0.05, 0.03, 0.95, 0.36]),
)


def boxes(g: Graph, column: int, text: str, **more: object):
    """Instance Box Prompt with a layout."""
    data = json.loads(text)
    return g.add(
        column, "ROICtrlInstanceBoxPrompt", room=300, width=data["width"], height=data["height"], layout=text, **more
    )


def prompts(g: Graph, column: int, clip: Output, text: str | Output) -> tuple[Output, Output]:
    """Positive and negative conditioning."""
    positive = g.add(column, "CLIPTextEncode", title="Prompt for the whole picture", room=80, clip=clip, text=text)
    negative = g.add(column, "CLIPTextEncode", title="Negative prompt", room=80, clip=clip, text=NEGATIVE)
    return positive[0], negative[0]


def apply(g: Graph, column: int, model: Output, clip: Output, drawn: Output, node: str = "ROICtrlApplyBoxes") -> Output:
    """Load ROICtrl Adapter and the node to start with, or another that takes the adapter."""
    adapter = g.add(column, "ROICtrlLoadAdapter", adapter_name=ADAPTER)
    return g.add(column, node, model=model, adapter=adapter[0], clip=clip, layout=drawn)[0]


def sample(
    g: Graph, column: int, model: Output, positive: Output, negative: Output, latent: Output, **more: object
) -> Output:
    """KSampler."""
    settings = {"seed": 42, "steps": 25, "cfg": 7.5, "sampler_name": "dpmpp_2m", "scheduler": "karras", **more}
    return g.add(
        column, "KSampler", model=model, positive=positive, negative=negative, latent_image=latent, **settings
    )[0]


def finish(g: Graph, column: int, latent: Output, vae: Output, drawn: Output, name: str) -> None:
    """Decode, save, and show the boxes on the picture, with the table of feature cells beneath it."""
    image = g.add(column, "VAEDecode", samples=latent, vae=vae)[0]
    g.add(column, "SaveImage", room=260, images=image, filename_prefix=f"ROICtrl/{name}")
    g.add(column, "ROICtrlPreviewLayout", room=300, layout=drawn, image=image)


def one_pass(
    g: Graph,
    column: int,
    model: Output,
    clip: Output,
    vae: Output,
    drawn: Output,
    text: str | Output,
    name: str,
    **more: str,
) -> None:
    """From the prompts in `column` to the finished picture: `apply`, one KSampler on an empty latent."""
    positive, negative = prompts(g, column, clip, text)
    controlled = apply(g, column + 1, model, clip, drawn["layout"], **more)
    latent = g.add(column + 1, "EmptyLatentImage", width=drawn["width"], height=drawn["height"])
    finish(g, column + 3, sample(g, column + 2, controlled, positive, negative, latent[0]), vae, drawn["layout"], name)
