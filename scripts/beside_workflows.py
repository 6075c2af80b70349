"""The example workflows of what works beside the boxes: tiles, T2I-Adapter, IP-Adapter, Differential Diffusion, a
ControlNet or an image prompt for each box."""

from __future__ import annotations

from collections.abc import Callable

from devtools.graph import Graph, Output, Outputs
from sd15_workflows import guided_by_edges
from workflow_files import ADAPTER, CLIP_VISION, CONTROLNET, IP_ADAPTER, SD15, T2I_ADAPTER, describe, load
from workflow_parts import NEGATIVE, apply, boxes, empty_latent, finish, one_pass, prompts, sample
from workflow_scenes import CASTLE, CHESS, LIBRARY, PETS, SHELF, WINDOW

ROICTRL = (SD15, ADAPTER)
FINE = {"low_threshold": 0.1, "high_threshold": 0.3}  # edges of little contrast too


def tiled_upscale(g: Graph) -> str:
    """The picture at twice its size, drawn tile by tile, each tile with the boxes that it sees."""
    describe(
        g,
        "**An upscale in tiles, each with its own boxes.** Tile Layout cuts the enlarged picture and gives every tile "
        "the boxes that it sees; what follows runs once for each tile, and Join Tiles makes one picture of them again.",
        ROICTRL,
        more="For a picture of your own connect Load Image in place of the first pass, and draw the boxes on it. The "
        "denoise of the second sampler is how much the tiles may change.",
    )
    model = load(g, 0, SD15)
    drawn = boxes(g, 0, LIBRARY)
    whole = g.add(1, "ROICtrlLayoutToPrompt", layout=drawn["layout"], suffix="an old library, oil painting")
    positive, negative = prompts(g, 1, model["CLIP"], whole[0])
    weights = load(g, 1, ADAPTER)[0]
    inputs = {"model": model["MODEL"], "adapter": weights, "clip": model["CLIP"]}
    controlled = g.add(2, "ROICtrlApplyBoxes", layout=drawn["layout"], **inputs)[0]
    small = sample(g, 2, controlled, positive, negative, empty_latent(g, 2, drawn))
    decoded = g.add(3, "VAEDecode", samples=small[0], vae=model["VAE"])[0]
    large = g.add(3, "ImageScaleBy", image=decoded, upscale_method="lanczos", scale_by=2.0)[0]
    cut = g.add(3, "ROICtrlTileLayout", image=large, layout=drawn["layout"])
    tiles = _drawn_tiles(g, 4, cut, model, inputs, negative)
    joined = g.add(6, "ROICtrlJoinTiles", image=large, tiles=tiles, bboxes=cut["bboxes"])[0]
    g.add(6, "SaveImage", room=260, images=joined, filename_prefix="ROICtrl/tiled_upscale")
    g.add(6, "ROICtrlPreviewLayout", room=300, layout=drawn["layout"], image=joined)
    return LIBRARY


def _drawn_tiles(g: Graph, column: int, cut: Outputs, model: Outputs, inputs: dict, negative: Output) -> Output:
    """Every tile sampled anew: a list of pictures."""
    words = g.add(
        column, "ROICtrlLayoutToPrompt", title="Prompt of each tile", layout=cut["layouts"], suffix="oil painting"
    )
    positive = g.add(column, "CLIPTextEncode", room=80, clip=model["CLIP"], text=words[0])[0]
    controlled = g.add(column, "ROICtrlApplyBoxes", title="Boxes of each tile", layout=cut["layouts"], **inputs)[0]
    encoded = g.add(column, "VAEEncode", pixels=cut["tiles"], vae=model["VAE"])[0]
    again = sample(g, column + 1, controlled, positive, negative, encoded, steps=20, denoise=0.4)
    return g.add(column + 1, "VAEDecode", samples=again[0], vae=model["VAE"])[0]


def t2i_adapter(g: Graph) -> str:
    """A T2I-Adapter for the whole picture, and boxes."""
    describe(
        g,
        "**T2I-Adapter and boxes together.** The adapter gives the edges of the whole picture, for a fraction of a "
        "ControlNet's cost; the boxes say what stands where.",
        [*ROICTRL, T2I_ADAPTER],
        more="Load a picture of your own, and draw the boxes where its edges have room for what they say.",
    )
    text = "a brass clock and a potted fern on a shelf, photo"
    guided_by_edges(g, SHELF, text, load(g, 0, SD15), T2I_ADAPTER, 0.8, "t2i_adapter", **FINE)
    return SHELF


NEEDS = "It needs the node pack [ComfyUI_IPAdapter_plus](https://github.com/cubiq/ComfyUI_IPAdapter_plus)."


def ip_adapter(g: Graph) -> str:
    """A picture as a prompt for the whole picture, and boxes."""
    describe(
        g,
        "**IP-Adapter and boxes together.** The picture that you load gives the style and the matter of the whole; the "
        f"boxes say what stands where. {NEEDS}",
        [*ROICTRL, IP_ADAPTER, CLIP_VISION],
        more="The weight is how much of the picture there is; less of it leaves the captions more room.",
    )
    model = load(g, 0, SD15)
    drawn = boxes(g, 0, CASTLE)
    prompted = _image_prompt(g, 1, "Picture for the whole", model["MODEL"], _image_prompt_files(g, 1), weight=0.6)
    one_pass(g, 2, prompted, model["CLIP"], model["VAE"], drawn, "a landscape, painting", "ip_adapter")
    return CASTLE


def ip_adapter_per_box(g: Graph) -> str:
    """Each box with a picture of its own as a prompt."""
    describe(
        g,
        "**A picture as a prompt in each of two boxes.** Instance Reference takes what an IP-Adapter node has put on a "
        "model and gives it to one box: it acts where that box reads its caption, and nowhere else. The sampler gets "
        f"the model without it. {NEEDS}",
        [*ROICTRL, IP_ADAPTER, CLIP_VISION],
        more="Load a picture for each box. Another box takes another IPAdapter Advanced and another Instance "
        "Reference; masks are not needed.",
    )
    model = load(g, 0, SD15)
    drawn = boxes(g, 0, PETS)
    files, layout = _image_prompt_files(g, 1), drawn["layout"]
    for column, number in ((2, 1), (3, 2)):
        prompted = _image_prompt(g, column, f"Box {number}: its picture", model["MODEL"], files, weight=0.8)
        layout = g.add(column, "ROICtrlInstanceReference", layout=layout, instance=str(number), model=prompted)[0]
    positive, negative = prompts(g, 4, model["CLIP"], "two pets in a living room, photo")
    controlled = apply(g, 4, model["MODEL"], model["CLIP"], layout)
    sampled = sample(g, 5, controlled, positive, negative, empty_latent(g, 4, drawn))
    finish(g, 6, sampled, model["VAE"], drawn["layout"], "ip_adapter_per_box")
    return PETS


def _image_prompt_files(g: Graph, column: int) -> dict[str, Output]:
    return {"ipadapter": load(g, column, IP_ADAPTER)[0], "clip_vision": load(g, column, CLIP_VISION)[0]}


def _image_prompt(g: Graph, column: int, title: str, model: Output, files: dict[str, Output], weight: float) -> Output:
    """A picture as a prompt, on a model."""
    picture = g.add(column, "LoadImage", title=title, room=260, image="example.png")["IMAGE"]
    return g.add(column, "IPAdapterAdvanced", model=model, image=picture, weight=weight, **files)[0]


def differential_diffusion(g: Graph) -> str:
    """A box of an existing picture made anew, with a soft edge in time."""
    describe(
        g,
        "**A box made anew, and its surroundings a little.** The boxes as a blurred mask: where it is white, the "
        "picture is drawn anew; where it is grey, Differential Diffusion lets it change in the last steps alone, so "
        "that the new fits the old.",
        ROICTRL,
        more="Load a picture of your own and move the boxes to what you want to replace.",
    )
    model = load(g, 0, SD15)
    picture = g.add(0, "LoadImage", room=260, image="example.png")
    drawn = boxes(g, 1, WINDOW, image=picture["IMAGE"])
    masks = g.add(2, "ROICtrlLayoutToMasks", layout=drawn["layout"])
    shown = g.add(2, "MaskToImage", mask=masks["union"])[0]
    blurred = g.add(2, "ImageBlur", image=shown, blur_radius=31, sigma=10.0)[0]
    soft = g.add(2, "ImageToMask", image=blurred, channel="red")[0]
    positive, negative = prompts(g, 3, model["CLIP"], "a vase of sunflowers by the window")
    controlled = apply(g, 3, model["MODEL"], model["CLIP"], drawn["layout"])
    differential = g.add(4, "DifferentialDiffusion", model=controlled)[0]
    encoded = g.add(3, "VAEEncode", pixels=picture["IMAGE"], vae=model["VAE"])
    masked = g.add(4, "SetLatentNoiseMask", samples=encoded[0], mask=soft)
    sampled = sample(g, 4, differential, positive, negative, masked[0])
    finish(g, 5, sampled, model["VAE"], drawn["layout"], "differential_diffusion")
    return WINDOW


def controlnet_per_box(g: Graph) -> str:
    """Each box with a prompt and a ControlNet of its own, by masks."""
    describe(
        g,
        "**A ControlNet for each box.** Each box has its caption as a prompt of its own, with the edges of a picture "
        "of its own, and both act in its mask alone; the prompt of the whole picture acts everywhere else.",
        [*ROICTRL, CONTROLNET],
        more="A picture of edges covers the whole: what of it lies in the box counts. Another box takes another Layout "
        "to Masks with its number, and the nodes that follow it. Each box costs passes of the model of its own.",
    )
    model = load(g, 0, SD15)
    drawn = boxes(g, 0, CHESS)
    controlled = apply(g, 1, model["MODEL"], model["CLIP"], drawn["layout"])
    net = load(g, 1, CONTROLNET)[0]
    whole, negative = prompts(g, 1, model["CLIP"], "a chess game on a marble table, photo", NEGATIVE)
    outside = g.add(2, "ROICtrlLayoutToMasks", title="Everything beside the boxes", layout=drawn["layout"])["outside"]
    pair = g.add(2, "PairConditioningSetProperties", positive_NEW=whole, negative_NEW=negative, mask=outside)
    for column, number in ((3, 1), (4, 2)):
        pair = _controlled_box(g, column, number, (model["CLIP"], drawn["layout"], net, negative), pair)
    sampled = sample(g, 5, controlled, pair[0], pair[1], empty_latent(g, 2, drawn))
    finish(g, 6, sampled, model["VAE"], drawn["layout"], "controlnet_per_box")
    return CHESS


def _controlled_box(g: Graph, column: int, number: int, shared: tuple, before: Outputs) -> Outputs:
    """The prompts with those of one box added: its caption under a ControlNet, in its mask."""
    clip, layout, net, negative = shared
    title = f"Box {number}"
    own = g.add(column, "ROICtrlLayoutToMasks", title=title, layout=layout, instances=str(number))
    picture = g.add(column, "LoadImage", title=f"{title}: its picture", room=260, image="example.png")
    edges = g.add(column, "Canny", image=picture["IMAGE"], **FINE)[0]
    caption = g.add(column, "CLIPTextEncode", title=f"{title}: its caption", room=80, clip=clip, text=own["captions"])[
        0
    ]
    prompted = {"positive": caption, "negative": negative, "control_net": net, "image": edges}
    guided = g.add(column, "ControlNetApplyAdvanced", title=f"{title}: its ControlNet", **prompted, strength=0.8)
    added = {"positive_NEW": guided["positive"], "negative_NEW": guided["negative"], "mask": own["each"]}
    return g.add(column, "PairConditioningSetPropertiesAndCombine", positive=before[0], negative=before[1], **added)


BESIDE_WORKFLOWS: dict[str, Callable[[Graph], str]] = {
    "Tiled upscale, each tile with its own boxes - SD1.5": tiled_upscale,
    "T2I-Adapter and boxes - SD1.5": t2i_adapter,
    "IP-Adapter and boxes - SD1.5": ip_adapter,
    "IP-Adapter in each of two boxes - SD1.5": ip_adapter_per_box,
    "Differential Diffusion, a box with a soft edge - SD1.5": differential_diffusion,
    "ControlNet for each box - SD1.5": controlnet_per_box,
}
