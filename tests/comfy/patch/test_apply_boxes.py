"""Apply Boxes: picks the best method at hand, says which, and is then that method's own node."""

from __future__ import annotations

import pytest
import torch

from devtools import tiny_dits, tiny_models
from devtools.goldens import GOLDEN, tensors_of
from devtools.tiny_families import RandomCLIP, error


@pytest.fixture
def apply_boxes(pack, base):
    """Apply Boxes as the node executes it: apply_boxes(model, layout, ...) -> (model, sentences)."""
    node = pack.module("nodes.apply_boxes").ApplyBoxes

    def run(model, layout, **settings):
        output = node.execute(model, settings.pop("clip", base.clip), layout, **settings)
        said = output.ui["roictrl"][0]["notes"]
        return output[0], [note["text"] for note in said]

    return run


def test_an_adapter_that_fits_is_picked_and_draws_as_its_own_node(
    model, two_boxes, apply_boxes, apply, apply_gligen, adapter, gligen, sample
):
    patched, said = apply_boxes(model, two_boxes, adapter=adapter)
    assert "ROICtrl was picked for this model (SD15): the connected weights were made for it." in said
    assert torch.equal(sample(patched), sample(apply(model, two_boxes)))
    patched, said = apply_boxes(model, two_boxes, adapter=gligen)
    assert any("GLIGEN was picked" in sentence for sentence in said)
    assert torch.equal(sample(patched), sample(apply_gligen(model, two_boxes, end_percent=0.3)))


def test_without_an_adapter_the_captions_are_read_by_the_models_own_attention(
    model, two_boxes, apply_boxes, apply_prompts, sample
):
    patched, said = apply_boxes(model, two_boxes)
    assert said[0] == "ROI prompts was picked for this model (SD15): it needs no weights, and none are connected."
    assert torch.equal(sample(patched), sample(apply_prompts(model, two_boxes)))


def test_weights_for_another_model_are_left_out_and_that_is_said(two_boxes, apply_boxes, adapter):
    sdxl = tiny_models.patcher(tiny_models.sdxl_model())
    _, said = apply_boxes(sdxl, two_boxes, adapter=adapter)
    assert said[0].startswith(
        "ROI prompts was picked for this model (SDXL), which needs no weights; the connected ones"
    )
    assert "the adapter is for" in said[0]


def test_the_window_never_goes_beyond_what_suits_the_method(model, two_boxes, apply_boxes, apply_prompts, sample):
    early, _ = apply_boxes(model, two_boxes, end_percent=0.3)
    assert torch.equal(sample(early, steps=4), sample(apply_prompts(model, two_boxes, end_percent=0.3), steps=4))
    whole, _ = apply_boxes(model, two_boxes, end_percent=0.9)
    assert torch.equal(sample(whole, steps=4), sample(apply_prompts(model, two_boxes), steps=4))


def test_a_suffix_reaches_every_method(model, two_boxes, apply_boxes, adapter, gligen, sample):
    for weights in (None, adapter, gligen):
        with_suffix, without = (
            apply_boxes(model, two_boxes, adapter=weights, caption_suffix=suffix)[0] for suffix in ("oil paint", "")
        )
        assert not torch.equal(sample(with_suffix), sample(without))


def test_what_is_no_weights_is_refused(model, two_boxes, apply_boxes):
    with pytest.raises(ValueError, match="Apply Boxes: the adapter input holds str. Connect Load ROICtrl Adapter, "):
        apply_boxes(model, two_boxes, adapter="adapter.safetensors")


def test_no_box_and_strength_0_leave_the_model_as_it_is(model, layout, two_boxes, apply_boxes, sample):
    base = sample(model)
    for boxes, settings in ((layout(), {}), (two_boxes, {"strength": 0.0})):
        patched, said = apply_boxes(model, boxes, **settings)
        assert torch.equal(sample(patched), base) and len(said) > 1


@pytest.mark.parametrize("family", ["chroma", "sd3", "z_image", "flux2"])
def test_on_joint_models_it_draws_the_goldens(family, pack, apply_boxes, comfy):
    core = pack.module("roictrl_core.layout")
    boxes = core.Layout(
        width=160,
        height=128,
        instances=(
            core.Instance(box=(0.05, 0.1, 0.6, 0.7), caption="21"),
            core.Instance(box=(0.4, 0.3, 0.95, 0.9), caption="22 9"),
        ),
    )
    patched, _ = apply_boxes(tiny_dits.build(family), boxes, clip=RandomCLIP(family))
    want = tensors_of(GOLDEN / "models" / f"{family}.safetensors")["out"]
    limit = 2e-5 if family == "flux2" and comfy.version.startswith("0.3.") else 5e-6
    assert error(tiny_dits.sample(family, patched), want) < limit
