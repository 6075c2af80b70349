"""What every Apply promises, in every family of transformers."""

from __future__ import annotations

import comfy.sample
import pytest
import torch

from devtools import tiny_dits
from devtools.tiny_families import BOXES, error, here, left, watching

ODD = {"pixart_sigma": (50, 38), "kandinsky5": (14, 22), "kandinsky5_video": (14, 22)}  # they take even sides alone
ROUNDED = ("krea2",)  # the products of whose longer sequences some processors round otherwise: 2e-7 was seen


def equal(got, want) -> bool:
    return torch.equal(got, want)


def test_boxes_change_the_picture(every):
    """Or nothing that follows would say anything."""
    assert error(every.sample(every.apply()), every.plain()) > 2e-3
    assert not left(every.patcher.model)


@pytest.mark.parametrize("settings", [{"strength": 0.0}, {"start_percent": 0.3, "end_percent": 0.4}])
def test_settings_that_switch_the_boxes_off(family, settings):
    assert equal(family.sample(family.apply(**settings)), family.plain())


def test_layouts_in_which_nothing_acts(family):
    box = BOXES[0]
    for layout in (
        family.layout(),
        family.layout((box, "21", {"enabled": False})),
        family.layout((box, "21", {"start": 0.3, "end": 0.4})),
    ):
        assert equal(family.sample(family.apply(layout)), family.plain())


def test_a_window_is_kept_step_by_step(family):
    """The first of two steps has the boxes, or the second: neither is the picture of both."""
    both = family.sample(family.apply())
    first = family.sample(family.apply(end_percent=0.05))
    assert error(first, both) > 5e-5 and error(first, family.plain()) > 5e-5


def test_runs_are_equal_and_the_input_model_is_untouched(family):
    patched = family.apply()
    assert equal(family.sample(patched), family.sample(patched))
    assert not family.patcher.wrappers and equal(family.sample(), family.plain())


def first_block(family, model) -> torch.Tensor:
    """What the first block gives in the positive call of a first step, text and image as they come."""
    with watching(_block(family.module)) as found:
        family.sample(model, steps=1, cfg=1.0)
    return found[0]


def _block(module) -> torch.nn.Module:
    names = ("double_blocks", "transformer_blocks", "joint_blocks", "layers", "visual_transformer_blocks", "blocks")
    return next(getattr(module, name) for name in names if hasattr(module, name))[0]


def test_in_the_last_block_alone(family):
    """What the blocks before it make of the picture is the plain model's, bit for bit."""
    last = len(family.host.blocks) - 1
    some, all_by_number = family.apply(blocks=f"{last}"), family.apply(blocks=f"0, 1-{last}")
    plain, boxed = first_block(family, family.patcher), first_block(family, some)
    before, after = (_image(family, tensors) if family.joint else tensors[0] for tensors in (plain, boxed))
    assert error(after, before) < 1e-6 if family.name in ROUNDED else equal(before, after)
    got, everywhere = family.sample(some), family.sample(family.apply())
    assert error(got, family.plain()) > 5e-5 and error(got, everywhere) > 5e-5
    assert equal(family.sample(all_by_number), everywhere)


def differs(one, other) -> torch.Tensor:
    """``[..., T]``: tokens that are not the same; attention of another count of queries may round otherwise."""
    change = (one - other).abs()
    return (change > 1e-4 * change.max()).any(-1)


def _image(family, tensors) -> torch.Tensor:
    """The image's tokens ``[T, C]``: a tensor of their own, or the last of the longest."""
    count = torch.Size(family.host.kind.grid(tiny_dits.latent(family.name).shape)).numel()
    pads = family.host.kind.image_pads(count)
    tensor = max(tensors, key=lambda tensor: (tensor.shape[1] == count + pads, tensor.shape[1]))
    return tensor[0, tensor.shape[1] - count - pads : tensor.shape[1] - pads]


def test_in_the_first_block_a_caption_acts_inside_its_box_alone(family, pack):
    layout = family.layout((BOXES[1], "22 9"))
    plain, boxed = first_block(family, family.patcher), first_block(family, family.apply(layout))
    size = family.host.kind.grid(tiny_dits.latent(family.name).shape) if family.joint else None
    if family.joint:
        changed = differs(_image(family, boxed), _image(family, plain)).view(size)
    else:
        size = family.host.kind.tokens(tiny_dits.latent(family.name).shape[2:])
        changed = differs(boxed[0], plain[0]).reshape(-1, *size[-2:]).any(0)
    rows, columns = changed.shape
    down, across = (torch.arange(rows) + 0.5) / rows, (torch.arange(columns) + 0.5) / columns
    x1, y1, x2, y2 = BOXES[1]
    edge = 0 if family.joint else 0.51  # cells: there an edge is one cell wide
    for side, inside in ((edge, False), (-edge, True)):
        y, x = side / rows, side / columns
        box = ((down > y1 - y) & (down < y2 + y))[:, None] & (across > x1 - x) & (across < x2 + x)
        assert changed[box].all() and changed[box].numel() if inside else not changed[~box].any()


@pytest.mark.parametrize("size", [None, (17, 13)])
def test_a_batch_is_its_pictures(family, size):
    """On an odd grid too. Each picture of a batch is what it would be with its own noise alone."""
    size = ODD.get(family.name, size) if size else None
    if size and family.name == "cosmos_predict2" and "anima" not in tiny_dits.present():
        size = (14, 22)
    patched = family.apply()
    got = family.sample(patched, batch=2, size=size, steps=1)
    assert error(got, family.sample(batch=2, size=size, steps=1)) > 1e-3
    whole = tiny_dits.latent(family.name, 2, size)
    noise = comfy.sample.prepare_noise(whole, 1)
    for row in range(2):
        alone = comfy.sample.sample(
            patched,
            noise[row : row + 1],
            1,
            2.0,
            "euler",
            "simple",
            family.text(5),
            family.text(6),
            whole[:1],
            seed=1,
            disable_pbar=True,
        )
        assert error(got[row : row + 1], alone) < 1e-5


def test_prompts_of_unequal_lengths(family):
    """The negative's prediction is the plain model's bit for bit where it has a call of its own."""
    patched, negative = family.apply(), family.text(6, 9)
    plain = calls(family, family.patcher, negative=negative)
    boxed = calls(family, patched, negative=negative)
    assert [roles for roles, _ in plain] == [roles for roles, _ in boxed]
    for (roles, before), (_, after) in zip(plain, boxed, strict=True):
        if roles == [1]:
            assert equal(after, before)
        for role, old, new in zip(roles, before.chunk(len(roles)), after.chunk(len(roles)), strict=True):
            assert error(new, old) < 5e-7 if role == 1 else error(new, old) > 1e-3


def calls(family, model, **settings) -> list:
    """Roles (0 the positive) and what the model gives, of each call of a first step."""
    found = []
    hook = family.module.register_forward_hook(
        lambda module, args, kwargs, output: found.append(
            (list(kwargs["transformer_options"]["cond_or_uncond"]), output.clone())
        ),
        with_kwargs=True,
    )
    try:
        family.sample(model, steps=1, **settings)
    finally:
        hook.remove()
    return found


def test_without_guidance_there_is_one_role(family):
    patched = family.apply()
    assert [roles for roles, _ in calls(family, patched, cfg=1.0)] == [[0]]
    assert error(family.sample(patched, cfg=1.0), family.plain(cfg=1.0)) > 1e-3


def test_two_applies(family):
    one, other = family.layout((BOXES[0], "21")), family.layout((BOXES[1], "22 9"))
    first = family.sample(family.apply(other, family.apply(one)))
    second = family.sample(family.apply(one, family.apply(other)))
    assert error(first, family.sample(family.apply(one))) > 1e-3
    if family.joint:
        assert error(first, family.sample(family.apply())) < 1e-6 and error(first, second) < 1e-6
    else:  # where boxes overlap the later Apply's share is taken of the earlier one's
        apart = (0.05, 0.1, 0.35, 0.7), (0.6, 0.3, 0.95, 0.9)
        layouts = [family.layout((box, text)) for box, text in zip(apart, ("21", "22 9"), strict=True)]
        first = family.sample(family.apply(layouts[1], family.apply(layouts[0])))
        second = family.sample(family.apply(layouts[0], family.apply(layouts[1])))
        both = family.sample(family.apply(family.layout(*zip(apart, ("21", "22 9"), strict=True))))
        assert error(first, second) < 1e-6 and error(first, both) < 1e-6
    assert not left(family.patcher.model)


def test_an_interrupt_leaves_nothing(family):
    class Stop(Exception):
        pass

    def stop(*args):
        assert left(family.patcher.model) or family.joint
        raise Stop

    hook = _block(family.module).register_forward_hook(stop)
    patched = family.apply()
    try:
        with pytest.raises(Stop):
            family.sample(patched)
    finally:
        hook.remove()
    assert not left(family.patcher.model)
    assert equal(family.sample(), family.plain())


@pytest.mark.parametrize("stored, computed", [(torch.bfloat16, None), (torch.float16, torch.float32)])
@pytest.mark.parametrize(
    "name", here(["wan21", "hunyuan_dit", "kandinsky5_video", "flux", "qwen_image", "z_image", "sd3"])
)
def test_other_precisions(name, tiny, stored, computed):
    family = tiny(name)
    model = tiny_dits.build(family.name, dtype=stored, compute=computed)
    got, plain = family.sample(family.apply(model=model)), family.sample(model)
    assert got.isfinite().all() and error(got, plain) > 1e-3
    want = family.sample(family.apply())
    effect = error(want, family.plain())
    assert error(got, want) < (max(0.3 * effect, 0.1) if stored == torch.bfloat16 else max(0.3 * effect, 1e-2))


def test_a_box_of_the_whole_picture_with_the_prompt_as_caption(family):
    """Reads the prompt again: nothing changes where text has its own attention."""
    layout = family.layout(((0, 0, 1, 1), "5"))
    got = family.sample(family.apply(layout))
    if not family.joint:
        assert error(got, family.plain()) < 2e-6
    else:
        assert error(got, family.plain()) > 1e-4


@pytest.mark.parametrize("name", here(["wan21", "wan22_5b", "ltxv", "kandinsky5_video"]))
def test_the_same_boxes_in_every_frame(name, tiny):
    """Of five latent frames, where the model's others have three."""
    family = tiny(name)
    with watching(_block(family.module)) as found:
        family.sample(family.patcher, steps=1, cfg=1.0, frames=5)
        family.sample(family.apply(family.layout((BOXES[1], "22 9"))), steps=1, cfg=1.0, frames=5)
    size = family.host.kind.tokens(tiny_dits.latent(name, frames=5).shape[2:])
    changed = differs(found[0][0], found[1][0]).view(size)
    assert changed[0].any() and (changed == changed[0]).all() and len(changed) == 5
