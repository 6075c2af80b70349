"""InstanceDiffusion in ComfyUI's own UNet: the golden UNet, and what every Apply promises."""

from __future__ import annotations

import logging

import pytest
import torch

from devtools import golden_unets, tiny_models
from devtools.goldens import GOLDEN, grounding_of, tensors_of

LATENT = (1, 4, 16, 24)


@pytest.fixture(scope="module")
def golden():
    return tensors_of(GOLDEN / "instancediffusion" / "tiny_unet.safetensors")


@pytest.fixture(scope="module")
def golden_model(pack):
    return golden_unets.instance_diffusion_model()


@pytest.mark.parametrize("size", golden_unets.SIZES)
@pytest.mark.parametrize("case", golden_unets.CASES)
def test_the_golden_unet(golden, golden_model, size, case):
    """ComfyUI's UNetModel with our patches equals the published UNet."""
    unet = golden_unets.golden_instance_diffusion(*golden_model, grounding_of(golden), case)
    result = unet(golden[f"x.{size}"], golden["timestep"], golden["ctx"])
    assert (result - golden[f"{case}.{size}"]).abs().max() < 1e-4


def test_it_acts_and_repeats(base, use, sample, two_boxes):
    plain = sample(base.patcher)
    model = use(base.patcher, two_boxes)
    result = sample(model)
    assert (result - plain).abs().max() > 1e-2
    assert torch.equal(result, sample(model))
    assert torch.equal(plain, sample(base.patcher))


@pytest.mark.parametrize("settings", [{"strength": 0.0}, {"start_percent": 0.9, "end_percent": 0.2}])
def test_off_is_the_base_model_bit_for_bit(base, use, sample, two_boxes, caplog, settings):
    with caplog.at_level(logging.WARNING):
        assert torch.equal(sample(use(base.patcher, two_boxes, **settings)), sample(base.patcher))
    assert "Apply InstanceDiffusion" in caplog.text and "no effect" in caplog.text


def test_an_empty_layout_is_the_base_model(base, use, sample, layout):
    assert torch.equal(sample(use(base.patcher, layout())), sample(base.patcher))


def test_balanced_reuses_what_the_instances_added(base, use, sample, two_boxes, caplog):
    """Both ends of its numbers are exact; between them a step's addition serves the next."""
    caplog.set_level(logging.INFO)
    run = {"steps": 6, "cfg": 2.0}
    exact, plain = sample(use(base.patcher, two_boxes, alpha=1.0), **run), sample(base.patcher, **run)
    for numbers in ({"computed_share": 1.0}, {"compute_every": 1}):
        model = use(base.patcher, two_boxes, alpha=1.0, speed="balanced", **numbers)
        assert torch.equal(sample(model, **run), exact)
    caplog.clear()
    model = use(base.patcher, two_boxes, alpha=1.0, speed="balanced", computed_share=0.0, compute_every=2)
    reused = sample(model, **run)
    assert 1e-4 < (reused - exact).norm() < 0.5 * (plain - exact).norm()
    assert "3 of 6 evaluations of the model reused" in caplog.text


def test_alpha_zero_leaves_scaleu_on(base, use, sample, two_boxes):
    plain, scaled = sample(base.patcher), sample(use(base.patcher, two_boxes, alpha=0.0))
    assert (scaled - plain).abs().max() > 1e-3
    assert torch.equal(sample(use(base.patcher, two_boxes, alpha=0.0, scaleu=False)), plain)
    assert not torch.equal(scaled, sample(use(base.patcher, two_boxes)))


def test_alpha_is_a_share_of_the_steps(base, use, sample, two_boxes):
    half = sample(use(base.patcher, two_boxes, alpha=0.5), steps=2)
    assert not torch.equal(half, sample(use(base.patcher, two_boxes, alpha=0.4), steps=2))
    assert torch.equal(half, sample(use(base.patcher, two_boxes, alpha=0.9), steps=2))


def test_the_window_ends_scaleu_too(base, use, sample, two_boxes, spy):
    model, calls = spy(use(base.patcher, two_boxes, start_percent=0.0, end_percent=0.3))
    sample(model, steps=2)
    patched = [bool(call.output_patches) for call in calls]
    assert patched[0] and not patched[-1]


def test_cond_and_uncond_stay_one_batch_and_uncond_reads_the_null(pack, base, use, sample, two_boxes, spy):
    null = pack.module("nodes.patch.methods.instance_diffusion").NULL
    model, calls = spy(use(base.patcher, two_boxes))
    sample(model)
    assert all(call.rows == 2 for call in calls) and len(calls) == 2
    for call in calls:
        subjects = call.ours[0].subjects
        assert [subject == null for subject in subjects] == [index == 1 for index in call.indices]


def instances_by_index(pack, calls) -> list[dict[int, bool]]:
    """Of each UNet call: which conds of its list read the instances."""
    null = pack.module("nodes.patch.methods.instance_diffusion").NULL
    return [
        dict(zip(call.indices, (subject != null for subject in call.ours[0].subjects), strict=True)) for call in calls
    ]


def guider_of(kind: str, model, prompts, encode):
    """A guider whose lists stand in another order than CFG's."""
    from comfy_extras.nodes_custom_sampler import DualCFGGuider
    from comfy_extras.nodes_perpneg import PerpNegGuider

    if kind == "PerpNeg":
        return PerpNegGuider.execute(model, *prompts, encode(""), 5.0, 1.0)[0]
    return DualCFGGuider.execute(model, prompts[0], encode("a lake"), prompts[1], 5.0, 3.0, "regular")[0]


@pytest.mark.parametrize(
    "kind, roles", [("PerpNeg", {0: True, 1: False, 2: False}), ("DualCFG", {0: False, 1: True, 2: True})]
)
def test_a_rows_role_decides_its_tokens_and_not_its_index(
    pack, base, use, two_boxes, prompts, encode, spy, kind, roles
):
    import comfy.samplers

    model, calls = spy(use(base.patcher, two_boxes))
    guider = guider_of(kind, model, prompts, encode)
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "normal", 1)
    guider.sample(
        torch.randn(LATENT),
        torch.zeros(LATENT),
        comfy.samplers.sampler_object("euler"),
        sigmas,
        disable_pbar=True,
        seed=0,
    )
    assert instances_by_index(pack, calls) == [roles]


def test_sag_reads_the_null_alone(pack, base, use, sample, two_boxes, spy):
    from comfy_extras.nodes_sag import SelfAttentionGuidance

    model, calls = spy(SelfAttentionGuidance.execute(use(base.patcher, two_boxes), 0.5, 2.0)[0])
    sample(model, steps=1, shape=(1, 4, 32, 32))
    found = instances_by_index(pack, calls)
    assert {0: False} in found and {1: False, 0: True} in found


def test_tokens_are_made_once_per_run(base, trained, use, sample, two_boxes):
    counted = []
    handle = trained.model.position_net.register_forward_hook(lambda *a: counted.append(1))
    try:
        sample(use(base.patcher, two_boxes), steps=4)
    finally:
        handle.remove()
    assert len(counted) == 2  # the instances', and the null's


@pytest.mark.parametrize("formats", ["auto", "box", "mask", "point", "scribble"])
def test_every_format(base, use, sample, all_formats, formats):
    results = sample(use(base.patcher, all_formats, formats=formats, null_missing=formats == "mask"))
    assert torch.isfinite(results).all()
    assert torch.equal(results, sample(use(base.patcher, all_formats, formats="scribble"))) == (
        formats in ("auto", "scribble")
    )


@pytest.mark.parametrize("masked", ["official (transposed)", "corrected"])
def test_masked_attention_changes_the_picture(base, use, sample, two_boxes, masked):
    result = sample(use(base.patcher, two_boxes, masked_attention=masked))
    assert torch.isfinite(result).all()
    assert not torch.equal(result, sample(use(base.patcher, two_boxes)))


def test_batches_are_pictures_of_their_own(base, use, prompts, two_boxes):
    import comfy.sample

    model = use(base.patcher, two_boxes)
    noise = torch.randn(2, *LATENT[1:], generator=torch.Generator().manual_seed(3))

    def sampled(noise):
        return comfy.sample.sample(
            model, noise, 2, 5.0, "euler", "normal", *prompts, torch.zeros_like(noise), disable_pbar=True, seed=0
        )

    both = sampled(noise)
    assert not torch.allclose(
        both,
        comfy.sample.sample(
            base.patcher, noise, 2, 5.0, "euler", "normal", *prompts, torch.zeros_like(noise), disable_pbar=True, seed=0
        ),
        atol=1e-2,
    )
    for row in range(2):
        assert torch.allclose(both[row : row + 1], sampled(noise[row : row + 1]), rtol=1e-4, atol=1e-3)


def test_more_than_30_instances_names_the_smallest(base, use, layout, caplog):
    small = ((0.0, 0.0, 0.01, 0.01), "a tiny ant")
    many = layout(
        small, *[((0.1, 0.1, 0.2 + i / 100, 0.5), f"thing {i}") for i in range(30)], ((0.0, 0.0, 0.02, 0.01), "a crumb")
    )
    with caplog.at_level(logging.WARNING):
        model = use(base.patcher, many)
    assert (
        "instance 1 ('a tiny ant') has no effect" in caplog.text
        and "instance 32 ('a crumb') has no effect" in caplog.text
    )
    assert model is not base.patcher


def test_freeu_beside_scaleu_is_said(base, use, sample, two_boxes, caplog):
    from comfy_extras.nodes_freelunch import FreeU

    node = FreeU()
    run = getattr(FreeU, "execute", None) or node.patch
    model = run(use(base.patcher, two_boxes), 1.1, 1.2, 0.9, 0.2)[0]
    with caplog.at_level(logging.WARNING):
        sample(model)
    assert caplog.text.count("FreeU and ScaleU") == 1
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        sample(run(use(base.patcher, two_boxes, scaleu=False), 1.1, 1.2, 0.9, 0.2)[0])
    assert "FreeU" not in caplog.text


def test_stacking_with_roictrl_in_both_orders_is_the_same_model(base, use, apply, sample, two_boxes, layout):
    """ROICtrl's ROIs see the state after the fuser, whichever Apply came first."""
    other = layout(((0.1, 0.1, 0.6, 0.6), "a green frog"))
    first = sample(use(apply(base.patcher, other), two_boxes))
    assert torch.equal(first, sample(apply(use(base.patcher, two_boxes), other)))
    for alone in (use(base.patcher, two_boxes), apply(base.patcher, other)):
        assert not torch.equal(first, sample(alone))


@pytest.fixture
def states(pack, trained, monkeypatch) -> list:
    """("fuser", x in, x out) of InstanceDiffusion's fusers and ("roi", h) of ROICtrl's, in the order of the calls."""
    fuser, seen = pack.module("roictrl_core.fuser").ROIFuser, []
    forward = fuser.forward
    monkeypatch.setattr(
        fuser, "forward", lambda self, h, *args, **more: seen.append(("roi", h)) or forward(self, h, *args, **more)
    )
    kind = type(trained.model.fuser(0))
    grounded = kind.forward

    def watched(self, x, *args, **more):
        result = grounded(self, x, *args, **more)
        seen.append(("fuser", x, result))
        return result

    monkeypatch.setattr(kind, "forward", watched)
    return seen


@pytest.mark.parametrize("roictrl_first", [True, False])
def test_stacked_methods_see_the_states_that_they_should(
    base, use, apply, sample, two_boxes, layout, states, roictrl_first
):
    """In every block the fuser reads the state after self-attention, and ROICtrl the fuser's result.

    In either order of the Applies.
    """
    other = layout(((0.1, 0.1, 0.6, 0.6), "a green frog"))
    model = (
        use(apply(base.patcher, other), two_boxes, alpha=1.0)
        if roictrl_first
        else apply(use(base.patcher, two_boxes, alpha=1.0), other)
    )
    sample(model, steps=1)
    assert [state[0] for state in states] == ["fuser", "roi"] * 16
    for (_, x, grounded), (_, h) in zip(states[::2], states[1::2], strict=True):
        assert torch.equal(h, grounded) and not torch.equal(h, x)


def test_two_applies_scale_the_skips_once(base, use, spy, sample, two_boxes, layout):
    model, calls = spy(use(use(base.patcher, two_boxes), layout(((0.1, 0.1, 0.6, 0.6), "a green frog"))))
    sample(model)
    assert [(len(call.middle_patches), len(call.output_patches)) for call in calls] == [
        (2, 1),
        (0, 1),
    ]  # alpha 0.8 of 2 steps is one


def test_other_models_are_refused(use, two_boxes):
    with pytest.raises(ValueError, match="Apply InstanceDiffusion: InstanceDiffusion's weights are for SD1.5"):
        use(tiny_models.patcher(tiny_models.sdxl_model()), two_boxes)


def test_an_instance_of_strength_zero_has_no_effect(base, use, sample, layout):
    one = ((0.05, 0.1, 0.5, 0.9), "a red fox")
    off, on = (layout(one, ((0.4, 0.2, 0.95, 0.8), "a blue bird", {"strength": strength})) for strength in (0.0, 1.0))
    alone = sample(use(base.patcher, layout(one)))
    assert torch.equal(sample(use(base.patcher, off)), alone) and not torch.equal(sample(use(base.patcher, on)), alone)


def test_area_conditioning_places_the_instances_in_the_crop(base, use, sample, two_boxes, encode, spy):
    import nodes

    area = nodes.ConditioningSetAreaPercentage().append(encode("a lake"), 0.5, 1.0, 0.5, 0.0, 1.0)[0]
    both = nodes.ConditioningCombine().combine(encode("a forest"), area)[0]
    model, calls = spy(use(base.patcher, two_boxes))
    assert torch.isfinite(sample(model, positive=both)).all()
    frames = {subject.frame for call in calls for subject in call.ours[0].subjects}
    assert frames == {(0.0, 0.0, 1.0, 1.0), (0.5, 0.0, 1.0, 1.0)}
