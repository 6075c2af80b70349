"""Instance LoRA in every family: where the box reads its caption, and in all layers for the box's tokens."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from devtools.tiny_families import error

from ..patch import loras

FULL = (0.0, 0.0, 1.0, 1.0)


def lora(pack, family, chosen, everywhere):
    """Of the linear layers whose names are chosen."""
    linear = [name for name, module in family.module.named_modules() if isinstance(module, torch.nn.Linear)]
    weights = {f"{name}.weight": family.weights[f"{name}.weight"] for name in linear if chosen(name)}
    tensors = loras.tensors(weights, ".", prefix="diffusion_model.")
    return pack.module("nodes.loras").LoRA("random.safetensors", tensors, 0.5, 0.0, everywhere)


def put(layout, *files):
    instances = zip(layout.instances, files, strict=True)
    return replace(layout, instances=tuple(replace(one, loras=(file,) if file else ()) for one, file in instances))


def baked(family, file):
    import comfy.sd

    return comfy.sd.load_lora_for_models(family.patcher, None, dict(file.tensors), 0.5, 0.0)[0]


def test_a_mask_of_ones_is_the_ordinary_lora(pack, family):
    file = lora(pack, family, family.host.treats_tokens, everywhere=True)
    boxes = family.layout((FULL, "21"))
    got = family.sample(family.apply(put(boxes, file)))
    want = family.sample(family.apply(boxes, model=baked(family, file)))
    assert error(got, want) < 1e-5
    assert error(family.sample(family.apply(boxes)), want) > 1e-3


def test_one_box_of_two_and_nothing_stays(pack, family):
    file = lora(pack, family, family.host.treats_tokens, everywhere=True)
    plain, boxed = family.plain(), family.sample(family.apply())
    got = family.sample(family.apply(put(family.two, None, file)))
    assert error(got, boxed) > 1e-4 and torch.isfinite(got).all()
    assert error(got, family.sample(family.apply(put(family.two, file, file)))) > 1e-4
    assert torch.equal(family.sample(), plain)
    assert not any("forward" in layer.__dict__ for layer in family.module.modules())


def test_where_the_caption_is_read_it_is_exact(pack, cross):
    """A box of the whole picture that reads the prompt's own caption: all that reads is under the LoRA."""
    host = cross.host
    file = lora(pack, cross, lambda name: name.startswith(tuple(f"{n}." for n in host.readers)), everywhere=False)
    boxes = cross.layout((FULL, "21"))
    got = cross.sample(cross.apply(put(boxes, file)))
    want = cross.sample(cross.apply(boxes, model=baked(cross, file)))
    assert error(got, want) < 1e-5 < 1e-4 < error(cross.sample(cross.apply(boxes)), want)


def test_a_joint_model_says_that_only_the_text_encoder_is_left(pack, tiny, caplog):
    family = tiny("flux_schnell")
    file = lora(pack, family, family.host.treats_tokens, everywhere=False)
    boxed = family.sample(family.apply(family.two))
    got = family.sample(family.apply(put(family.two, file, None)))
    assert torch.equal(got, boxed)
    assert "The LoRA 'random.safetensors' of instance 1 ('21') changes no layer that reads captions" in caplog.text


@pytest.mark.parametrize("name", ["flux_schnell", "z_image"])
def test_in_the_first_layer_other_tokens_stay(pack, tiny, name):
    """The picture's tokens outside the box, and the prompt's."""
    family = tiny(name)
    first = next(
        n for n, m in family.module.named_modules() if family.host.treats_tokens(n) and isinstance(m, torch.nn.Linear)
    )
    file, found = lora(pack, family, first.__eq__, everywhere=True), []
    hook = family.module.get_submodule(first).register_forward_hook(lambda m, x, y: found.append(y.clone()))
    family.sample(family.apply(family.two))
    plain, found[:] = list(found), []
    family.sample(family.apply(put(family.two, file, None)))
    hook.remove()
    moved = (found[0] - plain[0]).abs().amax((0, 2)) > 0
    assert 0 < moved.sum() < len(moved)
