"""Own passes: a box denoised by itself is its crop sampled alone, in every family."""

from __future__ import annotations

import comfy.sample
import pytest
import torch
from comfy.patcher_extension import WrappersMP

from devtools import tiny_dits
from devtools.tiny_families import error, here, left

WHOLE_SIZE = ("hunyuan_dit",)  # families that are told how large the picture is
CELLS = {"pixart_sigma": (8, 4, 34, 36)}  # top, left, height, width of the box
PLAIN = {"global_weight": 1.0, "end_percent": 1.0, "own_pass": 1.0, "own_margin": 0.0, "own_patch": 0.0}


def crop_of(family) -> tuple[int, int, int, int]:
    return CELLS.get(family.name, (4, 6, 8, 10))


def box_of(family) -> tuple[float, ...]:
    top, left_, height, width = crop_of(family)
    rows, columns = tiny_dits.latent(family.name).shape[-2:]
    return left_ / columns, top / rows, (left_ + width) / columns, (top + height) / rows


def part(family, t: torch.Tensor) -> torch.Tensor:
    top, left_, height, width = crop_of(family)
    return t[..., top : top + height, left_ : left_ + width]


@pytest.mark.parametrize("cfg", [1.0, 2.0])
def test_the_box_is_its_crop_sampled_alone(family, bare, cfg):
    if family.name in WHOLE_SIZE:
        pytest.skip("the family reads the picture's size")
    got = family.sample(family.apply(family.layout((box_of(family), "21")), **PLAIN), cfg=cfg)
    noise = part(family, comfy.sample.prepare_noise(tiny_dits.latent(family.name), 1))
    caption, negative = family.text(21), family.text(6)
    alone = comfy.sample.sample(
        family.patcher,
        noise,
        2,
        cfg,
        "euler",
        "simple",
        caption,
        negative,
        torch.zeros_like(noise),
        seed=1,
        disable_pbar=True,
    )
    assert error(part(family, got), alone) < 2e-6
    outside = torch.ones(got.shape[-2:], dtype=torch.bool)
    part(family, outside)[:] = False
    plain = family.plain(cfg=cfg)
    assert not torch.equal(got[..., outside], plain[..., outside])  # the picture sees what is in the box
    assert not left(family.patcher.model)


def test_around_the_box_its_crop_is_an_even_background(family, bare, pack):
    """The crop sampled alone, with noise of its own on the even ground."""
    if family.name in WHOLE_SIZE:
        pytest.skip("the family reads the picture's size")
    noise = comfy.sample.prepare_noise(tiny_dits.latent(family.name), 1)
    rows, columns = noise.shape[-2:]
    core, once = pack.module("roictrl_core.own_pass"), {"steps": 1, "cfg": 1.0, "denoise": 0.5}
    margin, (least, step) = 0.4, family.host.least_crop(rows, columns)
    crop = core.crop_of(box_of(family), rows, columns, margin, least, 0, step)

    def cut(t: torch.Tensor) -> torch.Tensor:
        return t[..., crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]

    outside = torch.ones(rows, columns)
    part(family, outside)[:] = 0
    assert cut(outside).any()
    form = family.patcher.model.latent_format
    predicted = form.process_in(family.plain(**once))
    even = (predicted * outside).sum((-2, -1), keepdim=True) / outside.sum()
    other = torch.randn(noise.shape, generator=torch.Generator().manual_seed(2))  # the seed's and the evaluation's 1
    alone = comfy.sample.sample(
        family.patcher,
        cut(torch.where(outside > 0, other, noise)),
        1,
        1.0,
        "euler",
        "simple",
        family.text(21),
        family.text(6),
        form.process_out(cut(even * outside)),
        denoise=0.5,
        seed=1,
        disable_pbar=True,
    )
    settings = {**PLAIN, "own_margin": margin}
    got = family.sample(family.apply(family.layout((box_of(family), "21")), **settings), **once)
    inside = cut(outside) == 0
    assert error(cut(got)[..., inside], alone[..., inside]) < 2e-6


def test_off_it_is_todays_mode(family):
    assert torch.equal(family.sample(family.apply(own_pass=0.0)), family.sample(family.apply()))
    assert error(family.sample(family.apply(own_pass=0.5)), family.sample(family.apply())) > 1e-3


def test_the_upper_box_wins(family, bare):
    """Where boxes overlap the later one's own pass is what stays."""
    box = box_of(family)
    under = family.layout((box, "22 9"), (box, "21"))
    got, want = (family.sample(family.apply(layout, **PLAIN)) for layout in (under, family.layout((box, "21"))))
    assert error(got, want) < 2e-6
    assert error(got, family.sample(family.apply(family.layout((box, "22 9")), **PLAIN))) > 1e-3


@pytest.mark.parametrize("name", here(["wan21", "kandinsky5_video", "qwen_image", "z_image", "pixart_sigma"]))
def test_small_boxes_have_crops_that_the_family_can_run(name, tiny):
    """At odd places too, two pictures and a guided pair at once."""
    family = tiny(name)
    layout = family.layout(((0.31, 0.27, 0.35, 0.31), "21"), ((0.83, 0.9, 1.2, 1.1), "22 9"))
    got = family.sample(family.apply(layout, own_pass=1.0), batch=2)
    assert got.isfinite().all() and error(got, family.sample(family.apply(layout), batch=2)) > 1e-3


@pytest.mark.parametrize("name", here(["wan21", "qwen_image"]))
def test_other_applies_stand_aside_from_it(name, tiny):
    """Stacked, each has its boxes, and nothing is said."""
    family = tiny(name)
    one, other = family.layout(((0.05, 0.1, 0.45, 0.7), "21")), family.layout(((0.55, 0.3, 0.95, 0.9), "22 9"))
    first = family.sample(family.apply(other, family.apply(one, own_pass=1.0)))
    second = family.sample(family.apply(one, family.apply(other), own_pass=1.0))
    assert error(first, second) < 1e-5 and error(first, family.sample(family.apply(other))) > 1e-3


@pytest.mark.parametrize("name", here(["wan21", "qwen_image"]))
def test_a_cache_of_steps_sees_no_own_pass(name, tiny):
    """Under the names of core's, as other wrappers of the call do."""
    family, seen = tiny(name), {"easycache": [], "another": []}
    model = family.patcher.clone()
    for key, shapes in seen.items():

        def wrapper(executor, x, *args, shapes=shapes, **kwargs):
            shapes.append(tuple(x.shape[-2:]))
            return executor(x, *args, **kwargs)

        model.add_wrapper_with_key(WrappersMP.APPLY_MODEL, key, wrapper)
    family.sample(family.apply(model=model, own_pass=1.0))
    assert len(set(seen["easycache"])) == 1 < len(set(seen["another"]))


def test_a_controlnet_is_cut_to_the_crop(pack):
    """Its picture, scaled as core scales it for the whole latent."""
    import comfy.controlnet

    encoding, core = pack.module("nodes.patch.hosts.encoding"), pack.module("roictrl_core.own_pass")
    control, before = comfy.controlnet.ControlBase(), comfy.controlnet.ControlBase()
    control.set_cond_hint(torch.rand(1, 3, 64, 80), 0.7).set_previous_controlnet(before)
    before.set_cond_hint(torch.rand(1, 3, 128, 160))
    cut = encoding._cut(control, core.Crop(2, 3, 4, 5), torch.zeros(1, 4, 8, 10))
    assert torch.equal(cut.cond_hint_original, control.cond_hint_original[..., 16:48, 24:64]) and cut.strength == 0.7
    assert cut.previous_controlnet.cond_hint_original.shape == (1, 3, 64, 80) and control.previous_controlnet is before


def test_a_window_and_a_share(family):
    """The share is of the schedule, and a box that is off has no pass of its own."""
    assert torch.equal(family.sample(family.apply(own_pass=1.0, start_percent=0.3, end_percent=0.4)), family.plain())
    half, whole = (family.sample(family.apply(own_pass=share)) for share in (0.3, 1.0))
    assert error(half, whole) > 1e-5


def test_what_draws_no_box_by_itself_is_said(tiny, caplog):
    family = tiny(here(["wan21"])[0])
    family.apply(own_pass=0.2, start_percent=0.2)
    assert "Own_pass ends at 0.2 of the schedule, and the boxes act from 0.2 on" in caplog.text
    area = family.text(5)
    area[0][1]["area"] = ("percentage", 1.0, 1.0, 0.5, 0.0, 0.0, 0.5)
    family.sample(family.apply(own_pass=1.0), positive=area, steps=1, cfg=1.0)
    assert caplog.text.count("A prompt is for areas alone, so no box is drawn by itself beside it.") == 1


def test_what_draws_less_than_asked_is_said(tiny, caplog):
    family = tiny(here(["wan21"])[0])
    late = family.layout(((0.05, 0.1, 0.45, 0.7), "21"), ((0.5, 0.1, 0.9, 0.7), "22", {"start": 0.5}))
    family.apply(late, own_pass=0.4, own_patch=0.2)
    assert "are not drawn by themselves: instance 2 ('22')" in caplog.text
    family.apply(own_pass=0.8, own_patch=0.2, end_percent=0.6)
    assert "Own_pass goes on to 0.8 of the schedule, and the boxes act to 0.6 alone" in caplog.text
    assert "Own_patch is" not in caplog.text
    family.apply(own_pass=0.3, own_patch=0.3)
    assert "Own_patch is 0.3, as long as the own passes or longer" in caplog.text
    family.sample(family.apply(own_pass=0.3, own_patch=0.0), denoise=0.5)
    assert caplog.text.count("No step was in the part of the schedule in which boxes are drawn by themselves") == 1


def test_an_area_alone_on_one_side_of_guidance_draws_no_box(tiny):
    """Of the prompt alone it would be exaggerated by guidance."""
    family = tiny(here(["wan21"])[0])
    area = family.text(6)
    area[0][1]["area"] = ("percentage", 1.0, 1.0, 0.5, 0.0, 0.0, 0.5)
    own, off = (family.sample(family.apply(own_pass=share), negative=area, steps=1) for share in (1.0, 0.0))
    assert torch.equal(own, off)


def test_what_cannot_be_cut_is_refused(tiny):
    family = tiny(here(["wan21"])[0])
    text = family.text(5)
    text[0][1]["time_dim_concat"] = torch.zeros(1, 16, 1, *tiny_dits.latent(family.name).shape[-2:])
    with pytest.raises(ValueError, match="Apply ROI Prompts: this conditioning holds pictures at places of the video"):
        family.sample(family.apply(own_pass=1.0), positive=text, steps=1, cfg=1.0)


def test_a_cache_of_whole_steps_is_refused(tiny):
    family = tiny(here(["wan21"])[0])
    model = family.patcher.clone()
    model.add_wrapper_with_key(WrappersMP.PREDICT_NOISE, "lazycache", lambda executor, *args: executor(*args))
    assert family.sample(family.apply(model=model)).isfinite().all()
    with pytest.raises(ValueError, match="Apply ROI Prompts: LazyCache reuses whole steps"):
        family.sample(family.apply(model=model, own_pass=1.0))
