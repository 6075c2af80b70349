"""The model files of the example workflows: where they can be had, what loads them, and the notes that name them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from devtools.graph import File, Graph, Outputs

HUB = "https://huggingface.co"
SD15 = File(
    f"{HUB}/Comfy-Org/stable-diffusion-v1-5-archive/resolve/main/v1-5-pruned-emaonly-fp16.safetensors",
    "checkpoints",
    "or any other checkpoint of Stable Diffusion 1.x",
)
SDXL = File(
    f"{HUB}/stabilityai/stable-diffusion-xl-base-1.0/resolve/main/sd_xl_base_1.0.safetensors",
    "checkpoints",
    "or any other checkpoint of SDXL",
)
ADAPTER = File(
    f"{HUB}/guyuchao/ROICtrl/resolve/main/ROICtrl_sdv14_30K.safetensors",
    "roictrl",
    "licence cc-by-nc-4.0: no commercial use",
)
GLIGEN = File(
    f"{HUB}/comfyanonymous/GLIGEN_pruned_safetensors/resolve/main/gligen_sd14_textbox_pruned.safetensors", "gligen"
)
INSTANCE_DIFFUSION = File(
    f"{HUB}/xudongw/InstanceDiffusion/resolve/main/instancediffusion_sd15.pth",
    "instance_diffusion",
    f"13.6 GB, of which `scripts/convert.py` keeps 738 MB; or the three files of "
    f"[logtd/instance_diffusion]({HUB}/logtd/instance_diffusion), 1.5 GB, of which you choose any",
)
CONTROLNET = File(
    f"{HUB}/comfyanonymous/ControlNet-v1-1_fp16_safetensors/resolve/main/control_v11p_sd15_canny_fp16.safetensors",
    "controlnet",
)
T2I_ADAPTER = File(f"{HUB}/TencentARC/T2I-Adapter/resolve/main/models/t2iadapter_canny_sd15v2.pth", "controlnet")
IP_ADAPTER = File(f"{HUB}/h94/IP-Adapter/resolve/main/models/ip-adapter_sd15.safetensors", "ipadapter")
CLIP_VISION = File(
    f"{HUB}/h94/IP-Adapter/resolve/main/models/image_encoder/model.safetensors",
    "clip_vision",
    "CLIP ViT-H, 2.5 GB; others call the same file CLIP-ViT-H-14-laion2B-s32B-b79K.safetensors",
)
LOADERS = {
    "clip_vision": ("CLIPVisionLoader", "clip_name"),
    "ipadapter": ("IPAdapterModelLoader", "ipadapter_file"),
    "checkpoints": ("CheckpointLoaderSimple", "ckpt_name"),
    "controlnet": ("ControlNetLoader", "control_net_name"),
    "gligen": ("GLIGENLoader", "gligen_name"),
    "roictrl": ("ROICtrlLoadAdapter", "adapter_name"),
    "instance_diffusion": ("ROICtrlLoadInstanceDiffusion", "weights_name"),
    "diffusion_models": ("UNETLoader", "unet_name"),
    "vae": ("VAELoader", "vae_name"),
}
LINE = 42  # characters of a note that go on one line


def load(g: Graph, column: int, file: File) -> Outputs:
    """The loader of a file's folder, with what the page needs to fetch the file."""
    kind, widget = LOADERS[file.folder]
    return g.add(column, kind, files=[file], **{widget: file.name})


def unlinked(name: str, folder: str, remedy: str) -> str:
    """The line of a note for a file that the page cannot fetch, and what to do instead."""
    return f"- `{name}` into `models/{folder}`: no link here; {remedy}."


def describe(g: Graph, shows: str, files: Sequence[File], others: Sequence[str] = (), more: str = "") -> None:
    """The note that stands first: what the workflow shows, its files with links, ``others`` without, and ``more``."""
    linked = [f"- [{file.name}]({file.url}) into `models/{file.folder}`{file.said}" for file in files]
    listed = "\n".join(("## Files", "ComfyUI offers to fetch those that have a link.", *linked, *others))
    text = "\n\n".join(filter(None, (shows, listed, more)))
    note(g, text)


def note(g: Graph, text: str) -> None:
    """A note as high as its text."""
    g.note(0, text, _height(text))


def _height(text: str) -> int:
    """Pixels that a note's text takes; a link counts as its words."""
    rows = sum(max(1, math.ceil((len(line) - line.count("](") * 60) / LINE)) for line in text.splitlines())
    return 60 + 22 * rows
