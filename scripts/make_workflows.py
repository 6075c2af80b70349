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

from any_model_workflows import ANY_MODEL
from devtools.base import make_base
from devtools.frontend import frontend_arguments
from devtools.graph import Graph, Output
from devtools.pack import ROOT, register_core
from devtools.places import find_comfyui
from devtools.server import Server
from workflow_parts import (
    ADAPTER,
    ANIMALS,
    FRUIT,
    LAKE,
    MARKET,
    PATCH,
    SD15,
    SDXL,
    SHAPES,
    STREET,
    TABLE,
    TOWER,
    apply,
    boxes,
    finish,
    one_pass,
    prompts,
    sample,
)

register_core()

from roictrl_core.drawing import draw_layout  # noqa: E402
from roictrl_core.layout import Layout  # noqa: E402

FOLDER = ROOT / "workflows"
THUMBNAIL = 400  # pixels, longer side
INSTANCE_DIFFUSION = "instancediffusion_sd15.safetensors"
GLIGEN = "gligen_sd14_textbox_pruned.safetensors"

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

Change a caption, move a box, run again. Strength 0 in **Apply Boxes** \
shows what the same seed gives without control."""


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
    g.note(0, WEIGHTS + "\n- **LoRA**: any for SD1.x, in `models/loras`. Apply Boxes comes after it.", 290)
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
        node="ROICtrlApply",
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
        2,
        "ROICtrlApplyBoxes",
        model=model["model"],
        adapter=model["adapter"],
        clip=model["clip"],
        layout=drawn["layout"],
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
    *ANY_MODEL,
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
