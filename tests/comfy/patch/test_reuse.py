"""What an earlier step added is reused where that is asked for, by sigma, for the same rows, and nowhere else."""

from __future__ import annotations

from types import SimpleNamespace

import comfy.hooks
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
    [
        ("euler", "normal"),
        ("heun", "karras"),
        ("dpm_2", "normal"),
        ("dpmpp_sde", "normal"),
        ("uni_pc", "karras"),
        ("dpmpp_2s_ancestral", "normal"),
        ("dpm_2_ancestral", "normal"),
    ],
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


def euler(denoise, x, sigmas, extra):
    for sigma, following in zip(sigmas[:-1], sigmas[1:], strict=True):
        x = x + (x - denoise(x, sigma.expand(len(x)), **extra)) / sigma * (following - sigma)
    return x


@pytest.fixture
def drive(prompts):
    """drive(model, sampler, prompts) -> the latent of a sampler of one's own: (denoise, x, sigmas, extra) -> x."""

    def run(model, sampler, both=prompts):
        guider = comfy.samplers.CFGGuider(model)
        guider.set_conds(*both)
        guider.set_cfg(2.0)
        noise = comfy.sample.prepare_noise(torch.zeros(LATENT), 0)

        def function(denoise, x, sigmas, extra_args=None, callback=None, disable=None):
            return sampler(denoise, x, sigmas, extra_args)

        sigmas = torch.tensor([8.0, 5.0, 3.0, 2.0, 1.0, 0.5, 0.0])
        return guider.sample(noise, torch.zeros(LATENT), comfy.samplers.KSAMPLER(function), sigmas)

    return run


def with_options(extra: dict, **options) -> dict:
    everything = extra["model_options"]
    return {
        **extra,
        "model_options": {**everything, "transformer_options": {**everything["transformer_options"], **options}},
    }


def twins(at_once):
    """Some steps of a picture and as many of another, by turns."""

    def run(denoise, x, sigmas, extra):
        y = x.flip(-1)
        for first in range(0, len(sigmas) - 1, at_once):
            x, y = (euler(denoise, latent, sigmas[first : first + at_once + 1], extra) for latent in (x, y))
        return x

    return run


def test_two_pictures_through_one_guider_are_computed_in_full(model, apply, two_boxes, drive, caplog):
    """Each would get what the other's boxes had added."""
    exact = drive(apply(model, two_boxes), twins(1))
    reusing = drive(apply(model, two_boxes, speed="balanced", computed_share=0.0), twins(1))
    assert torch.equal(exact, reusing) and "cannot be told apart" in caplog.text


def test_of_two_pictures_each_may_reuse_its_own_until_they_meet(model, apply, two_boxes, drive, computed):
    """By two steps: the second of each is its first's, and from then on nothing says whose is whose."""
    evaluations = []

    def counted(denoise, x, sigmas, extra):
        def call(latent, sigma, **more):
            evaluations.append(sigma)
            return denoise(latent, sigma, **more)

        return twins(2)(call, x, sigmas, extra)

    drive(apply(model, two_boxes, speed="balanced", computed_share=0.0, compute_every=100), counted)
    assert len(computed) == (len(evaluations) - 2) * BLOCKS


def test_a_second_schedule_begins_with_a_step_of_its_own(model, apply, two_boxes, drive, computed):
    def in_two_parts(denoise, x, sigmas, extra):
        for part in (sigmas[:4], sigmas[3:]):
            x = euler(denoise, x, part, with_options(extra, sample_sigmas=part))
        return x

    drive(apply(model, two_boxes, speed="balanced", computed_share=0.0, compute_every=100), in_two_parts)
    assert len(computed) == 2 * BLOCKS


@pytest.mark.parametrize("speed", ["exact", "balanced"])
def test_a_schedule_that_is_a_plain_list(model, apply, two_boxes, drive, speed):
    def listed(denoise, x, sigmas, extra):
        return euler(denoise, x, sigmas, with_options(extra, sample_sigmas=sigmas.tolist()))

    patched = apply(model, two_boxes, speed=speed, computed_share=0.0)
    assert torch.equal(drive(patched, listed), drive(patched, euler))


def test_weights_that_change_between_steps_are_computed_in_full(model, apply, two_boxes, prompts, drive, caplog):
    """A LoRA by hooks whose strength has keyframes: what was added before it set in is not what would be added now."""
    state, generator = model.model.state_dict(), torch.Generator().manual_seed(3)
    keys = [key for key in state if "attn2.to_v" in key and key.endswith("weight")]
    hook, group, keyframes = comfy.hooks.WeightHook(), comfy.hooks.HookGroup(), comfy.hooks.HookKeyframeGroup()
    hook.weights = {key: ("diff", (0.5 * torch.randn(state[key].shape, generator=generator),)) for key in keys}
    hook.need_weight_init = False
    group.add(hook)
    for strength, start in ((0.0, 0.0), (1.0, 0.5)):
        keyframes.add(comfy.hooks.HookKeyframe(strength=strength, start_percent=start))
    group.set_keyframes_on_hooks(keyframes)
    hooked = tuple(comfy.hooks.set_hooks_for_conditioning(prompt, group) for prompt in prompts)
    exact = drive(apply(model, two_boxes), euler, hooked)
    reusing = drive(apply(model, two_boxes, speed="balanced", computed_share=0.0), euler, hooked)
    assert torch.equal(exact, reusing) and "weights change between steps" in caplog.text


def test_a_call_serves_those_at_its_own_turn(model, apply, two_boxes, drive, computed):
    """Guidance runs the prompt once more on the side; later it alone is run, and does not get what the side had."""

    def on_the_side(args):
        if args["sigma"][0] > 2.5:
            comfy.samplers.calc_cond_batch(
                args["model"], [args["cond"]], args["input"], args["sigma"], args["model_options"]
            )
        return args["denoised"]

    patched = apply(model, two_boxes, speed="balanced", computed_share=0.0, compute_every=100)
    patched.set_model_sampler_post_cfg_function(on_the_side)
    patched.model_options["sampler_cfg_function"] = lambda args: args["cond"]

    def one_pass_from_the_middle(denoise, x, sigmas, extra):
        x = euler(denoise, x, sigmas[:4], extra)
        denoise.inner_model.cfg = 1.0
        del patched.model_options["sampler_cfg_function"]
        extra["model_options"].pop("sampler_cfg_function")
        return euler(denoise, x, sigmas[3:], extra)

    drive(patched, one_pass_from_the_middle)
    assert len(computed) == 3 * BLOCKS  # the pair, the prompt on the side, and the prompt alone
