"""What an earlier step added is reused where that is asked for, by sigma, for the same rows, and nowhere else."""

from __future__ import annotations

from types import SimpleNamespace

import comfy.context_windows
import comfy.sample
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
    "sampler", ["euler", "heun", "dpm_2", "dpmpp_2m", "dpmpp_sde", "dpm_2_ancestral", "uni_pc", "lcm", "ddim"]
)
@pytest.mark.parametrize("scheduler", ["normal", "karras"])
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
