"""EliGen through its nodes: the authors' goldens (tests/golden/eligen; the larger set's where it is at hand)."""

from __future__ import annotations

import json
import shutil

import comfy.sample
import comfy.samplers
import comfy.supported_models
import pytest
import torch
from safetensors import safe_open

from devtools import tiny_dits
from devtools.goldens import GOLDEN, tensors_of
from devtools.tiny_families import error

CASES = ["q1_one", "q2_three", "q3_tall", "q4_no_token", "q5_batch2", "q6_cfg", "q8_strength", "q7_lora"]
CASES += ["f1_one", "f2_three", "f3_tall", "f4_no_token", "f5_batch2", "f6_cfg", "f8_strength", "f7_lora"]


@pytest.fixture(scope="module")
def eligen_file(request):
    """eligen_file(name) -> path of the repository's copy, or the larger set's."""

    def find(name):
        path = GOLDEN / "eligen" / f"{name}.safetensors"
        return path if path.exists() else request.getfixturevalue("shared") / "golden" / "eligen" / path.name

    return find


@pytest.fixture(scope="module")
def eligen(eligen_file):
    """eligen(name) -> tensors and metadata."""

    def load(name):
        with safe_open(eligen_file(name), "pt") as file:
            meta = {key: json.loads(value) for key, value in (file.metadata() or {}).items()}
        return tensors_of(eligen_file(name)), meta

    return load


@pytest.fixture(scope="module")
def eligen_model(eligen):
    """eligen_model(weights' name) -> ModelPatcher, made once."""
    made = {}

    def get(name):
        if name not in made:
            tensors, meta = eligen(name)
            config = getattr(comfy.supported_models, meta["class"].split(".")[-1])
            unet = {key: value for key, value in meta["unet_config"].items() if key != "txt_ids_dims"}
            model = tiny_dits.model_of(config, {**unet, "txt_ids_dims": []} if "flux" in name else unet)
            known = model.diffusion_model.state_dict()
            model.diffusion_model.load_state_dict(
                {key if key in known else key.replace("_norm.scale", "_norm.weight"): t for key, t in tensors.items()}
            )
            made[name] = tiny_dits.patcher_of(model)
        return made[name].clone()

    return get


class Encoder:
    """A text encoder that is asked for little but a length: captions come as conditionings."""

    def __init__(self, options: dict | None = None) -> None:
        self.options = options or {}

    def tokenize(self, text):
        return text

    def encode_from_tokens(self, text, return_dict=False):
        return {"cond": torch.zeros(1, 3, 48), "pooled_output": None}

    def clone(self):
        return Encoder(dict(self.options))

    def set_tokenizer_option(self, name, value):
        self.options[name] = value


@pytest.fixture(scope="module")
def apply_eligen(pack):
    """apply_eligen(model, case, case's metadata) -> the model with the golden's entities, by Apply EliGen."""
    node, core = pack.module("nodes.eligen").ApplyEliGen, pack.module("roictrl_core.layout")

    def run(model, case, meta, strengths=None, **settings):
        height, width = (8 * side for side in meta["latent"])
        instances = []
        for number, box in enumerate(case["boxes_px"].tolist()):
            shares = tuple(edge / side for edge, side in zip(box, (width, height) * 2, strict=True))
            strength = strengths[number] if strengths else 1.0
            text = [[case[f"ent.{number}"], {"pooled_output": None}]]
            instances.append(core.Instance(box=shares, caption="", conditioning=text, strength=strength))
        layout = core.Layout(width=width, height=height, instances=tuple(instances))
        return node.execute(model, Encoder(), layout, **settings)[0]

    return run


def with_lora(pack, comfy_base, file, model):
    """The model with a golden's LoRA, by Load EliGen LoRA."""
    folder = comfy_base / "models" / "loras"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, folder / file.name)
    return pack.module("nodes.eligen").LoadEliGenLoRA.execute(model, file.name)[0]


@pytest.mark.parametrize("name", CASES)
def test_one_forward(name, eligen, eligen_model, eligen_file, apply_eligen, pack, comfy):
    tensors, meta = eligen(name)
    case, case_meta = (tensors, meta) if "x" in tensors else eligen(meta["inputs"])
    model = eligen_model(case_meta["weights"])
    if "lora" in meta:
        model = with_lora(pack, comfy.base, eligen_file(meta["lora"]), model)
    got = forwards(apply_eligen(model, case, case_meta, meta.get("strengths")), case, case_meta)
    assert error(got["v"], tensors["v"]) < 1e-5 and (got["v"] - tensors["v"]).abs().max() < 1e-4
    if "v_cfg" in tensors:
        assert error(got["v_neg"], tensors["v_neg"]) < 1e-5
    base = forwards(model, case, case_meta)
    assert error(base["v"], tensors["v_base"] if "v_base" in tensors else case["v_base"]) < 1e-5
    assert error(base["v"], tensors["v"]) > 2e-2


@pytest.mark.parametrize("name", ["q6_cfg", "f6_cfg"])
def test_sampled(name, eligen, eligen_model, apply_eligen):
    case, meta = eligen(name)
    model = apply_eligen(eligen_model(meta["weights"]), case, meta)
    x = latents(model, case["x"])
    got = comfy.sample.sample_custom(
        model,
        x,
        meta["cfg"],
        comfy.samplers.sampler_object("euler"),
        case["sigmas"],
        prompt(case, case["global"]),
        prompt(case, case["neg"]),
        torch.zeros_like(x),
        disable_pbar=True,
    )
    got = model.model.process_latent_in(got).view_as(case["x_end"])
    assert error(got, case["x_end"]) < 2e-5 and (got - case["x_end"]).abs().max() < 2e-4


def test_entities_on_the_negative_read_the_negative_prompt(eligen, eligen_model, apply_eligen, pack):
    """As if each of them had the negative's own embedding for a caption."""
    case, meta = eligen("q6_cfg")
    model = eligen_model(meta["weights"])
    both = forwards(apply_eligen(model, case, meta, entities_on_negative=True), case, meta)
    negative = {**case, **{f"ent.{n}": case["neg"] for n in range(len(case["boxes_px"]))}, "global": case["neg"]}
    wanted = forwards(apply_eligen(model, negative, meta), negative, {**meta, "cfg": 1.0})
    assert error(both["v_neg"], wanted["v"]) < 1e-5 and error(both["v"], case["v"]) < 1e-5
    assert error(both["v_neg"], case["v_neg"]) > 1e-2


def test_apply_boxes_takes_the_same_rule(eligen, eligen_model, apply_eligen, pack):
    case, meta = eligen("q2_three")
    core, height, width = pack.module("roictrl_core.layout"), *(8 * side for side in meta["latent"])
    boxes = [
        [edge / side for edge, side in zip(b, (width, height) * 2, strict=True)] for b in case["boxes_px"].tolist()
    ]
    texts = [[[case[f"ent.{n}"], {"pooled_output": None}]] for n in range(len(boxes))]
    instances = (core.Instance(tuple(box), "", conditioning=text) for box, text in zip(boxes, texts, strict=True))
    layout, model = core.Layout(width, height, tuple(instances)), eligen_model(meta["weights"])
    output = pack.module("nodes.apply_boxes").ApplyBoxes.execute(model, Encoder(), layout)
    assert "EliGen was picked" in output.ui["roictrl"][0]["notes"][0]["text"]
    assert error(forwards(output[0], case, meta)["v"], case["v"]) < 1e-5


def test_the_pixel_rule(eligen, pack):
    tensors, meta = eligen("mask_rule")
    core, coverage = pack.module("roictrl_core.eligen"), pack.module("roictrl_core.coverage")
    for number, case in meta["cases"].items():
        pixels = tensors[f"{number}.px"]
        height, width = case["mask"]
        if case["packed"]:
            bits = (pixels[..., None].int() >> torch.arange(7, -1, -1)) & 1
            pixels = bits.flatten(1)[:, :width].bool()
        placed = coverage.PlacedMask(coverage.SoftMask(pixels.bool(), (0.0, 0.0)), (0.0, 0.0, 1.0, 1.0))
        tokens = core.tokens_of(core.mask_cells(placed, *case["latent"]))
        assert torch.equal(tokens.flatten(), tensors[f"{number}.tokens"].bool().flatten()), number


def test_flux_captions_are_as_long_as_in_training(eligen_model, pack):
    node, hosts = pack.module("nodes.eligen"), pack.module("nodes.patch.hosts")
    flux, qwen = (hosts.host_of(eligen_model(f"weights_{kind}_a")) for kind in ("flux", "qwen"))
    given = Encoder()
    assert node.with_length(given, flux, "512").options == {"t5xxl_min_length": 512} and not given.options
    assert node.with_length(given, flux, "256").options == {"t5xxl_min_length": 256}
    assert node.with_length(given, flux, "as encoded") is given and node.with_length(given, qwen, "512") is given


def test_what_eligen_cannot_do_is_said(eligen, eligen_model, apply_eligen, pack, comfy, tiny):
    case, meta = eligen("q1_one")
    with pytest.raises(ValueError, match="Apply EliGen: EliGen is trained for Qwen-Image and FLUX.1, and this model"):
        apply_eligen(tiny("chroma").patcher, case, meta)
    file = comfy.base / "models" / "loras" / "nothing.safetensors"
    file.parent.mkdir(parents=True, exist_ok=True)
    from safetensors.torch import save_file

    save_file({"lora_unet_nothing.lora_up.weight": torch.zeros(1, 1)}, file)
    with pytest.raises(ValueError, match="Load EliGen LoRA: nothing of 'nothing.safetensors' fits this model"):
        pack.module("nodes.eligen").LoadEliGenLoRA.execute(eligen_model(meta["weights"]), file.name)
    small = {**case, "boxes_px": torch.tensor([[0, 0, 3, 3]])}
    notes = apply_notes(pack, small, meta, eligen_model(meta["weights"]))
    assert any("covers no cell of 8 pixels" in note for note in notes)
    masks = pack.module("roictrl_core.masks").RunLengthMask
    nothing = {"mask": masks.from_array(torch.zeros(16, 16, dtype=torch.bool).numpy()), "negative": "ugly"}
    notes = apply_notes(pack, case, meta, eligen_model(meta["weights"]), **nothing)
    assert not any("covers no cell" in note for note in notes)
    assert sum("negative caption of instance 1 ('a') is not read, because EliGen" in note for note in notes) == 1


def apply_notes(pack, case, meta, model, **fields) -> list[str]:
    core = pack.module("roictrl_core.layout")
    height, width = (8 * side for side in meta["latent"])
    x1, y1, x2, y2 = case["boxes_px"][0].tolist()
    box = (x1 / width, y1 / height, x2 / width, y2 / height)
    text = [[case["ent.0"], {"pooled_output": None}]]
    instance = core.Instance(box=box, caption="a", conditioning=text, **{"negative": "", **fields})
    layout = core.Layout(width=width, height=height, instances=(instance,))
    output = pack.module("nodes.eligen").ApplyEliGen.execute(model, Encoder(), layout)
    return [note["text"] for note in output.ui["roictrl"][0]["notes"]]


def latents(model, x):
    """As its latent format has them: Qwen's with a frame."""
    return x[:, :, None] if model.model.latent_format.latent_dimensions == 3 else x


def prompt(case, text):
    return [[text, {"pooled_output": case.get("y"), "guidance": 3.5}]]


def forwards(model, case, meta) -> dict[str, torch.Tensor]:
    """v, and v_neg where the case has a negative: the model's output at the case's x and sigma."""
    found, x = {}, latents(model, case["x"])

    def note(module, args, kwargs, output):
        lists = kwargs["transformer_options"]["cond_or_uncond"]
        for index, part in zip(lists, output.chunk(len(lists)), strict=True):
            found[("v", "v_neg")[index]] = part.view_as(case["x"])

    def sampler(denoise, noise, sigmas, extra_args=None, **others):
        return denoise(x, torch.full((len(x),), meta["sigma"]), **extra_args)

    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(prompt(case, case["global"]), prompt(case, case.get("neg", case["global"])))
    guider.set_cfg(float(meta.get("cfg", 1.0)))
    hook = model.model.diffusion_model.register_forward_hook(note, with_kwargs=True)
    try:
        nothing = torch.zeros_like(x)
        guider.sample(nothing, nothing, comfy.samplers.KSAMPLER(sampler), torch.tensor([1.0, 0.0]))
    finally:
        hook.remove()
    return found
