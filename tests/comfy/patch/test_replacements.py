"""Other packs on attn2, by small stand-ins: image prompts with masks and per picture, attention couple, NegPip.

What the ROIs read is seen where they leave the one transformer block of a small UNet: ``features(model)[row, box]``.
"""

from __future__ import annotations

import comfy.ldm.modules.attention as comfy_attention
import pytest
import torch

from devtools import tiny_models

from .image_prompts import ImagePrompt, on

ONE_BLOCK = {
    **tiny_models.SD15,
    "channel_mult": [1],
    "num_res_blocks": [1],
    "transformer_depth": [1],
    "transformer_depth_output": [0, 0],
    "transformer_depth_middle": -1,
}
NEGATIVE, CAPTION = 0, 1  # chunks in the order of the sampler's batch
LEFT, RIGHT = (0.05, 0.1, 0.45, 0.9), (0.55, 0.1, 0.95, 0.9)
BINS = 25 * 25  # of a ROI at the finest level


@pytest.fixture(scope="module")
def model():
    return tiny_models.patcher(tiny_models.sd15_model(ONE_BLOCK))


@pytest.fixture(scope="module")
def boxes(apply, adapter_for, layout):
    """Apply ROICtrl with a fox on the left and a bird on the right."""
    adapter, pair = adapter_for(ONE_BLOCK), layout((LEFT, "a red fox"), (RIGHT, "a blue bird"))
    return lambda model, **settings: apply(model, pair, adapter=adapter, **settings)


@pytest.fixture
def features(model, sample):
    """features(model) -> [rows, boxes, bins, C] in the last step.

    Cross-attention of the ROIs, output projection included.
    """
    layer = model.model.diffusion_model.input_blocks[1][1].transformer_blocks[0].attn2.to_out

    def run(patched, rows=2, steps=1, **settings):
        found = []
        handle = layer.register_forward_hook(lambda module, inputs, output: found.append(output))
        try:
            sample(patched, steps=steps, **settings)
        finally:
            handle.remove()
        rois = torch.cat([part for part in found if part.shape[1] == BINS])
        return rois.unflatten(0, (steps, rows, 2))[-1]

    return run


def mask_of(box) -> torch.Tensor:
    """[128, 192], the picture's pixels: 1 in the box."""
    mask = torch.zeros(128, 192)
    x1, y1, x2, y2 = (round(edge * side) for edge, side in zip(box, (192, 128) * 2, strict=True))
    mask[y1:y2, x1:x2] = 1
    return mask


def test_a_masked_image_prompt_stays_in_its_box(model, boxes, features):
    plain = features(boxes(model))
    everywhere = features(boxes(on(model, ImagePrompt({"seeds": [7]})))) - plain
    masked = features(boxes(on(model, ImagePrompt({"seeds": [7], "mask": mask_of(LEFT)})))) - plain
    assert masked[:, 1].abs().max() < 1e-5
    for row in (NEGATIVE, CAPTION):
        assert float(masked[row, 0].norm()) == pytest.approx(float(everywhere[row, 0].norm()), rel=0.2)
        assert torch.cosine_similarity(masked[row, 0].flatten(), everywhere[row, 0].flatten(), 0) > 0.9


def test_one_image_prompt_per_box(model, boxes, features):
    def both(left, right):
        return features(
            boxes(
                on(
                    model,
                    ImagePrompt({"seeds": [left], "mask": mask_of(LEFT)}, {"seeds": [right], "mask": mask_of(RIGHT)}),
                )
            )
        )

    one, other = both(7, 8), both(7, 9)
    assert (one - other)[:, 0].abs().max() < 1e-5 < 0.1 < (one - other)[:, 1].abs().max()


def test_a_masked_image_prompt_with_the_negative_pass_left_alone(model, boxes, features):
    prompt = ImagePrompt({"seeds": [7], "mask": mask_of(RIGHT)})
    alone = features(boxes(on(model, prompt), uncond_boxes="off"), rows=1)
    assert torch.allclose(alone[0], features(boxes(on(model, prompt)))[CAPTION], atol=1e-5)


def test_a_mask_that_sets_in_later(model, boxes, features):
    """Another image prompt acts from the beginning, without a mask."""

    def late(seed):
        prompt = ImagePrompt({"seeds": [5]}, {"seeds": [seed], "mask": mask_of(LEFT), "until": 5.0})
        return features(boxes(on(model, prompt)), steps=2)

    one, other = late(7), late(8)
    assert (one - other)[:, 1].abs().max() < 1e-5 < 0.1 < (one - other)[:, 0].abs().max()


def test_prompts_without_an_adapter_read_the_mask_too(model, apply_prompts, layout, sample):
    """Boxes whose captions are the global prompt change nothing, mask or not."""
    masked = on(model, ImagePrompt({"seeds": [7], "mask": mask_of(LEFT)}))
    words = layout((LEFT, "a photo of a forest"), (RIGHT, "a photo of a forest"))
    assert torch.allclose(sample(apply_prompts(masked, words, end_percent=1.0)), sample(masked), atol=1e-4)


def test_each_picture_of_a_batch_has_its_own_image_prompt(model, boxes, features):
    """Where an image prompt knows pictures by name.

    The noise of the second picture is another, so both seeds are compared in one batch.
    """
    shape = {"shape": (2, 4, 16, 24), "rows": 4}
    batch = features(boxes(on(model, ImagePrompt({"seeds": [7, 8]}))), **shape)
    first, second = (features(boxes(on(model, ImagePrompt({"seeds": [seed]}))), **shape) for seed in (7, 8))
    for row, expected in enumerate((first, second, first, second)):
        assert torch.allclose(batch[row], expected[row], atol=1e-5)
    assert not torch.allclose(first[1], second[1], atol=0.1)


@pytest.mark.parametrize("uncond_boxes", ["negative prompt", "off"])
def test_rois_are_called_by_the_uuid_of_their_prompt(model, boxes, sample, uncond_boxes):
    seen, prompt = [], ImagePrompt({"seeds": [7]})

    def noting(q, k, v, options):
        seen.append((q.shape[1], tuple(options["cond_or_uncond"]), tuple(options["uuids"])))
        return prompt(q, k, v, options)

    sample(boxes(on(model, noting), uncond_boxes=uncond_boxes), steps=1)
    (known,) = {(chunks, uuids) for tokens, chunks, uuids in seen if tokens != BINS}
    inside = [(chunks, uuids) for tokens, chunks, uuids in seen if tokens == BINS]
    assert {chunks for chunks, _ in inside} == ({(0,)} if uncond_boxes == "off" else {(0,), (1,)})
    assert all(dict(zip(*known, strict=True))[chunks[0]] == uuids[0] and len(uuids) == 1 for chunks, uuids in inside)


class AttentionCouple:
    """Rows of the positive prompt read the texts of regions, whatever they are handed."""

    def __init__(self, attn2, *regions) -> None:
        self.attn2, self.regions = attn2, regions  # (text [1, L, c], mask)

    def __call__(self, q, k, v, options):
        rows, size = q.shape[0] // len(options["cond_or_uncond"]), options["activations_shape"][-2:]
        parts = []
        for number, index in enumerate(options["cond_or_uncond"]):
            own = slice(number * rows, (number + 1) * rows)
            if index == 1:
                parts.append(comfy_attention.optimized_attention(q[own], k[own], v[own], options["n_heads"]))
                continue
            part = 0
            for text, mask in self.regions:
                keys, values = (layer(text).expand(rows, -1, -1) for layer in (self.attn2.to_k, self.attn2.to_v))
                share = torch.nn.functional.interpolate(mask[None, None], tuple(size), mode="nearest").reshape(1, -1, 1)
                part = part + share * comfy_attention.optimized_attention(q[own], keys, values, options["n_heads"])
            parts.append(part)
        return torch.cat(parts)


@pytest.mark.parametrize("regions", [1, 2])
def test_a_replacement_that_reads_texts_of_its_own_leaves_the_captions(
    model, boxes, features, sample, encode, caplog, regions
):
    attn2 = model.model.diffusion_model.input_blocks[1][1].transformer_blocks[0].attn2
    half = mask_of((0.0, 0.0, 0.5, 1.0))
    areas = [torch.ones(128, 192)] if regions == 1 else [half, 1 - half]
    texts = [encode(text)[0][0] for text in ("a lake", "a city")]
    coupled = on(model, AttentionCouple(attn2, *zip(texts, areas, strict=False)))
    assert not torch.allclose(sample(coupled, steps=1), sample(model, steps=1), atol=1e-3)
    assert torch.allclose(features(boxes(coupled)), features(boxes(model)), atol=1e-4)
    sample(boxes(coupled), steps=2)
    assert caplog.text.count("does not read the text that it is handed") == 2  # once in each of the two runs


def test_image_prompts_and_other_kernels_are_not_taken_for_that(model, boxes, sample, caplog):
    for replacement in (
        ImagePrompt({"seeds": [7]}),
        ImagePrompt({"seeds": [7], "mask": mask_of(LEFT)}),
        lambda q, k, v, options: comfy_attention.attention_basic(q, k, v, options["n_heads"]),
    ):
        sample(boxes(on(model, replacement)), steps=1)
    assert "is handed" not in caplog.text


def negpip(model):
    """Keys are the tokens at even places, values those at odd ones."""
    patched = model.clone()
    patched.set_model_attn2_patch(lambda n, context, value, options: (n, context[:, ::2], value[:, 1::2]))
    return patched


def by_two(conditioning, negative_words=()):
    """A conditioning as NegPip's CLIP gives it; the values of ``negative_words`` (places) have the other sign."""
    ((text, extra),) = conditioning
    values = text.clone()
    values[:, list(negative_words)] *= -1
    return [[torch.stack([text, values], 2).flatten(1, 2), extra]]


def test_negpip_with_the_clip_it_was_not_told_of(model, boxes, features, prompts, caplog):
    paired = {"positive": by_two(prompts[0]), "negative": by_two(prompts[1])}
    assert torch.allclose(features(boxes(negpip(model)), **paired), features(boxes(model)), atol=1e-4)
    assert caplog.text.count("by turns as keys and values") == 1


def test_negpip_with_its_own_clip(model, apply, adapter_for, layout, features, prompts, encode, caplog):
    def run(patched, fox):
        pair = layout((LEFT, "", {"conditioning": fox}), (RIGHT, "", {"conditioning": by_two(encode("a blue bird"))}))
        return features(
            apply(patched, pair, adapter=adapter_for(ONE_BLOCK)),
            positive=by_two(prompts[0]),
            negative=by_two(prompts[1]),
        )

    fox = encode("a red fox")
    plain, negative = run(negpip(model), by_two(fox)), run(negpip(model), by_two(fox, negative_words=[2]))
    assert torch.equal(plain[:, 1], negative[:, 1]) and not torch.allclose(
        plain[CAPTION, 0], negative[CAPTION, 0], atol=1e-2
    )
    assert "by turns" not in caplog.text
