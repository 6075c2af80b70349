"""Beside LoRAs, other packs' attention and forwards, torch.compile, areas, masks and context windows."""

from __future__ import annotations

import pytest
import torch
from comfy.patcher_extension import WrappersMP

from devtools import tiny_dits
from devtools.tiny_families import CROSS, counted, error, here, left, optioned

OVERRIDE = "optimized_attention_override"
SOME = here(["wan21", "kandinsky5_video", "hunyuan_dit", "qwen_image", "z_image", "sd3"])


@pytest.fixture(params=SOME)
def some(request, tiny):
    """Families that differ in what is tried here."""
    return tiny(request.param)


def test_a_lora_acts_inside_boxes_as_baked_weights_do(family):
    g = torch.Generator().manual_seed(3)
    weights = {
        f"{name}.weight": torch.randn(module.weight.shape, generator=g) * 0.2 * module.weight.std()
        for name, module in family.module.named_modules()
        if isinstance(module, torch.nn.Linear)
    }
    lora = family.patcher.clone()
    names = {f"diffusion_model.{key}": ("diff", (weight,)) for key, weight in weights.items()}
    assert len(lora.add_patches(names)) == len(weights)
    got = family.sample(family.apply(model=lora))
    family.sample()  # the model's own weights are there again
    baked = tiny_dits.build(family.name)
    state = family.module.state_dict()
    baked.model.diffusion_model.load_state_dict(
        {key: tensor + weights[key] if key in weights else tensor for key, tensor in state.items()}
    )
    assert error(got, family.sample(family.apply(model=baked))) < 5e-6
    assert error(got, family.sample(family.apply())) > 1e-3


def overridden(model, override):
    return optioned(model, **{OVERRIDE: override})


def test_an_override_of_attention_in_both_orders(family):
    """A second pack's kernel, which is the model's own with three times the logits: it acts on captions too."""
    if family.name in ("pixart_sigma", "hunyuan_dit"):
        pytest.skip("the family passes no options to its attention")
    seen = []

    def override(func, q, k, v, heads, *args, **kwargs):
        seen.append(q.shape)
        return func(q * 3, k, v, heads, *args, **kwargs)

    first = family.sample(family.apply(model=overridden(family.patcher, override)))
    count, _ = len(seen), seen.clear()
    second = family.sample(overridden(family.apply(), override))
    assert torch.equal(first, second) and count == len(seen) > 4
    assert error(first, family.sample(family.apply())) > 5e-5
    assert error(first, family.sample(overridden(family.patcher, override))) > 5e-5


def doubling(model, name):
    """Another pack's swapped forward, as NAG nodes have it, put back after each call."""
    model = model.clone()

    def wrapper(executor, *args, **kwargs):
        module = executor.class_obj.diffusion_model.get_submodule(name)
        before = module.forward

        def forward(*args, **kwargs):
            out = before(*args, **kwargs)
            return tuple(2 * part for part in out) if isinstance(out, tuple) else 2 * out

        there = module.__dict__.get("forward")
        module.forward = forward
        try:
            return executor(*args, **kwargs)
        finally:
            if there is None:
                del module.forward
            else:
                module.forward = there

    model.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "test.doubling", wrapper)
    return model


@pytest.mark.parametrize("name", here(CROSS[1:]))
def test_a_foreign_forward_in_both_orders(name, tiny):
    """Inside it, it is part of what reads captions; outside, of what comes out: the same where it only scales."""
    family = tiny(name)
    module = f"{family.host.blocks[0].name}.{family.host.kind.attention}"
    inner = family.sample(doubling(family.apply(), module))
    outer = family.sample(family.apply(model=doubling(family.patcher, module)))
    assert error(inner, outer) < 2e-6
    assert error(inner, family.sample(family.apply())) > 1e-3
    assert error(inner, family.sample(doubling(family.patcher, module))) > 1e-3
    assert not left(family.module)


@pytest.mark.parametrize("name", here(["wan21", "qwen_image"]))
def test_torch_compile(name, tiny):
    """Core's node, backend eager: the same picture, and nothing is compiled after the second of three steps."""
    nodes = pytest.importorskip("comfy_extras.nodes_torch_compile")
    family, graphs, steps = tiny(name), [], 3
    with counted() as count:
        compiled = nodes.TorchCompileModel.execute(family.patcher, "eager")[0]
        got = family.sample(
            family.apply(model=compiled), steps=steps, cfg=1.0, callback=lambda *_: graphs.append(count())
        )
    assert error(got, family.sample(family.apply(), steps=steps, cfg=1.0)) < 1e-5
    assert len(graphs) == steps and graphs[1] == graphs[-1] > 0


def test_masks_of_instances(family, pack):
    """Only inside its mask: the same as a box of it where the mask is a rectangle, and not the box without one."""
    mask = torch.zeros(64, 80, dtype=torch.bool)
    mask[16:48, 16:56] = True
    run = pack.module("roictrl_core.masks").RunLengthMask.from_array(mask.numpy())
    whole = (0.0, 0.0, 1.0, 1.0)
    masked = family.sample(family.apply(family.layout((whole, "21", {"mask": run})), mask_feather=0), steps=1)
    boxed = family.sample(family.apply(family.layout(((0.2, 0.25, 0.7, 0.75), "21"))), steps=1)
    assert error(masked, family.sample(family.apply(family.layout((whole, "21"))), steps=1)) > 1e-3
    if family.joint:
        assert error(masked, boxed) < 2e-6
    else:
        assert error(masked, family.plain(steps=1)) > 1e-3


def test_an_area_has_its_part_of_the_boxes(some):
    """A prompt of the right half is a crop: its call has a box's part there."""
    right = some.text(7)
    video = tiny_dits.FAMILIES[some.name][5] is not None
    right[0][1]["area"] = ("percentage", *([1.0] if video else []), 1.0, 0.5, *([0.0] if video else []), 0.0, 0.5)
    positive = [*some.text(5), *right]
    run = {"positive": positive, "steps": 1}
    box = some.layout(((0.1, 0.2, 0.4, 0.8), "21"))  # in the left half: the crop has nothing of it
    got, plain = some.sample(some.apply(box), **run), some.sample(**run)
    both = some.layout(((0.6, 0.2, 0.9, 0.8), "21"))
    assert error(got, plain) > 1e-4 and error(some.sample(some.apply(both), **run), plain) > 1e-4
    with_area = {"positive": [*some.text(5), *right], "steps": 1, "cfg": 1.0}
    sizes = []
    hook = some.module.register_forward_pre_hook(lambda module, args: sizes.append(tuple(args[0].shape[-2:])))
    try:
        some.sample(some.apply(both), **with_area)
    finally:
        hook.remove()
    assert len(set(sizes)) == 2


@pytest.mark.parametrize("name", here(["wan21", "kandinsky5_video"]))
def test_context_windows(name, tiny):
    """Windows over frames: each has the same boxes."""
    windows = pytest.importorskip("comfy.context_windows")
    family = tiny(name)
    model = family.patcher.clone()
    handler = windows.IndexListContextHandler(
        context_schedule=windows.get_matching_context_schedule(windows.ContextSchedules.STATIC_STANDARD),
        fuse_method=windows.get_matching_fuse_method(windows.ContextFuseMethods.PYRAMID),
        context_length=3,
        context_overlap=1,
        context_stride=1,
        closed_loop=False,
        dim=2,
    )
    model.model_options["context_handler"] = handler
    windows.create_prepare_sampling_wrapper(model)
    run = {"frames": 5, "steps": 1}
    plain, boxed = family.sample(model, **run), family.sample(family.apply(model=model), **run)
    change = (boxed - plain).abs().amax((0, 1, 3, 4))
    assert (change > 1e-3).all() and len(change) == 5
