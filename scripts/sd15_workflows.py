"""The example workflows for Stable Diffusion 1.x, and SDXL by Apply ROI Prompts."""

from __future__ import annotations

from collections.abc import Callable

from devtools.graph import Graph, Outputs
from workflow_files import ADAPTER, CONTROLNET, GLIGEN, SD15, SDXL, File, describe, load, unlinked
from workflow_parts import apply, boxes, empty_latent, finish, one_pass, prompts, sample
from workflow_scenes import ANIMALS, FRUIT, HEROES, PARK, PATCH, POND, STREET, TABLE, TOWER

ROICTRL = (SD15, ADAPTER)


def text_to_image(g: Graph) -> str:
    """The main job: boxes and captions in, a picture out."""
    describe(
        g,
        "**A picture from boxes.** Three boxes say what stands where; ROICtrl's adapter draws it so. Move a box, "
        "change its caption, run again.",
        ROICTRL,
    )
    model = load(g, 0, SD15)
    drawn = boxes(g, 0, ANIMALS)
    whole = g.add(
        1, "ROICtrlLayoutToPrompt", layout=drawn["layout"], prefix="a photo of", suffix="a meadow in the morning sun"
    )
    one_pass(g, 1, model["MODEL"], model["CLIP"], model["VAE"], drawn, whole[0], "text_to_image")
    return ANIMALS


def checkpoint_with_lora(g: Graph) -> str:
    """A community checkpoint with a LoRA: both act inside the boxes as they do outside."""
    community, style = "dreamshaper_8.safetensors", "style_lora_sd15.safetensors"
    describe(
        g,
        "**A checkpoint and a LoRA of your own.** Both act inside the boxes as they do outside. Apply Boxes comes "
        "after the LoRA.",
        [ADAPTER],
        [
            unlinked(community, "checkpoints", "choose any checkpoint of Stable Diffusion 1.x that you have"),
            unlinked(style, "loras", "choose any LoRA for it"),
        ],
    )
    base = g.add(0, "CheckpointLoaderSimple", ckpt_name=community)
    strengths = {"strength_model": 0.8, "strength_clip": 0.8}
    model = g.add(0, "LoraLoader", model=base["MODEL"], clip=base["CLIP"], lora_name=style, **strengths)
    drawn = boxes(g, 1, TABLE)
    text = "a blue teapot and a slice of strawberry cake on a wooden table, soft light"
    one_pass(g, 2, model["MODEL"], model["CLIP"], base["VAE"], drawn, text, "checkpoint_with_lora")
    return TABLE


def lora_in_each_box(g: Graph) -> str:
    """Two characters, each with a LoRA of its own."""
    heroes = "knight_lora_sd15.safetensors", "wizard_lora_sd15.safetensors"
    describe(
        g,
        "**Two characters, each with its own LoRA.** Instance LoRA gives a box a LoRA: it acts on the box's caption "
        "and where the box reads it, and nowhere else. Write its trigger words into the caption. With `layers` it "
        "acts in more of the model, which is stronger and reaches a little beyond the box.",
        ROICTRL,
        [unlinked(name, "loras", "choose any LoRA of a character for Stable Diffusion 1.x") for name in heroes],
    )
    model = load(g, 0, SD15)
    drawn = boxes(g, 0, HEROES)
    layout = drawn["layout"]
    for number, name in enumerate(heroes, 1):
        layout = g.add(1, "ROICtrlInstanceLoRA", layout=layout, instance=str(number), lora_name=name)[0]
    text = "a knight and a wizard stand in front of a castle"
    positive, negative = prompts(g, 1, model["CLIP"], text)
    controlled = apply(g, 2, model["MODEL"], model["CLIP"], layout)
    sampled = sample(g, 3, controlled, positive, negative, empty_latent(g, 2, drawn))
    finish(g, 4, sampled, model["VAE"], layout, "lora_in_each_box")
    return HEROES


def guided_by_edges(
    g: Graph, layout: str, text: str, model: Outputs, file: File, strength: float, name: str, **canny: float
) -> None:
    """The edges of a picture through a ControlNet or the like, and boxes."""
    picture = g.add(0, "LoadImage", room=260, image="example.png")
    edges = g.add(1, "Canny", image=picture["IMAGE"], **canny)
    drawn = boxes(g, 1, layout, image=picture["IMAGE"], size_from_image=False)
    positive, negative = prompts(g, 2, model["CLIP"], text)
    net = load(g, 2, file)
    prompted = {"positive": positive, "negative": negative}
    guided = g.add(3, "ControlNetApplyAdvanced", **prompted, control_net=net[0], image=edges[0], strength=strength)
    controlled = apply(g, 3, model["MODEL"], model["CLIP"], drawn["layout"])
    sampled = sample(g, 4, controlled, guided["positive"], guided["negative"], empty_latent(g, 3, drawn))
    finish(g, 5, sampled, model["VAE"], drawn["layout"], name)


def controlnet(g: Graph) -> str:
    """ControlNet gives the edges of the whole picture, ROICtrl says what stands where."""
    describe(
        g,
        "**ControlNet and boxes together.** ControlNet gives the edges of the whole picture, the boxes say what stands "
        "where.",
        [*ROICTRL, CONTROLNET],
        more="Load a picture of your own, and draw the boxes where its edges have room for what they say.",
    )
    text = "a yellow taxi and a woman in a green coat on a rainy street"
    guided_by_edges(g, STREET, text, load(g, 0, SD15), CONTROLNET, 0.6, "controlnet")
    return STREET


def two_pass_upscale(g: Graph) -> str:
    """A second pass at one and a half times the size, under the same layout: boxes are shares of the picture."""
    describe(
        g,
        "**A second, larger pass.** The picture is sampled once more at one and a half times its size, under the same "
        "boxes: they are shares of the picture, and need no change.",
        ROICTRL,
    )
    model = load(g, 0, SD15)
    drawn = boxes(g, 0, TOWER)
    whole = g.add(1, "ROICtrlLayoutToPrompt", layout=drawn["layout"], suffix="the coast at night, oil painting")
    positive, negative = prompts(g, 1, model["CLIP"], whole[0])
    controlled = apply(g, 2, model["MODEL"], model["CLIP"], drawn["layout"])
    small = sample(g, 3, controlled, positive, negative, empty_latent(g, 2, drawn))
    large = g.add(3, "LatentUpscaleBy", samples=small[0], upscale_method="bislerp", scale_by=1.5)
    again = sample(g, 4, controlled, positive, negative, large[0], steps=20, denoise=0.5)
    finish(g, 5, again, model["VAE"], drawn["layout"], "two_pass_upscale")
    return TOWER


def inpaint_one_box(g: Graph) -> str:
    """One box of an existing picture is made anew; the rest stays."""
    describe(
        g,
        "**One box of a picture made anew.** The box is the mask: what lies outside it stays as it is.",
        ROICTRL,
        more="Load a picture of your own and move the box to what you want to replace.",
    )
    model = load(g, 0, SD15)
    picture = g.add(0, "LoadImage", room=260, image="example.png")
    drawn = boxes(g, 1, PATCH, image=picture["IMAGE"])
    positive, negative = prompts(g, 2, model["CLIP"], "a ginger cat with a blue collar")
    controlled = apply(g, 3, model["MODEL"], model["CLIP"], drawn["layout"])
    encoded = g.add(2, "VAEEncode", pixels=picture["IMAGE"], vae=model["VAE"])
    masked = g.add(3, "SetLatentNoiseMask", samples=encoded[0], mask=drawn["masks"])
    sampled = sample(g, 4, controlled, positive, negative, masked[0], denoise=0.9)
    finish(g, 5, sampled, model["VAE"], drawn["layout"], "inpaint_one_box")
    return PATCH


def masks(g: Graph) -> str:
    """Instances that show only inside their masks, with a soft edge."""
    describe(
        g,
        "**Instances with masks.** Each has a mask in its box and shows only inside it; `mask_feather` in **Apply "
        "ROICtrl** is the width of its soft edge.",
        ROICTRL,
        more="To use your own masks, connect **Layout from Masks** in place of Instance Box Prompt.",
    )
    model = load(g, 0, SD15)
    drawn = boxes(g, 0, FRUIT)
    text = "a photo of a green pear and an orange on a dark table"
    one_pass(g, 1, model["MODEL"], model["CLIP"], model["VAE"], drawn, text, "masks", node="ROICtrlApply")
    return FRUIT


def gligen(g: Graph) -> str:
    """The same drawing through GLIGEN's weights, which ComfyUI's own loader reads."""
    describe(
        g,
        "**Boxes through GLIGEN.** **Apply GLIGEN** takes them as they are drawn, to the pixel.",
        [SD15, GLIGEN],
    )
    model = load(g, 0, SD15)
    weights = load(g, 0, GLIGEN)
    drawn = boxes(g, 1, POND)
    whole = g.add(1, "ROICtrlLayoutToPrompt", layout=drawn["layout"], prefix="a photo of", suffix="a misty pond")
    positive, negative = prompts(g, 2, model["CLIP"], whole[0])
    inputs = {"model": model["MODEL"], "clip": model["CLIP"], "layout": drawn["layout"]}
    controlled = g.add(2, "ROICtrlApplyGLIGEN", gligen=weights[0], **inputs)
    sampled = sample(g, 3, controlled[0], positive, negative, empty_latent(g, 2, drawn))
    finish(g, 4, sampled, model["VAE"], drawn["layout"], "gligen")
    return POND


def sdxl_roi_prompts(g: Graph) -> str:
    """SDXL, for which there is no adapter: Apply ROI Prompts."""
    describe(
        g,
        "**SDXL without an adapter, with every setting.** **Apply ROI Prompts** uses the cross-attention that the "
        "model already has. It needs no download, and places things more loosely than a trained adapter does.",
        [SDXL],
    )
    model = load(g, 0, SDXL)
    drawn = boxes(g, 0, PARK)
    positive, negative = prompts(
        g, 1, model["CLIP"], "a child in a yellow raincoat and a golden retriever under a red kite in a park, photo"
    )
    inputs = {"model": model["MODEL"], "clip": model["CLIP"], "layout": drawn["layout"]}
    controlled = g.add(2, "ROICtrlApplyROIPrompts", **inputs)[0]
    sampled = sample(g, 3, controlled, positive, negative, empty_latent(g, 2, drawn), cfg=6.5)
    finish(g, 4, sampled, model["VAE"], drawn["layout"], "sdxl_roi_prompts")
    return PARK


SD15_WORKFLOWS: dict[str, Callable[[Graph], str]] = {
    "Text to image - SD1.5 with ROICtrl": text_to_image,
    "Checkpoint of your own with a LoRA - SD1.5": checkpoint_with_lora,
    "A LoRA in each of two boxes - SD1.5": lora_in_each_box,
    "ControlNet and boxes - SD1.5": controlnet,
    "Two passes, the second larger - SD1.5": two_pass_upscale,
    "Inpaint one box - SD1.5": inpaint_one_box,
    "Masks with soft edges - SD1.5": masks,
    "GLIGEN - SD1.5": gligen,
    "ROI prompts with every setting - SDXL": sdxl_roi_prompts,
}
