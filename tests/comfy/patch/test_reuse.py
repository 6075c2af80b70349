"""What an earlier step added is reused where that is asked for, by sigma, for the same rows, and nowhere else."""

from __future__ import annotations

from types import SimpleNamespace

import comfy.sample
import comfy.samplers
import pytest
import torch

from .conftest import LATENT

STEPS = 10


def own_steps(steps: int, full: int, every: int) -> list[int]:
    """The step that each step's results come from, by the rule's own words."""
    found, last = [], 0
    for step in range(steps):
        if step < full or (step - last) == every or step == 0:
            last = step
        found.append(last)
    return found


@pytest.fixture
def parts(pack):
    names = ("control", "hooks", "points", "reuse")
    return SimpleNamespace(**{name: pack.module(f"nodes.patch.{name}") for name in names})


@pytest.fixture
def adding(parts, two_boxes, apply):
    """adding(model, reuse, number) -> a model to whose blocks a method adds ``number(sigma)``; and the sigmas that it
    was asked for."""

    def make(model, reuse, number, window=(0.0, 1.0)):
        asked = []

        def session(call):
            sigma = call.batch.sigma

            def before(h, spot):
                if spot.block.number == 0:
                    asked.append(sigma)
                return h + number(sigma)

            return parts.points.Points(before=before, after=lambda h, a, n, spot: a + number(sigma))

        slot = parts.control.Slot("box", (0.0, 0.0, 1.0, 1.0), 1.0, (0.0, 1.0), True, torch.zeros(77, 64))
        control = parts.control.Control("test", (slot,), window=window, reuse=reuse)
        method = SimpleNamespace(models=(), open=lambda run: session)
        return parts.hooks.attach(model, control, method), asked

    return make


@pytest.fixture
def drawn(prompts):
    def run(model, sampler="euler", scheduler="normal", shape=LATENT, cfg=5.0, seed=0, **more):
        latent = torch.full(shape, 0.5)
        return comfy.sample.sample(
            model,
            comfy.sample.prepare_noise(latent, seed),
            STEPS,
            cfg,
            sampler,
            scheduler,
            *prompts,
            latent,
            disable_pbar=True,
            seed=seed,
            **more,
        )

    return run


def wave(sigma: float) -> float:
    return 0.3 * torch.tensor(3 * sigma).cos().item()


def remembering(sigmas: list[float], full: int, every: int):
    """`wave` of the noise level that the rule says, with a memory of its own."""
    own, last = own_steps(len(sigmas) - 1, full, every), {}

    def number(sigma: float) -> float:
        step = max(i for i, level in enumerate(sigmas[:-1]) if level >= sigma * (1 - 1e-4) or i == 0)
        if own[step] == step or own[step] not in last:
            last[own[step]] = sigma
        return wave(last[own[step]])

    return number


@pytest.mark.parametrize(
    ("sampler", "scheduler"),
    [("euler", "normal"), ("heun", "karras"), ("dpm_2", "normal"), ("dpmpp_sde", "normal"), ("uni_pc", "karras")],
)
def test_samplers_that_call_as_they_like(parts, model, adding, drawn, sampler, scheduler):
    """Equal to a method that itself remembers what it was to add."""
    sigmas = comfy.samplers.KSampler(model, STEPS, torch.device("cpu"), sampler, scheduler, 1.0).sigmas.tolist()
    full = sum(level > model.get_model_object("model_sampling").percent_to_sigma(0.3) for level in sigmas[:-1])
    reused, asked = adding(model, parts.control.Reuse(0.3, 3), wave)
    literal, _ = adding(model, None, remembering(sigmas, full, 3))
    everywhere, all_asked = adding(model, None, wave)
    picture = drawn(reused, sampler, scheduler)
    assert torch.allclose(picture, drawn(literal, sampler, scheduler), atol=2e-4)
    assert not torch.allclose(picture, drawn(everywhere, sampler, scheduler), atol=2e-3)
    assert len(asked) < len(all_asked)


@pytest.mark.parametrize("full, every", [(1.0, 4), (0.0, 1)])
def test_all_computed_is_exact(parts, model, adding, drawn, full, every):
    exact, asked = adding(model, None, wave)
    other, others = adding(model, parts.control.Reuse(full, every), wave)
    assert torch.equal(drawn(exact), drawn(other)) and asked == others


def test_from_the_middle_and_in_two_parts(parts, model, adding, drawn):
    """A share of the schedule, not of the steps that are left; each sampling begins with a step of its own."""
    reused, asked = adding(model, parts.control.Reuse(0.3, 4), wave)
    drawn(reused, denoise=0.5)
    assert len(asked) == 3  # 0, 4 and 8 of 10
    asked.clear()
    drawn(reused, start_step=0, last_step=5)
    drawn(reused, start_step=5)
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "normal", STEPS)
    assert asked == pytest.approx([float(sigmas[step]) for step in (0, 1, 2, 5, 9)])


def test_a_window_that_begins_between(parts, model, adding, drawn):
    """Its first step is computed, whatever its number."""
    reused, asked = adding(model, parts.control.Reuse(0.0, 4), wave, window=(0.5, 1.0))
    everywhere, all_asked = adding(model, None, wave, window=(0.5, 1.0))
    drawn(reused)
    drawn(everywhere)
    assert asked[0] == all_asked[0] and len(asked) < len(all_asked)


@pytest.fixture
def computed(pack, monkeypatch):
    """How many blocks the adapter has computed since somebody emptied it."""
    found, fuser = [], pack.module("roictrl_core.fuser").ROIFuser
    forward = fuser.forward
    monkeypatch.setattr(fuser, "forward", lambda self, *args, **kw: found.append(self) or forward(self, *args, **kw))
    return found


BLOCKS = 16


def test_what_comes_and_goes_is_computed(model, apply, layout, sample, computed):
    """An instance that sets in between changes the rows; nothing is reused across that."""
    boxes = layout(((0.0, 0.0, 0.5, 1.0), "a fox"), ((0.5, 0.0, 1.0, 1.0), "a bird", {"start": 0.5}))
    sample(apply(model, boxes, speed="balanced", computed_share=0.0, compute_every=100), steps=6)
    assert len(computed) == 2 * BLOCKS


def test_fast_is_balanced_without_the_negative_pass(model, apply, two_boxes, sample):
    fast = sample(apply(model, two_boxes, speed="fast"), steps=6)
    assert torch.equal(fast, sample(apply(model, two_boxes, speed="balanced", uncond_boxes="off"), steps=6))
    assert not torch.allclose(fast, sample(apply(model, two_boxes, speed="balanced"), steps=6), atol=1e-4)


def test_fast_says_which_negative_captions_are_not_read(model, apply, layout, caplog):
    boxes = layout(((0.0, 0.0, 0.5, 1.0), "a fox", {"negative": "a cat"}))
    apply(model, boxes, speed="balanced")
    assert "negative caption" not in caplog.text
    apply(model, boxes, speed="fast")
    assert "The negative caption of instance 1 ('a fox') is not read" in caplog.text


def test_another_size_and_another_run_share_nothing(model, apply, two_boxes, sample, computed):
    patched = apply(model, two_boxes, speed="balanced", computed_share=0.0, compute_every=100)
    pictures = [sample(patched, steps=3, shape=shape) for shape in (LATENT, (2, *LATENT[1:]), LATENT)]
    assert len(computed) == 3 * BLOCKS and torch.equal(pictures[0], pictures[2])


def test_two_applies_keep_for_themselves(model, apply, layout, sample):
    left, right = layout(((0.0, 0.0, 0.5, 1.0), "a fox")), layout(((0.5, 0.0, 1.0, 1.0), "a bird"))
    settings = {"computed_share": 0.0, "compute_every": 100}
    both = apply(apply(model, left, speed="balanced", **settings), right, speed="balanced", **settings)
    first_only = apply(apply(model, left, speed="balanced", **settings), right)
    exact = apply(apply(model, left), right)
    a, b, c = (sample(m, steps=4) for m in (both, first_only, exact))
    assert not torch.allclose(a, b, atol=1e-4) and not torch.allclose(b, c, atol=1e-4)
    # Where both stand still, the last step differs from the exact one by what changed in between, not by a whole box.
    assert (a - c).abs().mean() < 0.5 * (sample(model, steps=4) - c).abs().mean()


def test_windows_of_a_batch_are_computed_in_full(model, apply, two_boxes, sample, computed, caplog):
    """They have the same prompts and the same size: nothing says which is which."""

    def windowed(patched):
        patched = patched.clone()
        patched.set_model_sampler_calc_cond_batch_function(in_windows)
        return sample(patched, steps=3, shape=(4, *LATENT[1:]))

    def in_windows(args):
        parts = zip(args["input"].chunk(2), args["sigma"].chunk(2), strict=True)
        model, conds, options = args["model"], args["conds"], args["model_options"]
        outputs = [comfy.samplers.calc_cond_batch(model, conds, x, sigma, options) for x, sigma in parts]
        return [torch.cat(of_a_prompt) for of_a_prompt in zip(*outputs, strict=True)]

    exact, count = windowed(apply(model, two_boxes)), len(computed)
    reusing = windowed(apply(model, two_boxes, speed="balanced", computed_share=0.0))
    assert torch.equal(exact, reusing) and len(computed) == 2 * count
    assert "cannot be told apart" in caplog.text


def test_what_is_kept_is_bounded_and_said(parts, model, apply, two_boxes, sample, computed, caplog, monkeypatch):
    caplog.set_level("INFO")
    settings = {"speed": "balanced", "computed_share": 0.0, "compute_every": 100}
    sample(apply(model, two_boxes, **settings), steps=3)
    assert (
        "2 of 3 evaluations of the model reused" in caplog.text and "are kept for later steps up to" not in caplog.text
    )
    computed.clear()
    monkeypatch.setattr(parts.reuse, "LIMIT", 200_000)
    sample(apply(model, two_boxes, **settings), steps=3)
    assert BLOCKS < len(computed) < 3 * BLOCKS and "is kept for later steps up to" in caplog.text


def test_a_foreign_sampler_without_a_schedule_is_computed_in_full(model, apply, two_boxes, prompts, computed, caplog):
    """Its options are without the noise levels, so nothing says where in the schedule a call is."""

    def sampler(denoise, x, sigmas, extra_args=None, callback=None, disable=None):
        options = dict(extra_args["model_options"]["transformer_options"])
        del options["sample_sigmas"]
        extra = {**extra_args, "model_options": {**extra_args["model_options"], "transformer_options": options}}
        for sigma in sigmas[:-1]:
            x = denoise(x, sigma.expand(len(x)), **extra)
        return x

    patched = apply(model, two_boxes, speed="balanced", computed_share=0.0)
    guider = comfy.samplers.CFGGuider(patched)
    guider.set_conds(*prompts)
    guider.set_cfg(2.0)
    latent = torch.zeros(LATENT)
    guider.sample(latent, latent, comfy.samplers.KSAMPLER(sampler), torch.tensor([5.0, 2.0, 1.0, 0.0]))
    assert len(computed) == 3 * BLOCKS and "does not say which noise levels" in caplog.text
