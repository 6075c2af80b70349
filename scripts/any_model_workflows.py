"""The example workflows of Apply Boxes and Apply EliGen: one drawing on the models that people use today."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from devtools.graph import File, Graph, Output, Outputs
from workflow_files import HUB, SDXL, describe, load, unlinked
from workflow_parts import NEGATIVE, boxes, empty_latent, finish, prompts, sample
from workflow_scenes import BEACH, BREAKFAST, DESERT, GARDEN, HARBOUR, MARKET, READING, STAGE

SPLIT = "resolve/main/split_files"


@dataclass(frozen=True)
class Model:
    """A model of three files, as its own template in ComfyUI loads it, and how it is sampled.

    ``texts``: its text encoders, read by ``clip`` as the type ``kind``.
    """

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
    _file("Comfy-Org/Qwen-Image_ComfyUI", "diffusion_models", "qwen_image_fp8_e4m3fn.safetensors"),
    [_file("Comfy-Org/Qwen-Image_ComfyUI", "text_encoders", "qwen_2.5_vl_7b_fp8_scaled.safetensors")],
    "qwen_image",
    _file("Comfy-Org/Qwen-Image_ComfyUI", "vae", "qwen_image_vae.safetensors"),
    shift=("ModelSamplingAuraFlow", 3.1),
    settings={"steps": 20, "cfg": 4.0},
)
Z_IMAGE = Model(
    _file("Comfy-Org/z_image_turbo", "diffusion_models", "z_image_turbo_bf16.safetensors"),
    [_file("Comfy-Org/z_image_turbo", "text_encoders", "qwen_3_4b.safetensors")],
    "lumina2",
    _file("Comfy-Org/z_image_turbo", "vae", "ae.safetensors"),
    shift=("ModelSamplingAuraFlow", 3.0),
    settings={"steps": 8, "cfg": 1.0, "sampler_name": "res_multistep"},
)
ANIMA = Model(
    _file("circlestone-labs/Anima", "diffusion_models", "anima-base-v1.0.safetensors"),
    [_file("circlestone-labs/Anima", "text_encoders", "qwen_3_06b_base.safetensors")],
    "stable_diffusion",
    _file("circlestone-labs/Anima", "vae", "qwen_image_vae.safetensors"),
    latent="EmptyLatentImage",
    settings={"steps": 30, "cfg": 4.0, "sampler_name": "er_sde"},
)
WAN = Model(
    _file("Comfy-Org/Wan_2.1_ComfyUI_repackaged", "diffusion_models", "wan2.1_t2v_1.3B_fp16.safetensors"),
    [_file("Comfy-Org/Wan_2.1_ComfyUI_repackaged", "text_encoders", "umt5_xxl_fp8_e4m3fn_scaled.safetensors")],
    "wan",
    _file("Comfy-Org/Wan_2.1_ComfyUI_repackaged", "vae", "wan_2.1_vae.safetensors"),
    shift=("ModelSamplingSD3", 8.0),
    latent="EmptyHunyuanLatentVideo",
    settings={"steps": 30, "cfg": 6.0, "sampler_name": "uni_pc"},
)
UNTRAINED = (
    "No adapter: **Apply Boxes** lets every box read its caption through the model's own attention, and says what it "
    "picked. Strength 0 shows the same seed without boxes."
)
TRAINED = "**Apply EliGen** is what **Apply Boxes** takes here as well; without the LoRA it works, weaker."
QWEN_LORA, FLUX_LORA = "Qwen-Image-EliGen-V2.safetensors", "EliGen-FLUX.safetensors"


def _loaded(g: Graph, model: Model) -> tuple[Output, Outputs, Outputs]:
    """MODEL with its schedule, CLIP and VAE."""
    found = load(g, 0, model.diffusion)[0]
    names = {f"clip_name{number}": file.name for number, file in enumerate(model.texts, 1)}
    if len(model.texts) == 1:
        names = {"clip_name": model.texts[0].name}
    clip = g.add(0, model.clip, files=model.texts, type=model.kind, **names)
    vae = load(g, 0, model.vae)
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
        frames = g.add(5, "VAEDecode", samples=sampled[0], vae=vae[0])[0]
        g.add(5, "SaveAnimatedWEBP", room=260, images=frames, filename_prefix=f"ROICtrl/{name}", fps=16.0)
        g.add(5, "ROICtrlPreviewLayout", room=300, layout=drawn["layout"], image=frames)
    else:
        finish(g, 5, sampled, vae[0], drawn["layout"], name)
    return layout


def boxes_sdxl(g: Graph) -> str:
    """SDXL."""
    describe(g, "**Boxes on SDXL**, with nothing but the checkpoint.", [SDXL], more=UNTRAINED)
    model = load(g, 0, SDXL)
    drawn = boxes(g, 0, MARKET)
    text = "a market stall with lemons and red apples under a striped awning, photo"
    positive, negative = prompts(g, 1, model["CLIP"], text)
    controlled = g.add(2, "ROICtrlApplyBoxes", model=model["MODEL"], clip=model["CLIP"], layout=drawn["layout"])[0]
    sampled = sample(g, 3, controlled, positive, negative, empty_latent(g, 2, drawn), cfg=6.5)
    finish(g, 4, sampled, model["VAE"], drawn["layout"], "boxes_sdxl")
    return MARKET


def boxes_flux(g: Graph) -> str:
    """FLUX.1."""
    describe(g, "**Boxes on FLUX.1 dev.**", FLUX.files(), more=UNTRAINED)
    text = "a tabby cat asleep beside a stack of old books under a green reading lamp, a library at night, photo"
    return _drawn(g, FLUX, READING, text, "boxes_flux")


def boxes_qwen_image(g: Graph) -> str:
    """Qwen-Image."""
    describe(g, "**Boxes on Qwen-Image.**", QWEN.files(), more=UNTRAINED)
    text = "a small harbour at dawn with a red fishing boat, a white lighthouse and a seagull, photo"
    return _drawn(g, QWEN, HARBOUR, text, "boxes_qwen_image")


def boxes_z_image(g: Graph) -> str:
    """Z-Image Turbo, in eight steps."""
    describe(g, "**Boxes on Z-Image Turbo**, in eight steps.", Z_IMAGE.files(), more=UNTRAINED)
    text = "a breakfast table seen from above with black coffee, croissants and blueberries, photo"
    return _drawn(g, Z_IMAGE, BREAKFAST, text, "boxes_z_image")


def boxes_anima(g: Graph) -> str:
    """Anima."""
    more = f"{UNTRAINED}\n\nComfyUI 0.3.75 does not know Anima yet; newer ones do."
    describe(g, "**Boxes on Anima.**", ANIMA.files(), more=more)
    text = "two girls in a japanese garden, one with silver hair in a blue kimono, one with red hair, anime"
    return _drawn(g, ANIMA, GARDEN, text, "boxes_anima")


def boxes_wan(g: Graph) -> str:
    """Wan: the same boxes in every frame of a video."""
    describe(g, "**Boxes in a video**, by Wan 2.1: they are the same in every frame.", WAN.files(), more=UNTRAINED)
    text = "a brown dog runs along a beach, a sailing boat on the sea behind it"
    return _drawn(g, WAN, BEACH, text, "boxes_wan", length=33)


def eligen_qwen_image(g: Graph) -> str:
    """EliGen on Qwen-Image."""
    place = f"{HUB}/DiffSynth-Studio/Qwen-Image-EliGen-V2"
    lora = unlinked(QWEN_LORA, "loras", f"save the file of [DiffSynth-Studio]({place}) under this name")
    describe(g, "**Entities on Qwen-Image**, by EliGen and its LoRA.", QWEN.files(), [lora], TRAINED)
    text = "an old yellow pickup truck and a tall cactus in a desert at sunset, a hot-air balloon above, photo"
    model = replace(QWEN, settings={"steps": 40, "cfg": 4.0})
    return _drawn(g, model, DESERT, text, "eligen_qwen_image", QWEN_LORA)


def eligen_flux(g: Graph) -> str:
    """EliGen on FLUX.1, with a real negative prompt as published."""
    place = "https://modelscope.cn/models/DiffSynth-Studio/Eligen"
    lora = unlinked(FLUX_LORA, "loras", f"save the file of [DiffSynth-Studio]({place}) under this name")
    describe(g, "**Entities on FLUX.1 dev**, by EliGen and its LoRA.", FLUX.files(), [lora], TRAINED)
    text = "a jazz band on a small stage: a singer in a silver dress, a man with a saxophone, a grand piano, photo"
    model = replace(FLUX, settings={"steps": 30, "cfg": 3.0})
    return _drawn(g, model, STAGE, text, "eligen_flux", FLUX_LORA)


ANY_MODEL_WORKFLOWS: dict[str, Callable[[Graph], str]] = {
    "Boxes on SDXL": boxes_sdxl,
    "Boxes on FLUX": boxes_flux,
    "Boxes on Qwen-Image": boxes_qwen_image,
    "Boxes on Z-Image Turbo": boxes_z_image,
    "Boxes on Anima": boxes_anima,
    "Boxes in a video - Wan": boxes_wan,
    "EliGen on Qwen-Image": eligen_qwen_image,
    "EliGen on FLUX": eligen_flux,
}
