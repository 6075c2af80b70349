"""Whose rows are whose: roles by the guider's conds, areas, token lengths, batches."""

from __future__ import annotations

import comfy.samplers
import pytest
import torch

CAPTION, NEGATIVE = "caption", "negative"


def roles_by_index(calls) -> list[dict[int, str]]:
    return [dict(zip(call.indices, call.roles, strict=True)) for call in calls]


def run_guider(guider, seed=0, shape=(1, 4, 16, 24)):
    sampler = comfy.samplers.sampler_object("euler")
    sigmas = comfy.samplers.calculate_sigmas(guider.model_patcher.get_model_object("model_sampling"), "normal", 2)
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return guider.sample(noise, torch.zeros(shape), sampler, sigmas, disable_pbar=True, seed=seed)


def test_ksampler_with_cfg(model, apply, two_boxes, sample, spy):
    patched, calls = spy(apply(model, two_boxes))
    sample(patched)
    assert len(calls) == 2
    for call in calls:
        assert call.indices == [1, 0] and call.roles == [NEGATIVE, CAPTION] and call.rows == 2
        (ours,) = call.ours
        assert [tuple(pair) for pair in ours.instances.pairs] == [(0, 0), (0, 1), (1, 0), (1, 1)]
        assert ours.reading.own == [True, True, False, False]
        assert not torch.equal(ours.reading.texts[2].tokens, ours.reading.texts[3].tokens)


def test_cfg_1_runs_the_captions_alone(model, apply, two_boxes, sample, spy):
    patched, calls = spy(apply(model, two_boxes))
    assert not torch.equal(sample(patched, cfg=1.0), sample(model, cfg=1.0))
    assert all(call.roles == [CAPTION] for call in calls)


def test_a_batch_of_three(model, apply, two_boxes, sample, spy):
    patched, calls = spy(apply(model, two_boxes))
    three = sample(patched, shape=(3, 4, 16, 24))
    assert calls[0].rows == 6 and len(calls[0].ours[0].instances.pairs) == 12
    assert torch.allclose(three[:1], sample(patched), atol=1e-4)


def test_prompts_that_cannot_share_a_batch_give_the_same_picture(model, apply, two_boxes, sample, spy, prompts):
    """Five times the negative is too long to be padded, so two UNet calls are made; the attention is the same."""
    ((text, extra),) = prompts[1]
    patched, calls = spy(apply(model, two_boxes))
    apart = sample(patched, negative=[[text.repeat(1, 5, 1), extra]])
    assert sorted(roles_by_index(calls)[:2], key=str) == [{0: CAPTION}, {1: NEGATIVE}]
    assert torch.allclose(apart, sample(patched), atol=1e-4)


def test_two_positives_of_different_lengths(model, apply, two_boxes, sample, spy, prompts, encode):
    both = prompts[0] + encode("a very long caption " * 30)
    patched, calls = spy(apply(model, two_boxes))
    assert torch.isfinite(sample(patched, positive=both)).all()
    assert {role for call in calls for index, role in zip(call.indices, call.roles, strict=True) if index == 0} == {
        CAPTION
    }
    assert sum(index == 0 for call in calls for index in call.indices) == 4


def test_no_rois_in_the_negative_rows(model, apply, two_boxes, sample, spy):
    patched, calls = spy(apply(model, two_boxes, uncond_boxes="none"))
    assert not torch.equal(sample(patched), sample(apply(model, two_boxes)))
    instances = calls[0].ours[0].instances
    assert instances.roi_mask.any(1).tolist() == [False, True]
    assert instances.token_mask.any(1).tolist() == [True, True]


@pytest.mark.parametrize("size", [1, 2])
def test_off_leaves_the_negative_rows_to_the_model(model, apply, two_boxes, sample, spy, size):
    """Bit for bit the model's own, and the rows with captions as they are otherwise."""

    def predictions(patched):
        seen = []
        patched = patched.clone()
        patched.set_model_sampler_cfg_function(lambda args: seen.append((args["cond"], args["uncond"])) or args["cond"])
        sample(patched, shape=(size, 4, 16, 24))
        return seen[0]

    patched, calls = spy(apply(model, two_boxes, uncond_boxes="off"))
    caption, negative = predictions(patched)
    assert (
        calls[0].rows == 2 * size
        and calls[0].roles == [CAPTION]
        and calls[0].ours[0].reading.rows.chosen.tolist() == list(range(size, 2 * size))
    )
    assert torch.equal(negative, predictions(model)[1])
    assert torch.allclose(caption, predictions(apply(model, two_boxes))[0], atol=1e-5)
    assert not torch.allclose(caption, predictions(model)[0], atol=1e-3)


def test_off_with_prompts_that_cannot_share_a_batch(model, apply, two_boxes, sample, spy, prompts):
    ((text, extra),) = prompts[1]
    patched, calls = spy(apply(model, two_boxes, uncond_boxes="off"))
    apart = sample(patched, negative=[[text.repeat(1, 5, 1), extra]])
    assert {call.indices[0]: call.roles for call in calls[:2]} == {0: [CAPTION], 1: None}
    assert torch.allclose(apart, sample(patched), atol=1e-4)


def test_an_instance_with_a_negative_of_its_own(model, apply, layout, sample, spy):
    boxes = layout(((0.1, 0.1, 0.6, 0.9), "a fox", {"negative": "a cat"}), ((0.4, 0.2, 0.9, 0.9), "a bird"))
    patched, calls = spy(apply(model, boxes))
    sample(patched)
    assert calls[0].ours[0].reading.own == [False, True, False, False]


@pytest.mark.parametrize("area, box", [((8, 12, 0, 0), (0.0, 0.0, 0.5, 0.5)), ((8, 24, 8, 0), (0.0, 0.5, 1.0, 1.0))])
def test_an_area_projects_the_boxes(model, apply, layout, sample, spy, prompts, encode, area, box):
    """The box that fills the area fills its crop; one outside has no ROI and the null token there."""
    boxes = layout((box, "a fox"), ((0.55, 0.1, 0.95, 0.4), "outside"))
    positive = prompts[0] + [[text, {**extra, "area": area, "strength": 1.0}] for text, extra in encode("in the area")]
    patched, calls = spy(apply(model, boxes))
    assert torch.isfinite(sample(patched, positive=positive)).all()
    crops = [call for call in calls if call.size == area[:2]]
    assert crops and all(set(call.roles) == {CAPTION, NEGATIVE} for call in crops)
    instances = crops[0].ours[0].instances
    assert instances.token_mask[:, :2].tolist() == [[True, False]] * 2
    assert torch.allclose(instances.boxes[0, 0], torch.tensor([0.0, 0.0, 1.0, 1.0]))


def test_an_area_over_the_whole_picture_changes_nothing(model, apply, two_boxes, sample, prompts):
    patched = apply(model, two_boxes)
    positive = [[text, {**extra, "area": (16, 24, 0, 0), "strength": 1.0}] for text, extra in prompts[0]]
    assert torch.allclose(sample(patched, positive=positive), sample(patched), atol=1e-5)
    assert not torch.allclose(sample(patched), sample(model), atol=1e-3)


@pytest.mark.parametrize("bounds", [False, True])
def test_a_mask(model, apply, two_boxes, sample, spy, prompts, encode, bounds):
    mask = torch.zeros(1, 128, 192)
    mask[:, :64, 96:] = 1
    positive = prompts[0] + [
        [text, {**extra, "mask": mask, "mask_strength": 1.0, "set_area_to_bounds": bounds}]
        for text, extra in encode("in the mask")
    ]
    patched, calls = spy(apply(model, two_boxes))
    assert torch.isfinite(sample(patched, positive=positive)).all()
    frames = {chunk.frame for call in calls for chunk in call.ours[0].chunks}
    assert (len(frames) == 2) == bounds


def test_sag_asks_for_the_negative_alone(model, apply, two_boxes, sample, spy):
    from comfy_extras.nodes_sag import SelfAttentionGuidance

    guided = SelfAttentionGuidance.execute(apply(model, two_boxes), 0.5, 2.0)[0]
    patched, calls = spy(guided)
    sample(patched, shape=(1, 4, 32, 32))
    assert {0: NEGATIVE} in roles_by_index(calls) and {1: NEGATIVE, 0: CAPTION} in roles_by_index(calls)


def test_perpneg(model, apply, two_boxes, spy, prompts, encode):
    from comfy_extras.nodes_perpneg import PerpNegGuider

    patched, calls = spy(apply(model, two_boxes))
    run_guider(PerpNegGuider.execute(patched, *prompts, encode(""), 5.0, 1.0)[0])
    assert roles_by_index(calls)[0] == {0: CAPTION, 1: NEGATIVE, 2: NEGATIVE}


@pytest.mark.parametrize("style", ["regular", "nested"])
def test_dual_cfg(model, apply, two_boxes, spy, prompts, encode, style):
    from comfy_extras.nodes_custom_sampler import DualCFGGuider

    patched, calls = spy(apply(model, two_boxes))
    run_guider(DualCFGGuider.execute(patched, prompts[0], encode("a lake"), prompts[1], 5.0, 3.0, style)[0])
    assert roles_by_index(calls)[0] == {0: NEGATIVE, 1: CAPTION, 2: CAPTION}


def test_context_windows_find_the_role_by_uuid(model, apply, two_boxes, sample, spy):
    import comfy.context_windows as windows

    patched = apply(model, two_boxes)
    patched.model_options["context_handler"] = windows.IndexListContextHandler(
        windows.get_matching_context_schedule(windows.ContextSchedules.STATIC_STANDARD),
        windows.get_matching_fuse_method(windows.ContextFuseMethods.PYRAMID),
        context_length=2,
        context_overlap=1,
    )
    patched, calls = spy(patched)
    sample(patched, shape=(3, 4, 16, 24))
    assert all(roles == {1: NEGATIVE, 0: CAPTION} for roles in roles_by_index(calls)) and calls[0].rows == 4


def test_names_of_foreign_guiders(pack):
    roles = pack.module("nodes.patch.roles")
    assert roles.role_of_name("img_uncond", []) == NEGATIVE
    assert roles.role_of_name("style", [{"prompt_type": "negative"}]) == NEGATIVE
    assert roles.role_of_name("style", []) == CAPTION
