"""Apply ROI Prompts: the same hooks with the model's own cross-attention as the fuser, on SD1.x and SDXL shapes."""

from __future__ import annotations

import comfy.sample
import pytest
import torch

from devtools import tiny_models

from .image_prompts import ImagePrompt, on

WHOLE = (0.0, 0.0, 1.0, 1.0)


def test_a_box_over_everything_is_its_caption(model, apply_prompts, layout, sample, encode):
    """With no share for the global prompt the picture is that of the caption; the negative rows are their own."""
    boxes = layout((WHOLE, "a red fox"))
    patched = apply_prompts(model, boxes, global_weight=0.0, end_percent=1.0)
    assert torch.allclose(sample(patched), sample(model, positive=encode("a red fox")), atol=1e-4)


def test_the_global_prompts_own_words_change_nothing(model, apply_prompts, layout, sample):
    boxes = layout(((0.1, 0.2, 0.6, 0.9), "a photo of a forest"), ((0.4, 0.1, 0.9, 0.5), "a photo of a forest"))
    assert torch.allclose(sample(apply_prompts(model, boxes, end_percent=1.0)), sample(model), atol=1e-4)
    others = layout(*((instance.box, "a red fox") for instance in boxes.instances))
    assert not torch.allclose(sample(apply_prompts(model, others, end_percent=1.0)), sample(model), atol=1e-3)


def test_two_boxes_share_a_picture(model, apply_prompts, two_boxes, sample, spy):
    patched, calls = spy(apply_prompts(model, two_boxes, end_percent=1.0))
    assert not torch.allclose(sample(patched), sample(model), atol=1e-3)
    assert calls[0].ours[0].reading.own == [True, True, False, False]


def test_more_boxes_than_any_adapter_has_slots(model, apply_prompts, layout, sample):
    many = layout(*(((i / 40, 0.0, (i + 2) / 40, 1.0), f"number {i}") for i in range(35)))
    last_apart = layout(
        *((instance.box, instance.caption if i < 34 else "a red fox") for i, instance in enumerate(many.instances))
    )
    all_of_them, but_one = (sample(apply_prompts(model, boxes), steps=1) for boxes in (many, last_apart))
    assert torch.isfinite(all_of_them).all() and not torch.equal(all_of_them, but_one)


def test_in_some_blocks(model, apply_prompts, two_boxes, sample):
    """The last one's part is neither nothing nor the whole."""
    everywhere, plain = sample(apply_prompts(model, two_boxes)), sample(model)
    assert torch.equal(sample(apply_prompts(model, two_boxes, blocks="0-15")), everywhere)
    last = sample(apply_prompts(model, two_boxes, blocks=" 15 "))
    assert not torch.allclose(last, plain, atol=1e-4) and not torch.allclose(last, everywhere, atol=1e-3)


@pytest.mark.parametrize(
    "blocks, sentence",
    [
        ("double", "blocks holds 'double'; it must be all, or numbers and ranges such as 0-15, 4. Correct it."),
        ("1, 9-4", "blocks holds '9-4'; it must be all, or numbers"),
        ("-1", "blocks holds '-1'; it must be all, or numbers"),
        ("3-16", r"blocks names 16, and this model \(.*\) has 16 blocks, 0 to 15. Correct it."),
    ],
)
def test_blocks_that_there_are_not(model, apply_prompts, two_boxes, blocks, sentence):
    with pytest.raises(ValueError, match=f"Apply ROI Prompts: {sentence}"):
        apply_prompts(model, two_boxes, blocks=blocks)


def test_it_stacks_with_the_adapter(model, apply, apply_prompts, two_boxes, layout, sample):
    one = apply_prompts(apply(model, two_boxes), layout(((0.5, 0.5, 1.0, 1.0), "a stone")), end_percent=1.0)
    assert not torch.allclose(sample(one), sample(apply(model, two_boxes)), atol=1e-3)


@pytest.fixture(scope="module")
def sdxl():
    return tiny_models.patcher(tiny_models.sdxl_model())


def test_an_sdxl_shaped_unet(pack, sdxl, apply_prompts, two_boxes, layout, sample, spy, encode):
    """Transformers of depth 2 and 3, linear projections, text on two levels only."""
    patched, calls = spy(apply_prompts(sdxl, two_boxes, end_percent=1.0))
    assert not torch.allclose(sample(patched), sample(sdxl), atol=1e-3)
    assert calls[0].ours and len(pack.module("nodes.patch.hosts").host_of(sdxl).blocks) == 28
    whole = apply_prompts(sdxl, layout((WHOLE, "a red fox")), global_weight=0.0, end_percent=1.0)
    fox = [[encode("a red fox")[0][0], encode("a photo of a forest")[0][1]]]  # SDXL also reads the pooled prompt
    assert torch.allclose(sample(whole), sample(sdxl, positive=fox), atol=1e-4)
    assert torch.equal(sample(apply_prompts(sdxl, two_boxes, strength=0.0)), sample(sdxl))


@pytest.mark.parametrize(
    ("make", "unet"), [(tiny_models.sd15_model, tiny_models.SD15), (tiny_models.sdxl_model, tiny_models.SDXL)]
)
def test_a_models_blocks_are_those_that_its_description_makes(pack, make, unet):
    """An adapter for a UNet is made from ComfyUI's description of it, and used in the UNet itself."""
    wanted = pack.module("roictrl_core.config").AdapterConfig.for_unet(unet).blocks
    host = pack.module("nodes.patch.hosts.unet").UNet(make(unet).diffusion_model)
    found = [(block.name, block.channels, block.heads, block.level) for block in host.blocks]
    assert found == [(block.name, block.channels, block.heads, block.level) for block in wanted]


@pytest.mark.parametrize("which", ["sd15", "sdxl"])
def test_with_an_own_pass_a_box_is_its_crop_sampled_alone(
    which, request, bare, model, apply_prompts, layout, sample, encode
):
    """Euler, one box, without margin and feather."""
    model = model if which == "sd15" else request.getfixturevalue("sdxl")
    box, cut = (0.25, 0.25, 0.75, 0.75), (..., slice(4, 12), slice(6, 18))  # of 16 x 24 cells
    whole = {"global_weight": 1.0, "end_percent": 1.0, "own_pass": 1.0, "own_margin": 0.0, "own_patch": 0.0}
    positive = with_size(encode("a photo of a forest"))
    got = sample(apply_prompts(model, layout((box, "a red fox")), **whole), positive, with_size(encode("blurry")))
    noise = comfy.sample.prepare_noise(torch.zeros(1, 4, 16, 24), 0)[cut]
    prompts = with_size(encode("a red fox")), with_size(encode("blurry"))
    alone = comfy.sample.sample(
        model, noise, 2, 5.0, "euler", "normal", *prompts, torch.zeros_like(noise), disable_pbar=True, seed=0
    )
    assert torch.allclose(got[cut], alone, atol=1e-4)
    assert not torch.allclose(got[cut], sample(model, positive, with_size(encode("blurry")))[cut], atol=1e-2)


def with_size(prompt):
    """SDXL is told how large the picture is."""
    return [[tensor, {**others, "width": 192, "height": 128}] for tensor, others in prompt]


def test_own_passes_are_numbered_as_the_samplers_lists_are(model, two_boxes, apply_prompts, sample):
    """Packs with image prompts keep one for the prompt and one for the negative, by that number."""
    seen = []

    def patch(n, context, value, options):
        seen.append(tuple(options["cond_or_uncond"]))
        return n, context, value

    patched = model.clone()
    patched.set_model_attn2_patch(patch)
    sample(apply_prompts(patched, two_boxes, own_pass=1.0, own_patch=0.0))
    assert {number for numbers in seen for number in numbers} == {0, 1}


def test_an_image_prompt_in_own_passes_is_told_whose_rows_it_gets(model, layout, apply_prompts, sample, encode):
    """A box of the whole picture, alone, with image tokens of their own for the negative pass."""
    prompted = on(model, ImagePrompt({"seeds": [7]}))
    settings = {"own_pass": 1.0, "own_patch": 0.0, "own_margin": 0.0, "global_weight": 1.0, "end_percent": 1.0}
    twins = layout(((0, 0, 1, 1), "a blue bird"), ((0, 0, 1, 1), "a red fox"))
    got, want = sample(apply_prompts(prompted, twins, **settings)), sample(prompted, encode("a red fox"))
    assert float((got - want).abs().max() / want.abs().max()) < 1e-5
