"""Writes workflows/*.json and their thumbnails from the definitions below, with the nodes of a running ComfyUI.

    python scripts/dev.py workflows

Run it after a node has changed; the files are committed. A thumbnail is the layout's own drawing, unless a picture
that was really made with the workflow stands in its place (KEPT).
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from devtools.base import make_base
from devtools.frontend import frontend_arguments
from devtools.graph import Graph, Output
from devtools.pack import ROOT, register_core
from devtools.places import find_comfyui
from devtools.server import Server

register_core()

from roictrl_core.drawing import draw_layout  # noqa: E402
from roictrl_core.layout import Layout  # noqa: E402
from roictrl_core.masks import RunLengthMask  # noqa: E402

FOLDER = ROOT / "workflows"
THUMBNAIL = 400  # pixels, longer side
SD15 = "v1-5-pruned-emaonly-fp16.safetensors"
SDXL = "sd_xl_base_1.0.safetensors"
ADAPTER = "ROICtrl_sdv14_30K.safetensors"
INSTANCE_DIFFUSION = "instancediffusion_sd15.safetensors"
GLIGEN = "gligen_sd14_textbox_pruned.safetensors"
NEGATIVE = "worst quality, low quality, blurry"

WEIGHTS = f"""## Weights
- **Checkpoint**: any Stable Diffusion 1.x file, in `models/checkpoints`.
- **Adapter**: `{ADAPTER}` from Hugging Face `guyuchao/ROICtrl` (licence cc-by-nc-4.0: no commercial use), \
in `models/roictrl`.

Draw or type the boxes in **Instance Box Prompt**: one caption for each."""
WEIGHTS_SDXL = f"""## Weights
- **Checkpoint**: any SDXL file, such as `{SDXL}`, in `models/checkpoints`.

Nothing else: **Apply ROI Prompts** uses the cross-attention that the model already has. \
It needs no adapter, and so it places things more
loosely than a trained adapter does."""

WEIGHTS_GLIGEN = f"""## Weights
- **Checkpoint**: any Stable Diffusion 1.x file, in `models/checkpoints`.
- **GLIGEN**: `{GLIGEN}` from Hugging Face `comfyanonymous/GLIGEN_pruned_safetensors`, in `models/gligen`.

Draw or type the boxes in **Instance Box Prompt**: one caption for each. **Apply GLIGEN** takes them \
as they are drawn, to the pixel."""

WEIGHTS_INSTANCE_DIFFUSION = f"""## Weights
- **Checkpoint**: any Stable Diffusion 1.5 file, in `models/checkpoints`.
- **InstanceDiffusion**: `{INSTANCE_DIFFUSION}` in `models/instance_diffusion`, made by `scripts/convert.py` \
from the official checkpoint (Hugging Face `xudongw/InstanceDiffusion`); \
or the three files of `logtd/instance_diffusion`: choose any of them.
"""

DEMO = """## Nothing to download
The demo model comes with the pack: a tiny model of its own that draws 128-pixel pictures of coloured shapes \
and knows no other words.

- **Colours**: red, yellow, green, cyan, blue, magenta, white
- **Textures**: plain, striped, dotted
- **Shapes**: circle, square, triangle, cross, ring, star

Change a caption, move a box, run again. Strength 0 in **Apply ROICtrl** \
shows what the same seed gives without control."""


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


def apply(g: Graph, column: int, model: Output, clip: Output, drawn: Output) -> Output:
    """Load ROICtrl Adapter and Apply ROICtrl."""
    adapter = g.add(column, "ROICtrlLoadAdapter", adapter_name=ADAPTER)
    return g.add(column, "ROICtrlApply", model=model, adapter=adapter[0], clip=clip, layout=drawn)[0]


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
    g: Graph, column: int, model: Output, clip: Output, vae: Output, drawn: Output, text: str | Output, name: str
) -> None:
    """From the prompts in `column` to the finished picture: Apply ROICtrl, one KSampler on an empty latent."""
    positive, negative = prompts(g, column, clip, text)
    controlled = apply(g, column + 1, model, clip, drawn["layout"])
    latent = g.add(column + 1, "EmptyLatentImage", width=drawn["width"], height=drawn["height"])
    finish(g, column + 3, sample(g, column + 2, controlled, positive, negative, latent[0]), vae, drawn["layout"], name)


def text_to_image(g: Graph) -> str:
    """The main job: boxes and captions in, a picture out."""
    g.note(0, WEIGHTS, 260)
    model = g.add(0, "CheckpointLoaderSimple", ckpt_name=SD15)
    drawn = boxes(g, 0, ANIMALS)
    whole = g.add(
        1, "ROICtrlLayoutToPrompt", layout=drawn["layout"], prefix="a photo of", suffix="a meadow in the morning sun"
    )
    one_pass(g, 1, model["MODEL"], model["CLIP"], model["VAE"], drawn, whole[0], "text_to_image")
    return ANIMALS


def checkpoint_with_lora(g: Graph) -> str:
    """A community checkpoint with a LoRA: both act inside the boxes as they do outside."""
    g.note(0, WEIGHTS + "\n- **LoRA**: any for SD1.x, in `models/loras`. Apply ROICtrl comes after it.", 290)
    base = g.add(0, "CheckpointLoaderSimple", ckpt_name="dreamshaper_8.safetensors")
    model = g.add(
        0,
        "LoraLoader",
        model=base["MODEL"],
        clip=base["CLIP"],
        lora_name="style_lora_sd15.safetensors",
        strength_model=0.8,
        strength_clip=0.8,
    )
    drawn = boxes(g, 1, TABLE)
    text = "a blue teapot and a slice of strawberry cake on a wooden table, soft light"
    one_pass(g, 2, model["MODEL"], model["CLIP"], base["VAE"], drawn, text, "checkpoint_with_lora")
    return TABLE


def controlnet(g: Graph) -> str:
    """ControlNet gives the edges of the whole picture, ROICtrl says what stands where."""
    g.note(
        0,
        WEIGHTS + "\n- **ControlNet**: `control_v11p_sd15_canny_fp16.safetensors`, in `models/controlnet`.\n\n"
        "Draw the boxes where the edges of your own picture have room for what they say.",
        330,
    )
    model = g.add(0, "CheckpointLoaderSimple", ckpt_name=SD15)
    picture = g.add(0, "LoadImage", room=260, image="example.png")
    edges = g.add(1, "Canny", image=picture["IMAGE"])
    drawn = boxes(g, 1, STREET, image=picture["IMAGE"], size_from_image=False)
    positive, negative = prompts(g, 2, model["CLIP"], "a yellow taxi and a woman in a green coat on a rainy street")
    net = g.add(2, "ControlNetLoader", control_net_name="control_v11p_sd15_canny_fp16.safetensors")
    guided = g.add(
        3,
        "ControlNetApplyAdvanced",
        positive=positive,
        negative=negative,
        control_net=net[0],
        image=edges[0],
        strength=0.6,
    )
    controlled = apply(g, 3, model["MODEL"], model["CLIP"], drawn["layout"])
    latent = g.add(3, "EmptyLatentImage", width=drawn["width"], height=drawn["height"])
    finish(
        g,
        5,
        sample(g, 4, controlled, guided["positive"], guided["negative"], latent[0]),
        model["VAE"],
        drawn["layout"],
        "controlnet",
    )
    return STREET


def two_pass_upscale(g: Graph) -> str:
    """A second pass at one and a half times the size, under the same layout: boxes are shares of the picture."""
    g.note(0, WEIGHTS, 260)
    model = g.add(0, "CheckpointLoaderSimple", ckpt_name=SD15)
    drawn = boxes(g, 0, TOWER)
    whole = g.add(1, "ROICtrlLayoutToPrompt", layout=drawn["layout"], suffix="the coast at night, oil painting")
    positive, negative = prompts(g, 1, model["CLIP"], whole[0])
    controlled = apply(g, 2, model["MODEL"], model["CLIP"], drawn["layout"])
    latent = g.add(2, "EmptyLatentImage", width=drawn["width"], height=drawn["height"])
    small = sample(g, 3, controlled, positive, negative, latent[0])
    large = g.add(3, "LatentUpscaleBy", samples=small, upscale_method="bislerp", scale_by=1.5)
    finish(
        g,
        5,
        sample(g, 4, controlled, positive, negative, large[0], steps=20, denoise=0.5),
        model["VAE"],
        drawn["layout"],
        "two_pass_upscale",
    )
    return TOWER


def inpaint_one_box(g: Graph) -> str:
    """One box of an existing picture is made anew; the rest stays."""
    g.note(
        0,
        WEIGHTS + "\n\nLoad a picture of your own and move the box to what you want to replace. "
        "Its mask is the box; the rest of the picture stays as it is.",
        320,
    )
    model = g.add(0, "CheckpointLoaderSimple", ckpt_name=SD15)
    picture = g.add(0, "LoadImage", room=260, image="example.png")
    drawn = boxes(g, 1, PATCH, image=picture["IMAGE"])
    positive, negative = prompts(g, 2, model["CLIP"], "a ginger cat with a blue collar")
    controlled = apply(g, 3, model["MODEL"], model["CLIP"], drawn["layout"])
    encoded = g.add(2, "VAEEncode", pixels=picture["IMAGE"], vae=model["VAE"])
    masked = g.add(3, "SetLatentNoiseMask", samples=encoded[0], mask=drawn["masks"])
    finish(
        g,
        5,
        sample(g, 4, controlled, positive, negative, masked[0], denoise=0.9),
        model["VAE"],
        drawn["layout"],
        "inpaint_one_box",
    )
    return PATCH


def masks(g: Graph) -> str:
    """Instances that show only inside their masks, with a soft edge."""
    g.note(
        0,
        WEIGHTS + "\n\nEach instance has a mask beside its box and shows only inside it; "
        "`mask_feather` in **Apply ROICtrl** is the width of its soft edge. "
        "To use your own masks, connect **Layout from Masks** in place of Instance Box Prompt.",
        350,
    )
    model = g.add(0, "CheckpointLoaderSimple", ckpt_name=SD15)
    drawn = boxes(g, 0, FRUIT)
    one_pass(
        g,
        1,
        model["MODEL"],
        model["CLIP"],
        model["VAE"],
        drawn,
        "a photo of a green pear and an orange on a dark table",
        "masks",
    )
    return FRUIT


def sdxl_roi_prompts(g: Graph) -> str:
    """SDXL, for which there is no adapter: Apply ROI Prompts."""
    g.note(0, WEIGHTS_SDXL, 230)
    model = g.add(0, "CheckpointLoaderSimple", ckpt_name=SDXL)
    drawn = boxes(g, 0, MARKET)
    positive, negative = prompts(
        g, 1, model["CLIP"], "a market stall with lemons and red apples under a striped awning, photo"
    )
    controlled = g.add(2, "ROICtrlApplyROIPrompts", model=model["MODEL"], clip=model["CLIP"], layout=drawn["layout"])[0]
    latent = g.add(2, "EmptyLatentImage", width=drawn["width"], height=drawn["height"])
    finish(
        g,
        4,
        sample(g, 3, controlled, positive, negative, latent[0], cfg=6.5),
        model["VAE"],
        drawn["layout"],
        "sdxl_roi_prompts",
    )
    return MARKET


def gligen(g: Graph) -> str:
    """The same drawing through GLIGEN's weights, which ComfyUI's own loader reads."""
    g.note(0, WEIGHTS_GLIGEN, 260)
    model = g.add(0, "CheckpointLoaderSimple", ckpt_name=SD15)
    weights = g.add(0, "GLIGENLoader", gligen_name=GLIGEN)
    drawn = boxes(g, 1, ANIMALS)
    whole = g.add(1, "ROICtrlLayoutToPrompt", layout=drawn["layout"], prefix="a photo of")
    positive, negative = prompts(g, 2, model["CLIP"], whole[0])
    controlled = g.add(
        2,
        "ROICtrlApplyGLIGEN",
        model=model["MODEL"],
        gligen=weights[0],
        clip=model["CLIP"],
        layout=drawn["layout"],
    )
    latent = g.add(2, "EmptyLatentImage", width=drawn["width"], height=drawn["height"])
    sampled = sample(g, 3, controlled[0], positive, negative, latent[0])
    finish(g, 4, sampled, model["VAE"], drawn["layout"], "gligen")
    return ANIMALS


def grounded(g: Graph, text: str, more: str, formats: str = "auto") -> dict[str, Output]:
    """The InstanceDiffusion graphs up to their sampler: its inputs, and what `finish` wants."""
    g.note(0, WEIGHTS_INSTANCE_DIFFUSION + more, 330)
    model = g.add(0, "CheckpointLoaderSimple", ckpt_name=SD15)
    drawn = boxes(g, 0, text)
    whole = g.add(1, "ROICtrlLayoutToPrompt", layout=drawn["layout"], prefix="a photo of")
    positive, negative = prompts(g, 1, model["CLIP"], whole[0])
    weights = g.add(2, "ROICtrlLoadInstanceDiffusion", weights_name=INSTANCE_DIFFUSION)
    controlled = g.add(
        2,
        "ROICtrlApplyInstanceDiffusion",
        model=model["MODEL"],
        instance_diffusion=weights[0],
        clip=model["CLIP"],
        layout=drawn["layout"],
        formats=formats,
    )
    latent = g.add(2, "EmptyLatentImage", width=drawn["width"], height=drawn["height"])
    return {
        "model": controlled[0],
        "positive": positive,
        "negative": negative,
        "latent_image": latent[0],
        "vae": model["VAE"],
        "layout": drawn["layout"],
    }


def published(g: Graph, parts: dict[str, Output], name: str, **settings: object) -> None:
    """InstanceDiffusion Sampler and the picture."""
    inputs = {key: parts[key] for key in ("model", "positive", "negative", "latent_image")}
    sampled = g.add(3, "ROICtrlInstanceDiffusionSampler", **inputs, seed=42, steps=50, cfg=7.5, **settings)
    finish(g, 4, sampled[0], parts["vae"], parts["layout"], name)


def instance_diffusion(g: Graph) -> str:
    """InstanceDiffusion from boxes alone, with the published sampler."""
    published(g, grounded(g, ANIMALS, ""), "instance_diffusion", mis_share=0.0)
    return ANIMALS


def instance_diffusion_scribbles(g: Graph) -> str:
    """Points and scribbles beside the boxes."""
    more = (
        "\nA scribble says roughly what an instance covers, a point only where it is. "
        "They are part of the layout's JSON: `scribble` is a list of strokes, `point` one pair of numbers, all 0 to 1."
    )
    published(g, grounded(g, LAKE, more, "scribble"), "instance_diffusion_scribbles", mis_share=0.0)
    return LAKE


def instance_diffusion_masks(g: Graph) -> str:
    """Masks give the outline of each instance."""
    more = (
        "\nThe masks are part of the layout. To use your own, connect **Layout from Masks** "
        "in place of Instance Box Prompt."
    )
    published(g, grounded(g, FRUIT, more, "mask"), "instance_diffusion_masks", mis_share=0.0)
    return FRUIT


def multi_instance_sampler(g: Graph) -> str:
    """Every instance by itself for the first third of the steps, then all as one picture,
    with core's advanced sampler node."""
    more = (
        "\n**Multi-Instance Sampler** keeps captions from leaking into other boxes. "
        "It costs a third of a run more for each instance. With nothing connected to its `sampler` "
        "it is PLMS as published; connect KSamplerSelect for any other."
    )
    parts = grounded(g, ANIMALS, more)
    guider = g.add(
        3,
        "ROICtrlMultiInstanceGuider",
        model=parts["model"],
        positive=parts["positive"],
        negative=parts["negative"],
        cfg=7.5,
    )
    sampler = g.add(3, "ROICtrlMultiInstanceSampler", mis_share=0.36)
    sigmas = g.add(3, "ROICtrlPLMSScheduler", model=parts["model"], steps=50)
    noise = g.add(3, "RandomNoise", noise_seed=42)
    sampled = g.add(
        4,
        "SamplerCustomAdvanced",
        noise=noise[0],
        guider=guider[0],
        sampler=sampler[0],
        sigmas=sigmas[0],
        latent_image=parts["latent_image"],
    )
    finish(g, 5, sampled[0], parts["vae"], parts["layout"], "multi_instance_sampler")
    return ANIMALS


def demo(g: Graph) -> str:
    """The demo model, which comes with the pack: nothing to download."""
    g.note(0, DEMO, 260)
    model = g.add(0, "ROICtrlLoadDemoModel")
    drawn = boxes(g, 0, SHAPES)
    whole = g.add(1, "ROICtrlLayoutToPrompt", layout=drawn["layout"])
    positive = g.add(
        1, "CLIPTextEncode", title="Prompt for the whole picture", room=80, clip=model["clip"], text=whole[0]
    )
    negative = g.add(1, "CLIPTextEncode", title="Negative prompt", room=80, clip=model["clip"], text="")
    controlled = g.add(
        2, "ROICtrlApply", model=model["model"], adapter=model["adapter"], clip=model["clip"], layout=drawn["layout"]
    )
    latent = g.add(2, "EmptyLatentImage", width=drawn["width"], height=drawn["height"])
    sampled = sample(
        g,
        3,
        controlled[0],
        positive[0],
        negative[0],
        latent[0],
        steps=20,
        cfg=2.0,
        sampler_name="euler",
        scheduler="normal",
    )
    image = g.add(4, "VAEDecode", samples=sampled, vae=model["vae"])[0]
    g.add(4, "SaveImage", room=260, images=image, filename_prefix="ROICtrl/demo")
    large = g.add(
        4, "ImageScaleBy", title="Enlarge, so that captions fit", image=image, upscale_method="lanczos", scale_by=3.0
    )
    g.add(4, "ROICtrlPreviewLayout", room=300, layout=drawn["layout"], image=large[0], table=False)
    return SHAPES


WORKFLOWS: tuple[Callable[[Graph], str], ...] = (
    text_to_image,
    checkpoint_with_lora,
    controlnet,
    two_pass_upscale,
    inpaint_one_box,
    masks,
    sdxl_roi_prompts,
    demo,
    gligen,
    instance_diffusion,
    instance_diffusion_scribbles,
    instance_diffusion_masks,
    multi_instance_sampler,
)
KEPT = ("demo",)  # thumbnails that are real pictures


def write(object_info: dict, folder: Path = FOLDER) -> None:
    """Every workflow, and the thumbnails that are drawings."""
    for define in WORKFLOWS:
        graph = Graph(object_info, define.__name__)
        text = define(graph)
        file = folder / f"{define.__name__}.json"
        file.write_text(json.dumps(graph.workflow(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        if define.__name__ not in KEPT:
            thumbnail(text).save(file.with_suffix(".jpg"), quality=88)


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
        Server(python, comfyui, make_base(Path(base)), arguments=frontend_arguments(python, comfyui)) as server,
    ):
        write(server.object_info)


if __name__ == "__main__":
    main()
