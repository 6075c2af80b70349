"""Apply GLIGEN: equal to ComfyUI's own node, and as good a neighbour as the other Applies."""

from __future__ import annotations

import pytest
import torch

from devtools import tiny_models

ROUND = ((8, 16, 96, 112), (80, 24, 184, 104))  # x1, y1, x2, y2 in pixels of 192 x 128, whole cells of 8
EXACT = ((9.6, 12.8, 96, 115.2), (76.8, 25.6, 182.4, 102.4))
CAPTIONS = ("a red fox", "a blue bird")


@pytest.fixture
def drawn(layout):
    """drawn(boxes in pixels) -> Layout."""
    return lambda boxes: layout(
        *(
            ((x1 / 192, y1 / 128, x2 / 192, y2 / 128), text)
            for (x1, y1, x2, y2), text in zip(boxes, CAPTIONS, strict=True)
        )
    )


@pytest.fixture
def by_core(base, gligen, prompts):
    """by_core(boxes in pixels) -> the prompts as GLIGEN Textbox Apply leaves them; null tokens for the negative."""

    def conditioned(boxes):
        entries = []
        for (x1, y1, x2, y2), text in zip(boxes, CAPTIONS, strict=True):
            pooled = base.clip.encode_from_tokens(base.clip.tokenize(text), return_pooled="unprojected")[1]
            entries.append((pooled, (y2 - y1) / 8, (x2 - x1) / 8, y1 / 8, x1 / 8))
        positive, negative = prompts
        return (
            [[cond, {**more, "gligen": ("position", gligen, entries)}] for cond, more in positive],
            [[cond, {**more, "gligen": ("null", gligen, [])}] for cond, more in negative],
        )

    return conditioned


@pytest.mark.parametrize(("boxes", "tolerance"), [(ROUND, 1e-5), (EXACT, 1e-5)])
def test_it_equals_cores_node(model, apply_gligen, drawn, by_core, prompts, one_call, boxes, tolerance):
    """At boxes that core's widgets can say, and at exact ones, which only its entry can.

    These are what the benchmark once handed it.
    """
    x = torch.randn(1, 4, 16, 24, generator=torch.Generator().manual_seed(5))
    positive, negative = by_core(boxes)
    ours = one_call(apply_gligen(model, drawn(boxes)), x, 500, *prompts)  # the negative's row comes first
    core = torch.cat([one_call(model, x, 500, negative), one_call(model, x, 500, positive)])
    assert (ours - core).abs().max() < tolerance
    assert (ours - one_call(model, x, 500, *prompts)).abs().amax((1, 2, 3)).min() > 1e-3


def test_a_picture_equals_cores(model, apply_gligen, drawn, by_core, sample):
    positive, negative = by_core(ROUND)
    core = sample(model, positive=positive, negative=negative)
    assert torch.allclose(sample(apply_gligen(model, drawn(ROUND))), core, atol=1e-3)


def test_prompts_stay_one_batch(model, apply_gligen, two_boxes, sample):
    rows = []
    hook = model.model.diffusion_model.register_forward_pre_hook(lambda module, inputs: rows.append(len(inputs[0])))
    try:
        sample(apply_gligen(model, two_boxes))
    finally:
        hook.remove()
    assert rows == [2, 2]


def test_by_default_it_ends_early(model, apply_gligen, two_boxes, pack, sample):
    inputs = pack.module("nodes.gligen").ApplyGLIGEN.define_schema().inputs
    end = next(entry.default for entry in inputs if entry.id == "end_percent")
    early, always = (sample(apply_gligen(model, two_boxes, end_percent=end), steps=4) for end in (end, 1.0))
    assert end == 0.3 and not torch.equal(early, always) and not torch.equal(early, sample(model, steps=4))


SETTINGS = {"strength": 0.5, "start_percent": 0.5, "end_percent": 0.4}


def test_every_setting_changes_the_picture(pack, model, apply_gligen, two_boxes, sample):
    inputs = {entry.id for entry in pack.module("nodes.gligen").ApplyGLIGEN.define_schema().inputs}
    assert inputs - {"model", "gligen", "clip", "layout"} == SETTINGS.keys()
    plain = sample(apply_gligen(model, two_boxes))
    for name, value in SETTINGS.items():
        assert not torch.allclose(sample(apply_gligen(model, two_boxes, **{name: value})), plain, atol=1e-4), name


FIELDS = {
    "caption": "an old stone",
    "box": (0.2, 0.1, 0.7, 0.9),
    "strength": 0.5,
    "start": 0.5,
    "end": 0.4,
    "enabled": False,
}


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_of_an_instance_changes_the_picture(model, apply_gligen, layout, sample, field):
    def picture(box=(0.05, 0.1, 0.5, 0.9), caption="a red fox", **more):
        return sample(apply_gligen(model, layout((box, caption, more), ((0.4, 0.2, 0.95, 0.8), "a blue bird"))))

    assert not torch.equal(picture(**{field: FIELDS[field]}), picture())


def test_a_batch_of_three(model, apply_gligen, two_boxes, sample):
    patched = apply_gligen(model, two_boxes)
    assert torch.allclose(sample(patched, shape=(3, 4, 16, 24))[:1], sample(patched), atol=1e-4)


def test_a_custom_conditioning_has_its_pooled_output_read(model, apply_gligen, layout, base, sample):
    text, pooled = base.clip.encode_from_tokens(base.clip.tokenize("a stone"), return_pooled="unprojected")
    box = (0.1, 0.1, 0.6, 0.8)
    given = sample(apply_gligen(model, layout((box, "", {"conditioning": [[text, {"pooled_output": pooled}]]}))))
    assert torch.allclose(given, sample(apply_gligen(model, layout((box, "a stone")))), atol=1e-5)


@pytest.mark.parametrize("order", [("apply_gligen", "apply"), ("apply", "apply_gligen")])
def test_it_stacks_with_roictrl_in_either_order(request, model, two_boxes, layout, sample, order):
    """ROICtrl reads the state after it, whichever came first."""
    other = layout(((0.5, 0.1, 0.9, 0.6), "a green frog"))
    both = model
    for name in order:
        both = request.getfixturevalue(name)(both, two_boxes if name == "apply" else other)
    alone = [
        sample(request.getfixturevalue(name)(model, boxes))
        for name, boxes in (("apply", two_boxes), ("apply_gligen", other))
    ]
    assert all(not torch.allclose(sample(both), one, atol=1e-3) for one in alone)
    first, second = (request.getfixturevalue(name) for name in ("apply", "apply_gligen"))
    assert torch.equal(sample(both), sample(second(first(model, two_boxes), other)))


def test_two_of_it_add_up(model, apply_gligen, layout, sample):
    one, two = layout(((0.0, 0.0, 0.5, 1.0), "a fox")), layout(((0.5, 0.0, 1.0, 1.0), "an owl"))
    both = apply_gligen(apply_gligen(model, one), two)
    assert [len(models) for models in both.additional_models.values()] == [1]
    assert not torch.allclose(sample(both), sample(apply_gligen(model, one)), atol=1e-3)


def test_area_conditioning_places_the_boxes_in_the_crop(model, apply_gligen, two_boxes, encode, sample, one_call):
    """In the right half the first box is not, and the second is where it lies in that half."""
    import nodes

    area = nodes.ConditioningSetAreaPercentage().append(encode("a lake"), 0.5, 1.0, 0.5, 0.0, 1.0)[0]
    both = nodes.ConditioningCombine().combine(encode("a forest"), area)[0]
    picture = sample(apply_gligen(model, two_boxes), positive=both)
    assert torch.isfinite(picture).all() and not torch.allclose(picture, sample(model, positive=both), atol=1e-3)


def test_more_boxes_than_it_has_slots(model, apply_gligen, layout, sample, caplog):
    small = [((i / 40, 0.0, (i + 1) / 40, 0.1), f"number {i}") for i in range(30)]
    large = ((0.1, 0.2, 0.9, 0.9), "a red fox")
    picture = sample(apply_gligen(model, layout(*small, large)))
    assert "The weights have 30 slots, so the largest 30 boxes are used" in caplog.text
    without = layout(*small, (large[0], "a blue bird"))
    assert not torch.allclose(picture, sample(apply_gligen(model, without)), atol=1e-4)


def test_a_point_alone_is_said(model, apply_gligen, layout, sample, caplog):
    point = ((0.3, 0.3, 0.3, 0.3), "a star", {"point": (0.3, 0.3)})
    box = ((0.1, 0.1, 0.6, 0.8), "a red fox")
    with_point = sample(apply_gligen(model, layout(box, point)))
    assert "Instance 2 ('a star') has a point and no box, and this node reads boxes alone" in caplog.text
    assert torch.equal(with_point, sample(apply_gligen(model, layout(box))))


def test_what_is_refused(model, apply_gligen, two_boxes, layout, base):
    with pytest.raises(ValueError, match="Apply GLIGEN: the gligen input holds str. Connect GLIGENLoader."):
        apply_gligen(model, two_boxes, gligen="gligen.safetensors")
    with pytest.raises(
        ValueError, match=r"Apply GLIGEN: the GLIGEN weights are for 16 text blocks .* \(SDXL\) is a UNet with 28"
    ):
        apply_gligen(tiny_models.patcher(tiny_models.sdxl_model()), two_boxes)
    with pytest.raises(ValueError, match="Apply GLIGEN: the layout input holds str"):
        apply_gligen(model, "boxes")
    text = base.clip.encode_from_tokens(base.clip.tokenize("a stone"))
    unpooled = layout(((0.1, 0.1, 0.6, 0.8), "", {"conditioning": [[text, {}]]}))
    with pytest.raises(
        ValueError, match="Apply GLIGEN: the custom conditioning of instance 1 has no pooled output, which GLIGEN reads"
    ):
        apply_gligen(model, unpooled)
