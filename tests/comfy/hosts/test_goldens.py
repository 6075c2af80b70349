"""Goldens of every family, from whole networks in float64 (tests/golden/models), and EliGen's authors'."""

from __future__ import annotations

import json

import comfy.sample
import comfy.samplers
import comfy.supported_models
import pytest
import torch
from safetensors import safe_open

from devtools import tiny_dits
from devtools.goldens import GOLDEN, tensors_of
from devtools.tiny_families import BOXES, attach, error

MODELS = sorted(path.stem for path in (GOLDEN / "models").glob("*.safetensors"))
EULER = "euler"


@pytest.mark.parametrize("name", MODELS)
def test_a_family(name, tiny, pack, monkeypatch, comfy):
    if name not in tiny_dits.present():
        pytest.skip("this ComfyUI does not have the family")
    golden, family = tensors_of(GOLDEN / "models" / f"{name}.safetensors"), tiny(name)
    plain, want = family.plain(), golden["out"]
    if abs(float(plain.double().norm()) / float(golden["plain_norm"]) - 1) > 1e-6:
        pytest.skip("other random numbers than the golden's")
    if "weights" in golden:
        prompts, core = pack.module("nodes.patch.methods.roi_prompts"), pack.module("roictrl_core.roi_prompts")
        monkeypatch.setattr(prompts, "plan_patches", lambda *args: _patches(core, golden["weights"], *args))
    got = family.sample(family.apply(_golden_layout(family)))
    assert error(got, want) < (2e-5 if name == "flux2" and comfy.version.startswith("0.3.") else 5e-6)
    assert error(plain, want) > 5e-3


def _golden_layout(family):
    captions = [tiny_dits.conditioning(family.name, 21), family.text(22, 9)]
    if family.name == "ltxv":
        captions[1][0][1]["attention_mask"] = (torch.arange(9) < 6)[None].long()
    return family.layout(*((box, "", {"conditioning": caption}) for box, caption in zip(BOXES, captions, strict=True)))


def _patches(core, weights, instances, height, width, global_weight, device):
    """The golden's weights [2, T, H, W]: of every token, where there are frames in each of them its own."""
    weights = (weights if weights.shape[1] > 1 else weights[:, 0]).to(device)
    return [
        core.Patch(number, pair.row, 0, height, 0, width, weights[pair.slot])
        for number, pair in enumerate(instances.pairs)
    ]


@pytest.fixture(scope="module")
def eligen(request):
    """eligen(name) -> tensors and metadata, of the repository's copy or the larger set's."""

    def load(name):
        path = GOLDEN / "eligen" / f"{name}.safetensors"
        if not path.exists():
            path = request.getfixturevalue("shared") / "golden" / "eligen" / path.name
        with safe_open(path, "pt") as file:
            return tensors_of(path), {key: json.loads(value) for key, value in (file.metadata() or {}).items()}

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
        return made[name]

    return get


CASES = ["q1_one", "q2_three", "q3_tall", "q4_no_token", "q5_batch2", "q6_cfg", "q8_strength"]
CASES += ["f1_one", "f2_three", "f3_tall", "f4_no_token", "f5_batch2", "f6_cfg", "f8_strength"]


@pytest.mark.parametrize("name", CASES)
def test_one_forward_of_eligen(name, eligen, eligen_model, pack):
    tensors, meta = eligen(name)
    case, case_meta = (tensors, meta) if "x" in tensors else eligen(meta["inputs"])
    model = eligen_model(meta["weights"])
    got = _forwards(attach(model, _entities(pack, case, meta.get("strengths"))), case, case_meta)
    assert error(got["v"], tensors["v"]) < 1e-5 and (got["v"] - tensors["v"]).abs().max() < 1e-4
    if "v_cfg" in tensors:
        assert error(got["v_neg"], tensors["v_neg"]) < 1e-5
    base = _forwards(model, case, case_meta)
    assert error(base["v"], case["v_base"]) < 1e-5
    assert error(base["v"], tensors["v"]) > 2e-2


@pytest.mark.parametrize("name", ["q6_cfg", "f6_cfg"])
def test_eligen_sampled(name, eligen, eligen_model, pack):
    case, meta = eligen(name)
    model = attach(eligen_model(meta["weights"]), _entities(pack, case))
    x = _latents(model, case["x"])
    got = comfy.sample.sample_custom(
        model,
        x,
        meta["cfg"],
        comfy.samplers.sampler_object(EULER),
        case["sigmas"],
        _prompt(case, case["global"]),
        _prompt(case, case["neg"]),
        torch.zeros_like(x),
        disable_pbar=True,
    )
    got = model.model.process_latent_in(got).view_as(case["x_end"])
    assert error(got, case["x_end"]) < 2e-5 and (got - case["x_end"]).abs().max() < 2e-4


def _latents(model, x):
    """As its latent format has them: Qwen's with a frame."""
    return x[:, :, None] if model.model.latent_format.latent_dimensions == 3 else x


def _prompt(case, text):
    return [[text, {"pooled_output": case.get("y"), "guidance": 3.5}]]


def _entities(pack, case, strengths=None):
    """A session that brings a golden's entities to the positive rows, with the golden's own tokens as regions."""
    points, control = pack.module("nodes.patch.points"), pack.module("nodes.patch.control")
    texts = []
    while f"ent.{len(texts)}" in case:
        texts.append(control.Text(case[f"ent.{len(texts)}"][0]))
    made = {}

    def session(call):
        rows = tuple(row for row, (chunk, *_) in enumerate(call.rows) if chunk.role == "caption")
        if not rows:
            return None

        def segments(size):
            return made.setdefault(
                (rows, size),
                [
                    points.Segment(text, rows, tokens.bool().view(size), strength)
                    for text, tokens, strength in zip(
                        texts, case["tokens"], strengths or [1.0] * len(texts), strict=True
                    )
                ],
            )

        return points.Points(text=segments)

    return session


def _forwards(model, case, meta) -> dict[str, torch.Tensor]:
    """v, and v_neg where the case has a negative: the model's output at the case's x and sigma."""
    found, x = {}, _latents(model, case["x"])

    def note(module, args, kwargs, output):
        lists = kwargs["transformer_options"]["cond_or_uncond"]
        for index, part in zip(lists, output.chunk(len(lists)), strict=True):
            found[("v", "v_neg")[index]] = part.view_as(case["x"])

    def sampler(denoise, noise, sigmas, extra_args=None, **others):
        return denoise(x, torch.full((len(x),), meta["sigma"]), **extra_args)

    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(_prompt(case, case["global"]), _prompt(case, case.get("neg", case["global"])))
    guider.set_cfg(float(meta.get("cfg", 1.0)))
    hook = model.model.diffusion_model.register_forward_hook(note, with_kwargs=True)
    try:
        nothing = torch.zeros_like(x)
        guider.sample(nothing, nothing, comfy.samplers.KSAMPLER(sampler), torch.tensor([1.0, 0.0]))
    finally:
        hook.remove()
    return found
