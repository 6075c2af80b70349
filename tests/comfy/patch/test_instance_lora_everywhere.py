"""Instance LoRA in all layers: the base's own, for the box's tokens."""

from __future__ import annotations

import pytest
import torch

from devtools import tiny_models

from . import loras
from .test_instance_lora import FULL, LEFT, RIGHT, P, by_core, close

TOKENS = r"transformer_blocks|proj_in|proj_out"
EVERYWHERE = {"layers": "all, approximate", "strength_clip": 0.0}
ALONE = {"global_weight": 0.0, "end_percent": 1.0}


@pytest.fixture
def everywhere(base, lora_file, add_lora):
    """everywhere(layout, instance) -> layout with a LoRA in all token-wise layers; and its tensors."""
    tensors = loras.tensors(base.weights, TOKENS, prefix=P)
    name = lora_file("everywhere.safetensors", tensors)
    return lambda layout, which: add_lora(layout, which, name, **EVERYWHERE), tensors


@pytest.mark.parametrize("kind", ["lora", "loha"])
def test_a_mask_of_ones_is_the_ordinary_lora(
    base, model, layout, apply_prompts, sample, lora_file, add_lora, encode, kind
):
    """Where it touches layers that treat tokens one by one alone, convolutions of one cell among them."""
    tensors = loras.tensors(base.weights, TOKENS, kind, prefix=P)
    boxes = add_lora(layout((FULL, "a red fox")), "1", lora_file(f"{kind}.safetensors", tensors), **EVERYWHERE)
    got = sample(apply_prompts(model, boxes, **ALONE))
    patched, _ = by_core(base, model, tensors)
    want, plain = sample(patched, encode("a red fox")), sample(model, encode("a red fox"))
    assert close(got, want) < 1e-5 < 1e-3 < close(plain, want)


def test_with_roictrl_it_is_the_ordinary_lora_as_well(base, model, layout, apply, sample, everywhere):
    put, tensors = everywhere
    boxes = layout((FULL, "a red fox"), (LEFT, "a red fox"))
    got = sample(apply(model, put(boxes, "all")))
    patched, _ = by_core(base, model, tensors)
    assert close(got, sample(apply(patched, boxes))) < 1e-5 < 1e-2 < close(sample(apply(model, boxes)), got)


def test_layers_change_inside_the_box_alone(base, model, layout, apply_prompts, sample, everywhere, prompts):
    """The first layer that the LoRA touches; what follows reads other tokens."""
    put, tensors = everywhere
    layer, found = model.model.diffusion_model.input_blocks[1][1].proj_in, []

    def outputs(patched):
        hook = layer.register_forward_hook(lambda module, inputs, output: found.append(output.clone()))
        sample(patched, steps=1)
        hook.remove()
        made, found[:] = list(found), []
        return made

    boxes = layout((LEFT, "a red fox"), (RIGHT, "a blue bird"))
    plain = outputs(apply_prompts(model, boxes))
    ours = outputs(apply_prompts(model, put(boxes, "1")))
    patched, _ = by_core(base, model, tensors)
    theirs = outputs(apply_prompts(patched, boxes))
    columns, rows = (torch.arange(24) + 0.5) / 24, (torch.arange(16) + 0.5) / 16
    inside = ((rows > 0.1) & (rows < 0.9))[:, None] & ((columns > 0.05) & (columns < 0.4))
    for before, after, baked in zip(plain, ours, theirs, strict=True):
        assert torch.equal(after[..., ~inside], before[..., ~inside])
        assert close(after[..., inside], baked[..., inside]) < 1e-5 < close(before[..., inside], baked[..., inside])


def test_the_negative_pass_is_left_alone_with_uncond_off(base, model, two_boxes, apply, sample, everywhere):
    put, _ = everywhere
    rows = []

    def noting(module, inputs, output):
        rows.append((output - module._conv_forward(*inputs, module.weight, module.bias)).abs().amax((1, 2, 3)))

    hook = model.model.diffusion_model.input_blocks[1][1].proj_in.register_forward_hook(noting)
    for uncond in ("off", "negative prompt"):
        sample(apply(model, put(two_boxes, "1"), uncond_boxes=uncond), steps=1)
    hook.remove()
    off, on = (moved > 0 for moved in rows)
    assert off.tolist() == [False, True] and on.tolist() == [True, True]  # negative first


def test_zero_is_the_picture_to_the_bit_and_nothing_stays(
    model, two_boxes, apply, sample, lora_file, add_lora, everywhere
):
    put, tensors = everywhere
    name, plain = lora_file("zero.safetensors", tensors), sample(model)
    boxed = sample(apply(model, two_boxes))
    assert torch.equal(
        sample(apply(model, add_lora(two_boxes, "1", name, **{**EVERYWHERE, "strength_model": 0.0}))), boxed
    )
    assert not torch.equal(sample(apply(model, put(two_boxes, "1"))), boxed)
    assert torch.equal(sample(apply(model, put(two_boxes, "1"), strength=0.0)), plain)
    assert not any("forward" in layer.__dict__ for layer in model.model.diffusion_model.modules()) and not model.patches
    assert torch.equal(sample(model), plain)


def test_what_is_left_out_is_said(base, model, two_boxes, apply, lora_file, add_lora, caplog):
    mixed = loras.tensors(base.weights, r"input_blocks\.1\.1\.|emb_layers", prefix=P)
    mixed |= loras.tensors(base.weights, r"input_blocks\.2\.1\..*attn1\.to_q", "dora", prefix=P)
    apply(model, add_lora(two_boxes, "2", lora_file("mixed.safetensors", mixed), **EVERYWHERE))
    layers = {key.rpartition(".lora_")[0] for key in mixed if ".lora_" in key}
    left = [name for name in layers if "emb_layers" in name or "input_blocks.2" in name]
    assert f"{len(left)} of the {len(layers)} layers that the LoRA 'mixed.safetensors' of instance 2" in caplog.text


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.bfloat16])
def test_weights_of_few_bits_stay_as_they_are(base, layout, apply_prompts, sample, everywhere, encode, dtype):
    """A LoRA that is patched in would be rounded to the weights' few bits; here it is added to what they give."""
    put, tensors = everywhere
    weights = base.weights
    model = tiny_models.patcher(tiny_models.sd15_model(weights=weights, dtype=dtype, manual_cast=torch.float32))
    before = {name: tensor.clone() for name, tensor in model.model.diffusion_model.state_dict().items()}
    got = sample(apply_prompts(model, put(layout((FULL, "a red fox")), "1"), **ALONE))
    after = model.model.diffusion_model.state_dict()
    assert all(torch.equal(after[name].float(), tensor.float()) for name, tensor in before.items())
    rounded = {name: tensor.to(dtype).float() for name, tensor in weights.items()}
    exact = tiny_models.patcher(tiny_models.sd15_model(weights=rounded))
    want = sample(by_core(base, exact, tensors)[0], encode("a red fox"))
    assert close(got, want) < 1e-4 < 1e-2 < close(sample(model, encode("a red fox")), want)
