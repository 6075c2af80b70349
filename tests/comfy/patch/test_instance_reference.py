"""Instance Reference: an image prompt in one box alone, exactly where the box reads its caption."""

from __future__ import annotations

import pytest
import torch

from devtools import tiny_dits, tiny_models

from .image_prompts import ImagePrompt, on

FULL = (0.0, 0.0, 1.0, 1.0)
LEFT, RIGHT = (0.05, 0.1, 0.4, 0.9), (0.66, 0.0, 1.0, 0.8)
OWN, OTHER = ImagePrompt({"seeds": [7]}), ImagePrompt({"seeds": [9]})


def close(got, want):
    return float((got - want).abs().max() / want.abs().max())


@pytest.fixture
def blocks(pack, base):
    """Where the model reads text, as a pack names the places."""
    host = pack.module("nodes.patch.hosts.unet").UNet(base.model.diffusion_model)
    return [block.key[:2] for block in host.blocks]


@pytest.fixture
def add(pack):
    """Instance Reference as the node executes it."""
    node = pack.module("nodes.instance_reference").InstanceReference
    return lambda layout, instance, model: node.execute(layout, instance, model)[0]


@pytest.mark.parametrize("batch", [1, 2])
def test_a_box_of_the_whole_picture_is_the_ordinary_image_prompt(
    model, layout, apply_prompts, sample, encode, add, blocks, batch
):
    """In the negative pass as well, whose box reads the row's own text."""
    whole, settings = layout((FULL, "a red fox")), {"global_weight": 0.0, "end_percent": 1.0}
    prompted = on(model, OWN, *blocks)
    got = sample(apply_prompts(model, add(whole, "1", prompted), **settings), shape=(batch, 4, 16, 24))
    want = sample(prompted, encode("a red fox"), shape=(batch, 4, 16, 24))
    without = sample(apply_prompts(model, whole, **settings), shape=(batch, 4, 16, 24))
    assert close(got, want) < 1e-5 < 1e-2 < close(without, want)


@pytest.mark.parametrize("which", ["apply", "apply_prompts"])
def test_in_the_first_block_nothing_changes_outside_the_boxes(request, which, model, layout, features_of, add, blocks):
    """Two boxes with an image prompt each; without an adapter, which weighs the boxes together, each is its own."""
    run, boxes = request.getfixturevalue(which), layout((LEFT, "a red fox"), (RIGHT, "a blue bird"))
    first = add(boxes, "1", on(model, OWN, *blocks))
    plain, one, other = (
        features_of(run(model, drawn))
        for drawn in (boxes, *(add(first, "a blue bird", on(model, prompt, *blocks)) for prompt in (OWN, OTHER)))
    )
    columns = (torch.arange(24) + 0.5) / 24
    left, right = columns < LEFT[2] + 1 / 24, columns > RIGHT[0] - 1 / 24  # with a soft edge's cell
    changed = moved(plain, one)
    assert changed[left].any() and changed[right].any() and not changed[~left & ~right].any()
    if which == "apply_prompts":
        assert moved(one, other)[right].any() and not moved(one, other)[~right].any()


def moved(before, after):
    """Which columns of ``[rows, H, W, C]`` differ."""
    return (after - before).abs().amax((0, 1, 3)) > 1e-6


@pytest.fixture
def features_of(model, sample, adapter):
    """features_of(model) -> [rows, H, W, C]: the first transformer block's output in one step, the adapter's attention
    to the box tokens closed, which hands everything on within a block."""
    gates = [gate for name, gate in adapter.model.named_parameters() if name.endswith("alpha_coord_self_attn")]
    kept = [gate.clone() for gate in gates]
    for gate in gates:
        gate.zero_()
    block = model.model.diffusion_model.input_blocks[1][1].transformer_blocks[0]

    def run(patched):
        found = []
        hook = block.register_forward_hook(lambda module, inputs, output: found.append(output.clone()))
        try:
            sample(patched, steps=1)
        finally:
            hook.remove()
        return torch.cat(found).unflatten(1, (16, 24))

    yield run
    for gate, value in zip(gates, kept, strict=True):
        gate.copy_(value)


def test_the_whole_pictures_image_prompt_gives_way_in_a_box_with_its_own(
    model, layout, apply_prompts, sample, encode, add, blocks
):
    settings = {"global_weight": 0.0, "end_percent": 1.0}
    whole = add(layout((FULL, "a red fox")), "all", on(model, OWN, *blocks))
    got = sample(apply_prompts(on(model, OTHER, *blocks), whole, **settings))
    assert close(got, sample(on(model, OWN, *blocks), encode("a red fox"))) < 1e-5


def test_blocks_that_it_leaves_out_are_the_models_own(model, layout, apply_prompts, sample, encode, add, blocks):
    """A pack's "style" is in some blocks alone."""
    some = on(model, OWN, *blocks[1::2])
    whole = add(layout((FULL, "a red fox")), "1", some)
    got = sample(apply_prompts(model, whole, global_weight=0.0, end_percent=1.0))
    assert close(got, sample(some, encode("a red fox"))) < 1e-5


def test_beside_a_lora_in_the_same_box(
    base, model, layout, apply_prompts, sample, add, add_lora, lora_file, blocks, encode
):
    import comfy.sd

    from . import loras

    tensors = loras.tensors(base.weights, r"\.attn2\.", prefix="diffusion_model.")
    whole = add_lora(layout((FULL, "a red fox")), "1", lora_file("beside.safetensors", tensors))
    whole = add(whole, "1", on(model, OWN, *blocks))
    got = sample(apply_prompts(model, whole, global_weight=0.0, end_percent=1.0))
    patched, _ = comfy.sd.load_lora_for_models(model, base.clip, dict(tensors), 1.0, 1.0)
    assert close(got, sample(on(patched, OWN, *blocks), encode("a red fox"))) < 1e-5


def test_a_mask_is_said(model, two_boxes, apply, sample, add, blocks, caplog):
    mask = torch.zeros(128, 192)
    mask[:, :96] = 1
    sample(apply(model, add(two_boxes, "1", on(model, OWN, *blocks))))
    assert "knows places" not in caplog.text
    sample(apply(model, add(two_boxes, "2", on(model, ImagePrompt({"seeds": [7], "mask": mask}), *blocks))))
    assert caplog.text.count("The image prompt of instance 2 ('a blue bird') knows places") == 1


def test_one_that_does_not_read_the_caption_is_said(model, two_boxes, apply, sample, add, blocks, caplog):
    """As attention couple's kind does not."""

    def deaf(q, k, v, options):
        return q * 0.5

    sample(apply(model, add(two_boxes, "2", on(model, deaf, *blocks))))
    assert caplog.text.count("The image prompt of instance 2 ('a blue bird') does not read the text") == 1


def test_what_acts_otherwise_than_meant_is_said(model, two_boxes, apply, apply_prompts, add, blocks, caplog):
    lender = on(model, OWN, *blocks)
    boxes = add(two_boxes, "2", lender)
    apply(model, boxes)
    assert not caplog.text
    apply(lender, boxes)
    assert "The model has the image prompt of a box on the whole picture as well" in caplog.text
    apply_prompts(model, boxes, own_pass=0.5)
    assert "While a box is denoised by itself (own_pass) its image prompt does not act" in caplog.text
    apply(model, add(two_boxes, "2", on(model, OWN, ("input", 99))))
    assert "The image prompt of instance 2 ('a blue bird') is in no block of this model" in caplog.text


def test_what_cannot_act_is_said(pack, model, two_boxes, apply, apply_gligen, add, blocks, caplog):
    who = r"instance 2 \('a blue bird'\)"
    with pytest.raises(ValueError, match="^Instance Reference: the model input has no image prompt. Connect the MODEL"):
        add(two_boxes, "2", model)
    with pytest.raises(
        ValueError, match="^Instance Reference: the model is FLUX.1, and image prompts act inside boxes"
    ):
        add(two_boxes, "2", tiny_dits.build("flux"))
    with pytest.raises(ValueError, match="^Instance Reference: There is no instance 'a cat' in the layout"):
        add(two_boxes, "a cat", on(model, OWN))
    small = tiny_models.patcher(tiny_models.sd15_model({**tiny_models.SD15, "model_channels": 64}))
    with pytest.raises(ValueError, match=f"^Apply ROICtrl: the image prompt of {who} was made for another model"):
        apply(model, add(two_boxes, "2", on(small, OWN)))
    boxes = add(two_boxes, "2", on(model, OWN, *blocks))
    apply_gligen(model, boxes)
    assert "The image prompt of instance 2 ('a blue bird') has no effect here" in caplog.text


def test_nothing_stays_behind_and_json_names_it(pack, model, two_boxes, apply, sample, add, blocks):
    plain = sample(model)
    boxes = add(two_boxes, "2", on(model, OWN, *blocks))
    sample(apply(model, boxes))
    assert torch.equal(sample(model), plain) and two_boxes.instances[1].reference is None
    notes = [note.sentence() for i, one in enumerate(boxes.instances, 1) for note in one.left_out(i)]
    assert notes == [
        "The image prompt of instance 2 ('a blue bird') exists only while a workflow runs and is left out of the JSON. "
        "Add it again with Instance Reference."
    ]
