"""PLMS, the Multi-Instance Sampler and the alpha schedule against docs/instance_diffusion.md section 8."""

from __future__ import annotations

import math

import pytest
import torch

from roictrl_core.instance_diffusion.sampler import alone_steps, multi_instance, multi_instance_plms, plms
from roictrl_core.instance_diffusion.schedule import (
    alpha_schedule,
    as_latent,
    noised,
    plms_sigmas,
    plms_timesteps,
    training_sigmas,
)
from roictrl_core.steps import step_index

TOLERANCE = 1e-4


class Denoiser:
    """A smooth nonlinear model of its own for every branch; in both variables, with the calls recorded."""

    def __init__(self, steps, scales=None):
        sigmas = training_sigmas()
        self.times = {t: sigmas[t] for t in [*plms_timesteps(steps), 0]}
        self.scales = scales or [1.0] * steps
        self.calls = []

    def published(self, x, t, step, branch):
        kept = 1 / (1 + training_sigmas()[t] ** 2)
        mixed = torch.einsum("bchw,cd->bdhw", x, self._weights(branch).to(x))
        return torch.sin(3 * mixed) * math.sqrt(kept) + x * math.sqrt(1 - kept) + 0.3 * self.scales[step]

    def __call__(self, x, sigma, step, branches):
        t = min(self.times, key=lambda t: abs(self.times[t] - sigma))
        assert self.times[t] == pytest.approx(sigma, rel=1e-9)
        self.calls.extend((branch, t) for branch in branches)
        assert x.shape[0] == len(branches)
        return torch.stack([self.published(as_latent(x[i], sigma), t, step, b) for i, b in enumerate(branches)])

    @staticmethod
    def _weights(branch):
        return torch.randn(4, 4, generator=torch.Generator().manual_seed(branch)) * 0.5


@pytest.fixture
def noise():
    return torch.randn(2, 4, 8, 6, generator=torch.Generator().manual_seed(7))


@pytest.mark.parametrize("steps", [2, 3, 10, 30, 50])
def test_plms_is_the_published_sampler(reference, noise, steps):
    model = Denoiser(steps)
    literal = reference.PublishedPLMS(model.published, steps)
    expected = literal.run(noise.double())
    sigmas = plms_sigmas(steps)
    x, _ = plms(model, noised(noise[None], sigmas[0]), sigmas)
    assert (as_latent(x[0], sigmas[-1]) - expected).abs().max() < TOLERANCE
    assert len(model.calls) == len(literal.calls) == steps + 1
    assert model.calls == literal.calls


@pytest.mark.parametrize("instances, share", [(3, 0.4), (1, 0.36), (2, 1.0), (2, 0.0), (0, 0.4), (2, 0.1)])
def test_the_multi_instance_sampler_is_the_published_one(reference, noise, instances, share):
    steps = 10
    model = Denoiser(steps, alpha_schedule(steps, 0.8))
    literal = reference.PublishedPLMS(model.published, steps)
    expected = literal.run(noise.double(), instances, share)
    sigmas = plms_sigmas(steps)
    x = multi_instance_plms(model, noised(noise, sigmas[0]), sigmas, instances, share)
    assert (as_latent(x, sigmas[-1]) - expected).abs().max() < TOLERANCE
    assert sorted(model.calls) == sorted(literal.calls)
    alone = int(share * steps)
    assert len(model.calls) == steps + 1 + (instances * (alone + 1) if alone else 0)


def test_branches_are_batched_and_reported(noise):
    model, seen = Denoiser(10), []
    sigmas = plms_sigmas(10)
    multi_instance_plms(
        model,
        noised(noise, sigmas[0]),
        sigmas,
        3,
        0.4,
        report=lambda step, sigma, x, eps: seen.append((step, sigma, x.shape, eps.shape)),
    )
    assert [entry[0] for entry in seen] == list(range(10))
    assert [entry[1] for entry in seen] == sigmas[:-1]
    assert [entry[2][0] for entry in seen] == [4] * 4 + [1] * 6
    assert all(entry[2] == entry[3] for entry in seen)


def test_published_costs():
    steps, cost = 50, {}
    for instances in (1, 4, 8):
        model = Denoiser(steps)
        sigmas = plms_sigmas(steps)
        multi_instance_plms(model, torch.zeros(1, 4, 1, 1), sigmas, instances, 0.36)
        cost[instances] = 2 * len(model.calls)
    assert cost == {1: 140, 4: 254, 8: 406}


def test_timesteps_and_noise_levels():
    assert plms_timesteps(50)[:2] == [981, 961] and plms_timesteps(50)[-1] == 1
    assert plms_timesteps(10) == [901, 801, 701, 601, 501, 401, 301, 201, 101, 1]
    sigmas = plms_sigmas(50)
    assert len(sigmas) == 51 and sigmas[-1] == pytest.approx(0.0292, abs=5e-5)
    assert sigmas == sorted(sigmas, reverse=True)
    assert plms_sigmas(2, table=range(1000)) == [501.0, 1.0, 0.0]
    with pytest.raises(ValueError, match="between 1 and 999"):
        plms_sigmas(1000)


def test_a_schedule_that_ends_at_zero_is_never_evaluated_there(noise):
    asked = []

    def model(x, sigma, step, branches):
        asked.append(sigma)
        return 0.1 * x

    plms(model, noise[None], [3.0, 0.0])
    plms(model, noise[None], [3.0, 1.0, 0.0])
    assert asked == [3.0, 3.0, 1.0, 1.0]


def test_alpha_schedule():
    assert alpha_schedule(50, 0.8) == [1.0] * 40 + [0.0] * 10
    assert alpha_schedule(50, 0.75) == [1.0] * 37 + [0.0] * 13
    assert alpha_schedule(4, 0.0) == [0.0] * 4 and alpha_schedule(4, 1.0) == [1.0] * 4


def test_the_step_of_an_evaluation():
    sigmas = [8.0, 4.0, 2.0, 0.0]
    assert [step_index(sigma, sigmas) for sigma in (9.0, 8.0, 6.0, 4.0, 3.0, 2.0, 0.5, 0.0)] == [0, 0, 0, 1, 1, 2, 2, 2]
    assert step_index(float(torch.tensor(4.0) * (1 + 1e-6)), sigmas) == 1


def test_any_sampler_restarts_after_the_merge(noise):
    runs = []

    def sample(x, sigmas, first, branch):
        runs.append((list(sigmas), first, branch))
        return x + branch

    result = multi_instance(sample, noise, [5.0, 4.0, 3.0, 2.0, 0.0], 3, 0.5)
    assert runs == [([5.0, 4.0, 3.0], 0, branch) for branch in range(4)] + [([3.0, 2.0, 0.0], 2, 0)]
    assert torch.allclose(result, noise + 1.5)
    runs.clear()
    multi_instance(sample, noise, [5.0, 4.0, 0.0], 3, 0.0)
    assert runs == [([5.0, 4.0, 0.0], 0, 0)]


def test_a_share_outside_its_range_is_a_sentence():
    with pytest.raises(ValueError, match="between 0 and 1"):
        alone_steps(50, 1.2)
