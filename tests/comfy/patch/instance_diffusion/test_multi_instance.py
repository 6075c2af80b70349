"""PLMS and the Multi-Instance Sampler inside ComfyUI, against the literal sampler over the same UNet."""

from __future__ import annotations

import logging

import pytest
import torch

from devtools.golden_unets import given_unet

LATENT = (1, 4, 16, 24)
STEPS, CFG, SHARE, ALPHA = 5, 3.0, 0.4, 0.8
SCALE = 0.18215


@pytest.fixture(scope="module")
def nodes(pack):
    return pack.module("nodes.instance_diffusion_sampling")


@pytest.fixture(scope="module")
def run(nodes, prompts):
    """InstanceDiffusion Sampler as the node executes it, on an empty latent."""

    def sample(model, seed=1, shape=LATENT, positive=None, **settings):
        settings = {"steps": STEPS, "cfg": CFG, "mis_share": SHARE, **settings}
        latent = {"samples": torch.zeros(shape), **settings.pop("latent", {})}
        return nodes.InstanceDiffusionSampler.execute(
            model, positive or prompts[0], prompts[1], latent, seed, **settings
        )[0]["samples"]

    return sample


@pytest.fixture
def literal(pack, base, trained, reference, prompts):
    """The published sampler over ComfyUI's UNet, each branch and each half of CFG in a UNet call of its own."""
    grounding = pack.module("roictrl_core.instance_diffusion.grounding").Grounding

    def sample(method, noise, share, steps=STEPS):
        instances = list(method.instances.values())
        captions = [slot.caption.tokens[None] for slot in method.instances]
        everything = grounding.of(instances, 64)
        on = int(method.settings.alpha * steps)

        def eps(x, t, text, given, scale):
            return given_unet(base.model.diffusion_model, trained, given, scale, method.settings)(
                x, torch.tensor([float(t)]), text
            )

        def guided(x, t, step, branch):
            text = captions[branch - 1] if branch else prompts[0][0][0]
            given = grounding.of([instances[branch - 1]], 64) if branch else everything
            scale = 1.0 if step < on else 0.0
            cond, uncond = eps(x, t, text, given, scale), eps(x, t, prompts[1][0][0], grounding.null(1, 64), scale)
            return uncond + CFG * (cond - uncond)

        return reference.PublishedPLMS(guided, steps).run(noise, len(instances), share)

    return sample


@pytest.mark.parametrize("share", [0.0, SHARE])
def test_the_node_is_the_published_sampler(pack, base, use, run, literal, all_formats, share, monkeypatch):
    import comfy.sample

    nodes, methods = pack.module("nodes.apply"), []
    attach = nodes.attach
    monkeypatch.setattr(
        nodes, "attach", lambda model, control, method: methods.append(method) or attach(model, control, method)
    )
    model = use(base.patcher, all_formats, alpha=ALPHA)
    noise = comfy.sample.prepare_noise(torch.zeros(LATENT), 1)
    expected = literal(methods[0], noise, share)
    result = run(model, mis_share=share) * SCALE
    assert (result - expected).abs().max() < 1e-4 * expected.std().clamp(min=1)


def test_branches_run_in_one_batch(base, use, run, two_boxes, spy):
    model, calls = spy(use(base.patcher, two_boxes, alpha=ALPHA))
    run(model)
    # 2 of 5 steps alone: 3 evaluations of 3 branches, cond and uncond; then 3 steps of one
    assert [call.rows for call in calls] == [6] * 3 + [2] * 3
    first = calls[0].ours[0].subjects
    caption = [subject.branch for subject in first if subject.slots]
    assert caption == [0, 1, 2] and len(first) == 6


def test_batching_does_not_change_the_picture(base, use, run, nodes, two_boxes, monkeypatch):
    import comfy.model_management

    model = use(base.patcher, two_boxes)
    together = run(model)
    monkeypatch.setattr(comfy.model_management, "get_free_memory", lambda *a, **k: 1.0)  # as on a full GPU
    apart = run(model)
    assert torch.allclose(together, apart, rtol=1e-4, atol=1e-3 * float(together.std()))


def test_several_pictures_and_longer_prompts(base, use, run, encode, two_boxes):
    long = encode(" ".join(["a photo of a forest with many trees"] * 12))  # two chunks of 77 tokens
    model = use(base.patcher, two_boxes)
    both = run(model, shape=(2, *LATENT[1:]), positive=long)
    assert torch.isfinite(both).all() and not torch.equal(both[0], both[1])
    alone = run(use(base.patcher, two_boxes, strength=0.0), shape=(2, *LATENT[1:]), positive=long, mis_share=0.0)
    assert not torch.allclose(both, alone, atol=1e-2)


def test_advanced_nodes_are_the_same_sampler(base, use, run, nodes, prompts, two_boxes):
    import comfy.sample

    model = use(base.patcher, two_boxes)
    guider = nodes.MultiInstanceGuiderNode.execute(model, *prompts, CFG)[0]
    sampler = nodes.MultiInstanceSamplerNode.execute(SHARE)[0]
    sigmas = nodes.PLMSScheduler.execute(model, STEPS)[0]
    noise = comfy.sample.prepare_noise(torch.zeros(LATENT), 1)
    result = guider.sample(noise, torch.zeros(LATENT), sampler, sigmas, disable_pbar=True, seed=1)
    assert torch.equal(result, run(model))
    assert not torch.allclose(result, run(model, mis_share=0.0), atol=1e-2)


@pytest.mark.parametrize("name", ["euler", "dpmpp_2m"])
def test_other_samplers_restart_after_the_joining(base, use, nodes, prompts, two_boxes, name):
    import comfy.sample
    import comfy.samplers

    model = use(base.patcher, two_boxes)
    guider = nodes.MultiInstanceGuiderNode.execute(model, *prompts, CFG)[0]
    inner = comfy.samplers.sampler_object(name)
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "normal", STEPS)
    noise, seen = comfy.sample.prepare_noise(torch.zeros(LATENT), 1), []

    def sampled(share, levels=sigmas):
        seen.clear()
        sampler = nodes.MultiInstanceSamplerNode.execute(share, inner)[0]
        return guider.sample(
            noise,
            torch.zeros(LATENT),
            sampler,
            levels,
            disable_pbar=True,
            seed=1,
            callback=lambda step, denoised, x, total: seen.append((step, total)),
        )

    plain = guider.sample(noise, torch.zeros(LATENT), inner, sigmas, disable_pbar=True, seed=1)
    assert torch.allclose(sampled(0.0), plain, rtol=1e-4, atol=1e-3)
    joined = sampled(SHARE)
    assert torch.isfinite(joined).all() and not torch.allclose(joined, plain)
    assert seen == [(step, 3 * 2 + 3) for step in range(9)]


def test_previews_and_progress(base, use, run, nodes, prompts, two_boxes):
    import comfy.sample

    model, seen = use(base.patcher, two_boxes), []
    nodes.multi_instance_guider(model, *prompts, CFG).sample(
        comfy.sample.prepare_noise(torch.zeros(LATENT), 1),
        torch.zeros(LATENT),
        nodes.MultiInstanceSampler(SHARE),
        nodes.published_sigmas(model, STEPS, 1.0),
        disable_pbar=True,
        seed=1,
        callback=lambda step, denoised, x, total: seen.append((step, tuple(denoised.shape), total)),
    )
    assert seen == [(step, LATENT, STEPS) for step in range(STEPS)]


def test_it_can_be_interrupted(base, use, run, two_boxes):
    import comfy.model_management

    comfy.model_management.interrupt_current_processing(True)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        run(use(base.patcher, two_boxes))
    assert torch.isfinite(run(use(base.patcher, two_boxes))).all()


def test_a_noise_mask_keeps_the_rest_of_the_picture(base, use, run, two_boxes):
    picture = torch.randn(LATENT, generator=torch.Generator().manual_seed(5))
    mask = torch.zeros(1, 1, 128, 192)
    mask[..., 96:] = 1.0
    result = run(use(base.patcher, two_boxes), latent={"samples": picture, "noise_mask": mask}, denoise=0.6)
    assert (result[..., :11] - picture[..., :11]).abs().max() < 1e-5
    assert (result[..., 13:] - picture[..., 13:]).abs().max() > 1.0


def test_a_model_without_instances_is_sampled_as_a_whole(base, run, caplog):
    with caplog.at_level(logging.WARNING):
        result = run(base.patcher)
    assert "has no instances" in caplog.text
    assert torch.equal(result, run(base.patcher, mis_share=0.0))


def test_published_levels(base, nodes):
    sigmas = nodes.PLMSScheduler.execute(base.patcher, 50)[0]
    table = base.patcher.get_model_object("model_sampling").sigmas
    assert torch.allclose(sigmas[:3], table[[981, 961, 941]]) and sigmas[-1] == table[0] and len(sigmas) == 51
    assert torch.equal(nodes.PLMSScheduler.execute(base.patcher, 25, 0.5)[0], sigmas[-26:])


def test_boxes_of_a_kept_run_can_be_redone(pack, base, use, nodes, prompts, two_boxes):
    """Branches are evaluations like others: outside the box the latent is the kept one to the bit."""
    import comfy.sample

    redo, model = pack.module("nodes.redo"), use(base.patcher, two_boxes)
    sampler, steps = redo.KeepSteps.execute(nodes.MultiInstanceSamplerNode.execute(SHARE)[0], two_boxes).result

    def draw(sampler, seed):
        guider = nodes.MultiInstanceGuiderNode.execute(model, *prompts, CFG)[0]
        noise, sigmas = comfy.sample.prepare_noise(torch.zeros(LATENT), seed), nodes.published_sigmas(model, STEPS, 1.0)
        return guider.sample(noise, torch.zeros(LATENT), sampler, sigmas, disable_pbar=True, seed=seed)

    first = draw(sampler, 1)
    again, _, _ = redo.RedoBoxes.execute(steps, {"samples": first}, two_boxes, instances="1").result
    difference = (draw(again, 2) - first).abs().amax((0, 1))
    cells = redo.redo_mask([two_boxes.instances[0].box], *LATENT[-2:])
    assert difference[cells == 0].max() == 0 and (difference[cells == 1] > 0).all()
