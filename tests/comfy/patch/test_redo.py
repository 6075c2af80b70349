"""Keep Steps and Redo Boxes in ComfyUI's samplers: against the published rule, and what stays to the bit."""

from __future__ import annotations

from dataclasses import replace

import comfy.sample
import comfy.samplers
import pytest
import torch

LATENT = (1, 4, 16, 24)
STEPS = 4
# Steps of second order, ancestral noise, a memory of several steps, a Brownian tree, a predictor-corrector, CFG++.
SAMPLERS = ("euler", "heun", "euler_ancestral", "dpmpp_2m", "lms", "dpmpp_sde", "uni_pc", "euler_cfg_pp")


@pytest.fixture(scope="module")
def nodes(pack):
    return pack.module("nodes.redo")


@pytest.fixture(scope="module")
def kept_steps(pack):
    return pack.module("nodes.sampling.kept_steps")


@pytest.fixture
def draw(prompts):
    """SamplerCustomAdvanced with CFG Guider, on an empty latent: LATENT."""

    def run(model, sampler, seed=0, steps=STEPS, shape=LATENT, scheduler="normal"):
        guider = comfy.samplers.CFGGuider(model)
        guider.set_conds(*prompts)
        guider.set_cfg(3.0)
        sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), scheduler, steps)
        noise = comfy.sample.prepare_noise(torch.zeros(shape), seed)
        samples = guider.sample(noise, torch.zeros(shape), sampler, sigmas, disable_pbar=True, seed=seed)
        return {"samples": samples}

    return run


@pytest.fixture
def boxes(layout):
    return layout(((0.0, 0.0, 0.35, 0.5), "a red fox"), ((0.6, 0.5, 0.95, 1.0), "a blue bird"))


def changed(layout, index, **fields):
    instances = list(layout.instances)
    instances[index] = replace(instances[index], **fields)
    return replace(layout, instances=tuple(instances))


def keep(nodes, name, layout):
    """Keep Steps around one of core's samplers."""
    return nodes.KeepSteps.execute(comfy.samplers.sampler_object(name), layout).result


def redo(nodes, *inputs, **more):
    return nodes.RedoBoxes.execute(*inputs, **more)


@pytest.mark.parametrize("name", SAMPLERS)
def test_outside_the_box_the_latent_is_the_kept_one_to_the_bit(nodes, apply_prompts, model, boxes, draw, name):
    plain = draw(apply_prompts(model, boxes), comfy.samplers.sampler_object(name))
    sampler, steps = keep(nodes, name, boxes)
    first = draw(apply_prompts(model, boxes), sampler)
    assert torch.equal(first["samples"], plain["samples"])  # keeping changes nothing
    now = changed(boxes, 1, caption="a green tree")
    again, _, mask = redo(nodes, steps, first, now).result
    second = draw(apply_prompts(model, now), again, seed=7)
    cells = nodes.redo_mask([now.instances[1].box], *LATENT[-2:])
    difference = (second["samples"] - first["samples"]).abs().amax((0, 1))
    assert torch.isfinite(second["samples"]).all()
    assert difference[cells == 0].max() == 0 and (difference[cells == 1] > 0).all()
    assert mask.shape == (1, 128, 192) and mask[0, :40, :40].max() == 0 and mask[0, 80:120, 128:176].min() == 1


@pytest.mark.parametrize("seed", [0, 5])
def test_it_is_the_published_rule(nodes, kept_steps, apply_prompts, model, boxes, draw, prompts, seed):
    sampler, steps = keep(nodes, "euler", boxes)
    draw(apply_prompts(model, boxes), sampler)
    run, mask = steps.run, torch.zeros(LATENT[-2:])
    mask[4:12, 6:15] = 1
    now = apply_prompts(model, changed(boxes, 1, caption="a green tree"))
    again = kept_steps.RedoingSampler(steps.sampler, run, mask, kept_steps.KeepingSampler(steps))
    result = draw(now, again, seed=seed)["samples"]

    def literal(denoiser, noise, sigmas, extra_args=None, callback=None, disable=None):
        ones = noise.new_ones(len(noise))
        kept = [*run.latents, run.result]
        x = torch.where(mask > 0, noise, kept[0])
        for i, (level, after) in enumerate(zip(sigmas[:-1], sigmas[1:], strict=True)):
            slope = (x - denoiser(x, level * ones, **extra_args)) / level
            x = torch.where(mask > 0, x + slope * (after - level), kept[i + 1])
        return x

    expected = draw(now, comfy.samplers.KSAMPLER(literal), seed=seed)["samples"]
    assert torch.allclose(result, expected, rtol=1e-5, atol=1e-5 * float(expected.std()))


def test_nothing_to_redo_costs_nothing(nodes, apply_prompts, model, boxes, draw, spy):
    sampler, steps = keep(nodes, "euler", boxes)
    first = draw(apply_prompts(model, boxes), sampler)
    watched, calls = spy(apply_prompts(model, boxes))
    for more, said in (({}, "No box is marked as missed or has changed"), ({"obeyed": True}, "well enough")):
        result = redo(nodes, steps, first, changed(boxes, 0, extra={"missed": "nothing there"} if more else {}), **more)
        again, kept, mask = result.result
        assert said in result.ui["roictrl"][0]["notes"][0]["text"] and not mask.any()
        assert torch.equal(draw(watched, again, seed=3)["samples"], first["samples"])
        assert kept.run is steps.run
    assert calls == []


def test_redos_can_follow_one_another(nodes, apply_prompts, model, boxes, draw):
    sampler, steps = keep(nodes, "euler", boxes)
    patched = apply_prompts(model, boxes)
    picture = draw(patched, sampler)
    before = steps.run
    for seed in (1, 2):
        marked = changed(boxes, 0, extra={"missed": "nothing there"})
        sampler, steps, _ = redo(nodes, steps, picture, marked).result
        other = draw(patched, sampler, seed=seed)
        assert not torch.equal(other["samples"], picture["samples"])
        assert torch.equal(other["samples"][..., 8:, 12:], picture["samples"][..., 8:, 12:])
        picture = other
    assert before.result is not steps.run.result and len(before.latents) == STEPS


def test_boxes_can_be_named(nodes, apply_prompts, model, boxes, draw):
    sampler, steps = keep(nodes, "euler", boxes)
    first = draw(apply_prompts(model, boxes), sampler)
    result = redo(nodes, steps, first, boxes, instances="\n a blue bird \n1\n")
    text = result.ui["roictrl"][0]["notes"][0]["text"]
    assert text.startswith("Drawn anew: instance 1 ('a red fox'), instance 2 ('a blue bird').")
    with pytest.raises(ValueError, match="Redo Boxes: There is no instance 'a cat' in the layout"):
        redo(nodes, steps, first, boxes, instances="a cat")


def test_a_moved_box_is_drawn_anew_at_both_places(nodes, apply_prompts, model, boxes, draw):
    sampler, steps = keep(nodes, "euler", boxes)
    first = draw(apply_prompts(model, boxes), sampler)
    moved = changed(boxes, 1, box=(0.6, 0.0, 0.95, 0.4))
    result = redo(nodes, steps, first, moved)
    second = draw(apply_prompts(model, moved), result.result[0])["samples"]
    difference = (second - first["samples"]).abs().amax((0, 1))
    assert difference[1:6, 15:22].min() > 0 and difference[9:, 15:22].min() > 0 and difference[:, :12].max() == 0
    assert "1 place that a box has left" in result.ui["roictrl"][0]["notes"][1]["text"]


def test_batches(nodes, apply_prompts, model, boxes, draw):
    shape = (2, *LATENT[1:])
    sampler, steps = keep(nodes, "euler", boxes)
    first = draw(apply_prompts(model, boxes), sampler, shape=shape)
    now = changed(boxes, 0, caption="a tree")
    second = draw(apply_prompts(model, now), redo(nodes, steps, first, now).result[0], seed=2, shape=shape)
    assert torch.equal(second["samples"][..., 10:, 12:], first["samples"][..., 10:, 12:])
    assert not torch.equal(second["samples"], first["samples"])


def test_how_much_is_kept_is_said(nodes, kept_steps, apply_prompts, model, boxes, draw, caplog, monkeypatch):
    caplog.set_level("INFO")
    sampler, steps = keep(nodes, "heun", boxes)
    draw(model, sampler)
    assert "Keep Steps: Kept 7 latents of this run, 0.041 MB of memory." in caplog.text
    assert all(latent.device.type == "cpu" for latent in steps.run.latents)
    monkeypatch.setattr(kept_steps, "MAX_BYTES", 20000)
    first = draw(model, sampler, seed=2)
    assert steps.run.latents == [] and "no box of this picture can be redone" in caplog.text
    with pytest.raises(ValueError, match="Redo Boxes: the latents of this run are .* more than the 4096 MB"):
        redo(nodes, steps, first, boxes)


def test_what_does_not_fit_is_refused(nodes, model, boxes, draw):
    sampler, steps = keep(nodes, "euler", boxes)
    with pytest.raises(ValueError, match="Redo Boxes: no run has been kept yet. Connect the sampler of Keep Steps"):
        redo(nodes, steps, {"samples": torch.zeros(LATENT)}, boxes)
    first = draw(model, sampler)
    with pytest.raises(ValueError, match="Redo Boxes: the latent is not the picture of the run that Keep Steps holds"):
        redo(nodes, steps, {"samples": first["samples"] + 1}, boxes)
    again = redo(nodes, steps, first, boxes, instances="1").result[0]
    with pytest.raises(ValueError, match="Redo Boxes: the sigmas are 3 steps from .* kept run 4 steps .* same sigmas"):
        draw(model, again, steps=3)
    with pytest.raises(ValueError, match="Redo Boxes: the sigmas are 4 steps"):
        draw(model, again, scheduler="karras")
    with pytest.raises(ValueError, match=r"Redo Boxes: the latent has the shape \[1, 4, 8, 8\]"):
        draw(model, again, shape=(1, 4, 8, 8))


def test_a_sampler_that_keeps_its_steps_already_is_refused(nodes, apply_prompts, model, boxes, draw):
    """Around Redo Boxes another one would hold the cells that the first keeps."""
    sampler, steps = keep(nodes, "euler", boxes)
    first = draw(apply_prompts(model, boxes), sampler)
    again = redo(nodes, steps, first, boxes, "1").result[0]
    for kept in (sampler, again):
        with pytest.raises(ValueError, match="Keep Steps: the sampler keeps its steps already. Connect the kept_steps"):
            nodes.KeepSteps.execute(kept, boxes)


def test_a_picture_that_stays_is_still_that_of_the_layout_before(nodes, apply_prompts, model, boxes, draw):
    sampler, steps = keep(nodes, "euler", boxes)
    first = draw(apply_prompts(model, boxes), sampler)
    now = changed(boxes, 1, caption="a green tree")
    same, kept, _ = redo(nodes, steps, first, now, obeyed=True).result
    second = draw(apply_prompts(model, now), same, seed=7)
    assert torch.equal(second["samples"], first["samples"])
    assert redo(nodes, kept, second, now).result[2].max() == 1


def test_a_picture_that_is_no_number_is_said(nodes, apply_prompts, model, boxes, draw):
    sampler, steps = keep(nodes, "euler", boxes)
    first = draw(apply_prompts(model, boxes), sampler)
    steps.run.samples[0, 0, 0, 0] = float("nan")
    with pytest.raises(ValueError, match="Redo Boxes: the picture that was kept holds values that are not numbers"):
        redo(nodes, steps, first, boxes, "all")


def test_an_adaptive_sampler_is_refused(nodes, model, boxes, draw):
    sampler, steps = keep(nodes, "dpm_adaptive", boxes)
    first = draw(model, sampler)
    again = redo(nodes, steps, first, boxes, instances="1").result[0]
    with pytest.raises(ValueError, match="Redo Boxes: the model is evaluated at other noise levels"):
        draw(model, again, seed=9)
