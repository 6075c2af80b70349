"""The example workflows of Apply Boxes and Apply EliGen: one drawing on the models that people use today."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from devtools.graph import File, Graph, Output, Outputs
from workflow_parts import MARKET, NEGATIVE, STREET, boxes, finish, sample

HUB = "https://huggingface.co"
SPLIT = "resolve/main/split_files"
PROMPT = "a market stall with lemons and red apples under a striped awning, photo"


@dataclass(frozen=True)
class Model:
    """A model of three files, as its own template in ComfyUI loads it, and how it is sampled.

    ``texts``: its text encoders, read by ``clip`` as the type ``kind``.
    """

    title: str
    diffusion: File
    texts: Sequence[File]
    kind: str
    vae: File
    clip: str = "CLIPLoader"
    latent: str = "EmptySD3LatentImage"
    shift: tuple[str, float] | None = None  # the node that shifts the schedule, and by how much
    settings: dict = field(default_factory=dict)

    def files(self) -> Sequence[File]:
        """All that it needs."""
        return self.diffusion, *self.texts, self.vae


def _file(repository: str, folder: str, name: str, split: bool = True) -> File:
    place = f"{SPLIT}/{folder}" if split else "resolve/main"
    return File(f"{HUB}/{repository}/{place}/{name}", folder)


FLUX = Model(
    "FLUX.1 dev",
    _file("Comfy-Org/flux1-dev", "diffusion_models", "flux1-dev.safetensors", split=False),
    [
        _file("comfyanonymous/flux_text_encoders", "text_encoders", name, split=False)
        for name in ("clip_l.safetensors", "t5xxl_fp16.safetensors")
    ],
    "flux",
    _file("Comfy-Org/Lumina_Image_2.0_Repackaged", "vae", "ae.safetensors"),
    clip="DualCLIPLoader",
    settings={"steps": 20, "cfg": 1.0},
)
QWEN = Model(
    "Qwen-Image",
    _file("Comfy-Org/Qwen-Image_ComfyUI", "diffusion_models", "qwen_image_fp8_e4m3fn.safetensors"),
    [_file("Comfy-Org/Qwen-Image_ComfyUI", "text_encoders", "qwen_2.5_vl_7b_fp8_scaled.safetensors")],
    "qwen_image",
    _file("Comfy-Org/Qwen-Image_ComfyUI", "vae", "qwen_image_vae.safetensors"),
    shift=("ModelSamplingAuraFlow", 3.1),
    settings={"steps": 20, "cfg": 4.0},
)
Z_IMAGE = Model(
    "Z-Image Turbo",
    _file("Comfy-Org/z_image_turbo", "diffusion_models", "z_image_turbo_bf16.safetensors"),
    [_file("Comfy-Org/z_image_turbo", "text_encoders", "qwen_3_4b.safetensors")],
    "lumina2",
    _file("Comfy-Org/z_image_turbo", "vae", "ae.safetensors"),
    shift=("ModelSamplingAuraFlow", 3.0),
    settings={"steps": 8, "cfg": 1.0, "sampler_name": "res_multistep"},
)
ANIMA = Model(
    "Anima",
    _file("circlestone-labs/Anima", "diffusion_models", "anima-base-v1.0.safetensors"),
    [_file("circlestone-labs/Anima", "text_encoders", "qwen_3_06b_base.safetensors")],
    "stable_diffusion",
    _file("circlestone-labs/Anima", "vae", "qwen_image_vae.safetensors"),
    latent="EmptyLatentImage",
    settings={"steps": 30, "cfg": 4.0, "sampler_name": "er_sde"},
)
WAN = Model(
    "Wan 2.1 text to video",
    _file("Comfy-Org/Wan_2.1_ComfyUI_repackaged", "diffusion_models", "wan2.1_t2v_1.3B_fp16.safetensors"),
    [_file("Comfy-Org/Wan_2.1_ComfyUI_repackaged", "text_encoders", "umt5_xxl_fp8_e4m3fn_scaled.safetensors")],
    "wan",
    _file("Comfy-Org/Wan_2.1_ComfyUI_repackaged", "vae", "wan_2.1_vae.safetensors"),
    shift=("ModelSamplingSD3", 8.0),
    latent="EmptyHunyuanLatentVideo",
    settings={"steps": 30, "cfg": 6.0, "sampler_name": "uni_pc"},
)
UNTRAINED = (
    "\n\nNo adapter: **Apply Boxes** lets every box read its caption through the model's own attention, and says what "
    "it picked. Strength 0 shows the same seed without boxes."
)
QWEN_LORA, FLUX_LORA = "Qwen-Image-EliGen-V2.safetensors", "EliGen-FLUX.safetensors"
ELIGEN = (
    "\n- EliGen's LoRA, in `models/loras` as `{file}`: [{place}]({place})\n\n**Apply EliGen** is what **Apply Boxes** "
    "takes here as well; without the LoRA it works, weaker."
)
SDXL_FILE = File(
    f"{HUB}/stabilityai/stable-diffusion-xl-base-1.0/resolve/main/sd_xl_base_1.0.safetensors", "checkpoints"
)


def _note(g: Graph, title: str, files: Sequence[File], more: str = UNTRAINED) -> None:
    lines = [f"- [{file.name}]({file.url}), in `models/{file.folder}`" for file in files]
    g.note(0, f"## {title}\n" + "\n".join(lines) + more, 230 + 30 * len(files))


def _loaded(g: Graph, model: Model) -> tuple[Output, Outputs, Outputs]:
    """MODEL with its schedule, CLIP and VAE."""
    found = g.add(0, "UNETLoader", files=[model.diffusion], unet_name=model.diffusion.name)[0]
    names = {f"clip_name{number}": file.name for number, file in enumerate(model.texts, 1)}
    if len(model.texts) == 1:
        names = {"clip_name": model.texts[0].name}
    clip = g.add(0, model.clip, files=model.texts, type=model.kind, **names)
    vae = g.add(0, "VAELoader", files=[model.vae], vae_name=model.vae.name)
    if model.shift:
        node, shift = model.shift
        found = g.add(1, node, model=found, shift=shift)[0]
    return found, clip, vae


def _drawn(g: Graph, model: Model, layout: str, text: str, name: str, lora: str = "", **latent: object) -> str:
    """From the loaders to the picture; with a ``lora`` through Apply EliGen, else Apply Boxes."""
    found, clip, vae = _loaded(g, model)
    if lora:
        found = g.add(1, "ROICtrlLoadEliGenLoRA", model=found, lora_name=lora)[0]
    drawn = boxes(g, 1, layout)
    positive = g.add(2, "CLIPTextEncode", title="Prompt for the whole picture", room=80, clip=clip[0], text=text)[0]
    if model.settings["cfg"] == 1:
        negative = g.add(2, "ConditioningZeroOut", conditioning=positive)[0]
    else:
        negative = g.add(2, "CLIPTextEncode", title="Negative prompt", room=80, clip=clip[0], text=NEGATIVE)[0]
    apply = "ROICtrlApplyEliGen" if lora else "ROICtrlApplyBoxes"
    controlled = g.add(3, apply, model=found, clip=clip[0], layout=drawn["layout"])[0]
    title = "Empty latent video" if latent else None
    empty = g.add(3, model.latent, title=title, width=drawn["width"], height=drawn["height"], **latent)[0]
    settings = {"sampler_name": "euler", "scheduler": "simple", **model.settings}
    sampled = sample(g, 4, controlled, positive, negative, empty, **settings)
    if latent:
        frames = g.add(5, "VAEDecode", samples=sampled, vae=vae[0])[0]
        g.add(5, "SaveAnimatedWEBP", room=260, images=frames, filename_prefix=f"ROICtrl/{name}", fps=16.0)
        g.add(5, "ROICtrlPreviewLayout", room=300, layout=drawn["layout"], image=frames)
    else:
        finish(g, 5, sampled, vae[0], drawn["layout"], name)
    return layout


def boxes_sdxl(g: Graph) -> str:
    """SDXL."""
    _note(g, "SDXL", [SDXL_FILE])
    model = g.add(0, "CheckpointLoaderSimple", files=[SDXL_FILE], ckpt_name=SDXL_FILE.name)
    drawn = boxes(g, 0, MARKET)
    positive, negative = (
        g.add(1, "CLIPTextEncode", title=title, room=80, clip=model["CLIP"], text=text)[0]
        for title, text in (("Prompt for the whole picture", PROMPT), ("Negative prompt", NEGATIVE))
    )
    controlled = g.add(2, "ROICtrlApplyBoxes", model=model["MODEL"], clip=model["CLIP"], layout=drawn["layout"])[0]
    latent = g.add(2, "EmptyLatentImage", width=drawn["width"], height=drawn["height"])[0]
    sampled = sample(g, 3, controlled, positive, negative, latent, cfg=6.5)
    finish(g, 4, sampled, model["VAE"], drawn["layout"], "boxes_sdxl")
    return MARKET


def boxes_flux(g: Graph) -> str:
    """FLUX.1."""
    _note(g, FLUX.title, FLUX.files())
    return _drawn(g, FLUX, MARKET, PROMPT, "boxes_flux")


def boxes_qwen_image(g: Graph) -> str:
    """Qwen-Image."""
    _note(g, QWEN.title, QWEN.files())
    return _drawn(g, QWEN, MARKET, PROMPT, "boxes_qwen_image")


def boxes_z_image(g: Graph) -> str:
    """Z-Image Turbo, in eight steps."""
    _note(g, Z_IMAGE.title, Z_IMAGE.files())
    return _drawn(g, Z_IMAGE, MARKET, PROMPT, "boxes_z_image")


def boxes_anima(g: Graph) -> str:
    """Anima."""
    _note(g, ANIMA.title, ANIMA.files(), UNTRAINED + "\n\nComfyUI 0.3.75 does not know Anima yet; newer ones do.")
    return _drawn(g, ANIMA, MARKET, PROMPT, "boxes_anima")


def boxes_wan(g: Graph) -> str:
    """Wan: the same boxes in every frame of a video."""
    _note(g, WAN.title, WAN.files(), UNTRAINED + "\n\nThe boxes are the same in every frame.")
    text = "a yellow taxi drives past a woman in a green coat on a rainy street"
    return _drawn(g, WAN, STREET, text, "boxes_wan", length=33)


def eligen_qwen_image(g: Graph) -> str:
    """EliGen on Qwen-Image."""
    _note(
        g, QWEN.title, QWEN.files(), ELIGEN.format(file=QWEN_LORA, place=f"{HUB}/DiffSynth-Studio/Qwen-Image-EliGen-V2")
    )
    return _drawn(g, replace(QWEN, settings={"steps": 40, "cfg": 4.0}), MARKET, PROMPT, "eligen_qwen_image", QWEN_LORA)


def eligen_flux(g: Graph) -> str:
    """EliGen on FLUX.1, with a real negative prompt as published."""
    place = "https://modelscope.cn/models/DiffSynth-Studio/Eligen"
    _note(g, FLUX.title, FLUX.files(), ELIGEN.format(file=FLUX_LORA, place=place))
    return _drawn(g, replace(FLUX, settings={"steps": 30, "cfg": 3.0}), MARKET, PROMPT, "eligen_flux", FLUX_LORA)


ANY_MODEL: tuple[Callable[[Graph], str], ...] = (
    boxes_sdxl,
    boxes_flux,
    boxes_qwen_image,
    boxes_z_image,
    boxes_anima,
    boxes_wan,
    eligen_qwen_image,
    eligen_flux,
)
