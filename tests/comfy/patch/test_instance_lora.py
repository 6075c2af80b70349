"""Instance LoRA: a LoRA in one box alone, exactly where the box reads its caption."""

from __future__ import annotations

import comfy.sd
import pytest
import torch

from . import loras

READS = r"\.attn2\."
FULL = (0.0, 0.0, 1.0, 1.0)
LEFT, RIGHT = (0.05, 0.1, 0.4, 0.9), (0.66, 0.0, 1.0, 0.8)
P = "diffusion_model."


def close(got, want):
    return float((got - want).abs().max() / want.abs().max())


@pytest.fixture
def parts(base):
    """A LoRA of the cross-attention and the text encoder."""
    clip = base.clip.cond_stage_model.state_dict()
    return {**loras.tensors(base.weights, READS, prefix=P), **loras.text_encoder(clip)}


def by_core(base, model, *files):
    """Load LoRA, one after the other: model and CLIP."""
    clip = base.clip
    for tensors in files:
        model, clip = comfy.sd.load_lora_for_models(model, clip, dict(tensors), 1.0, 1.0)
    return model, clip


def first_blocks(model, run):
    """What the first transformer block gives, in every call."""
    block, found = model.model.diffusion_model.input_blocks[1][1].transformer_blocks[0], []
    hook = block.register_forward_hook(lambda module, inputs, output: found.append(output.clone()))
    try:
        run()
    finally:
        hook.remove()
    return found


def test_a_box_of_the_whole_picture_is_the_ordinary_lora(
    base, model, layout, apply_prompts, sample, lora_file, add_lora, parts
):
    """Caption, own projections and uncond rows: all that a box reads is read as by a model under the LoRA."""
    name = lora_file("whole.safetensors", parts)
    boxes = add_lora(layout((FULL, "a red fox")), "1", name)
    settings = {"global_weight": 0.0, "end_percent": 1.0}
    got = sample(apply_prompts(model, boxes, **settings))
    patched, clip = by_core(base, model, parts)
    want = sample(patched, clip.encode_from_tokens_scheduled(clip.tokenize("a red fox")))
    without = sample(apply_prompts(model, layout((FULL, "a red fox")), **settings))
    assert close(got, want) < 1e-5 < 1e-2 < close(without, want)


@pytest.mark.parametrize("kind", ["lora", "loha", "lokr"])
def test_every_kind_is_what_core_makes_of_it(
    base, model, layout, apply_prompts, sample, lora_file, add_lora, encode, kind
):
    tensors = loras.tensors(base.weights, READS, kind, prefix=P)
    boxes = add_lora(layout((FULL, "a red fox")), "1", lora_file(f"{kind}.safetensors", tensors))
    got = sample(apply_prompts(model, boxes, global_weight=0.0, end_percent=1.0))
    patched, _ = by_core(base, model, tensors)
    want = sample(patched, encode("a red fox"))
    assert close(got, want) < 1e-5 < 1e-3 < close(sample(model, encode("a red fox")), want)


def test_several_loras_in_a_box_add_up(base, model, layout, apply_prompts, sample, lora_file, add_lora, parts):
    other = loras.tensors(base.weights, r"attn2\.to_[qk]", seed=9, prefix=P)
    boxes = add_lora(layout((FULL, "a red fox")), "all", lora_file("one.safetensors", parts))
    boxes = add_lora(boxes, "a red fox", lora_file("other.safetensors", other))
    got = sample(apply_prompts(model, boxes, global_weight=0.0, end_percent=1.0))
    patched, clip = by_core(base, model, parts, other)
    assert close(got, sample(patched, clip.encode_from_tokens_scheduled(clip.tokenize("a red fox")))) < 1e-5


@pytest.fixture
def closed(adapter):
    """The adapter without its attention to the box tokens, which hands everything on within a block."""
    gates = [gate for name, gate in adapter.model.named_parameters() if name.endswith("alpha_coord_self_attn")]
    kept = [gate.clone() for gate in gates]
    for gate in gates:
        gate.zero_()
    yield
    for gate, value in zip(gates, kept, strict=True):
        gate.copy_(value)


@pytest.mark.parametrize("which", ["apply", "apply_prompts"])
def test_in_the_first_block_nothing_changes_outside_the_boxes(
    request, which, base, model, layout, sample, lora_file, add_lora, parts, closed
):
    """Two boxes with a LoRA each."""
    run = request.getfixturevalue(which)
    boxes = layout((LEFT, "a red fox"), (RIGHT, "a blue bird"))
    other = loras.tensors(base.weights, READS, seed=7, prefix=P)
    both = add_lora(
        add_lora(boxes, "1", lora_file("left.safetensors", parts)), "a blue bird", lora_file("right.safetensors", other)
    )
    plain, changed = (first_blocks(model, lambda b=b: sample(run(model, b), steps=1)) for b in (boxes, both))
    columns = (torch.arange(24) + 0.5) / 24
    inside = ((columns < LEFT[2]), (columns > RIGHT[0]))
    outside = (columns > LEFT[2] + 1 / 24) & (columns < RIGHT[0] - 1 / 24)
    for before, after in zip(plain, changed, strict=True):
        moved = (after - before).unflatten(1, (16, 24)).abs().amax((0, 1, 3))
        assert outside.sum() >= 4 and not moved[outside].any()
        assert all(moved[there].max() > 1e-3 for there in inside)


def test_roictrl_reads_under_the_lora_in_its_rois(
    base, model, layout, apply, sample, lora_file, add_lora, parts, monkeypatch, pack
):
    """In the first block, whose input is the same, ROIs hold what they hold in a model under the LoRA."""
    kind, found = pack.module("roictrl_core.fuser").ROIFuser, []

    def noting(self, *args, own=kind.instance_features):
        found.append(own(self, *args))
        return found[-1]

    monkeypatch.setattr(kind, "instance_features", noting)
    boxes = layout((LEFT, "a red fox"), ((0.3, 0.2, 0.9, 0.7), "a blue bird"))
    sample(apply(model, add_lora(boxes, "all", lora_file("rois.safetensors", parts))), steps=1)
    got, found[:] = found[0], []
    patched, clip = by_core(base, model, parts)
    sample(apply(patched, boxes, clip=clip), steps=1)
    assert close(got, found[0]) < 1e-5
    found.clear()
    sample(apply(model, boxes), steps=1)
    assert close(got, found[0]) > 1e-2


def test_only_the_box_with_the_lora_reads_under_it(
    base, model, layout, apply, sample, lora_file, add_lora, parts, monkeypatch, pack
):
    kind, found = pack.module("roictrl_core.fuser").ROIFuser, []

    def noting(self, n, plan, attention, own=kind.instance_features):
        found.append(
            own(self, n, plan, attention).split([g.bins for g in plan.groups for _ in range(g.stop - g.start)])
        )
        return torch.cat(found[-1])

    monkeypatch.setattr(kind, "instance_features", noting)
    boxes = layout((LEFT, "a red fox"), (RIGHT, "a blue bird"))
    sample(apply(model, boxes), steps=1)
    plain, found[:] = found[0], []
    sample(apply(model, add_lora(boxes, "2", lora_file("second.safetensors", parts))), steps=1)
    moved = [close(after, before) for before, after in zip(plain, found[0], strict=True)]
    # In the order of rows and boxes.
    assert max(moved[0::2]) < 1e-5 and min(moved[1::2]) > 1e-3


def test_strength_scales_and_zero_leaves_the_picture_to_the_bit(
    model, two_boxes, apply, sample, lora_file, add_lora, parts, caplog
):
    name, plain = lora_file("strength.safetensors", parts), sample(apply(model, two_boxes))
    none = add_lora(two_boxes, "all", name, strength_model=0.0, strength_clip=0.0)
    assert torch.equal(sample(apply(model, none)), plain)
    assert "Instance LoRA: Both strengths are 0, so the LoRA 'strength.safetensors' is left out." in caplog.text
    pictures = [
        sample(apply(model, add_lora(two_boxes, "1", name, strength_model=s, strength_clip=0.0))) for s in (0.5, 1)
    ]
    assert 0 < (pictures[0] - plain).norm() < (pictures[1] - plain).norm()
    text_alone = sample(apply(model, add_lora(two_boxes, "1", name, strength_model=0.0)))
    assert not torch.equal(text_alone, plain)


def test_no_pass_more_and_nothing_stays_behind(model, two_boxes, apply, sample, spy, lora_file, add_lora, parts):
    name, plain = lora_file("passes.safetensors", parts), sample(model)
    boxes = add_lora(two_boxes, "1", name)
    watched, calls = spy(apply(model, boxes))
    sample(watched)
    assert len(calls) == 2 and not model.patches
    layers = model.model.diffusion_model.modules()
    assert not any("forward" in layer.__dict__ for layer in layers)
    assert torch.equal(sample(model), plain) and not two_boxes.instances[0].loras


def test_what_cannot_act_is_said(
    base, model, two_boxes, apply, lora_file, add_lora, parts, caplog, comfy, apply_gligen
):
    wrong = {key: torch.randn(9, 7) for key in loras.tensors(base.weights, READS, prefix=P) if "alpha" not in key}
    who = r"instance 2 \('a blue bird'\)"
    other = rf"nothing in the LoRA 'other.safetensors' of {who} belongs to this model \(SD15\) or its CLIP. Choose one"
    wide = f"the LoRA 'wide.safetensors' of {who} was made for another model: its layer .* has another size in this one"
    for name, tensors, sentence in (
        ("other.safetensors", {"some.weight": torch.zeros(2)}, other),
        ("wide.safetensors", wrong, wide),
    ):
        with pytest.raises(ValueError, match=f"^Apply ROICtrl: {sentence}"):
            apply(model, add_lora(two_boxes, "2", lora_file(name, tensors)))
    (comfy.base / "models" / "loras" / "broken.safetensors").write_bytes(b"no tensors here")
    with pytest.raises(ValueError, match="Instance LoRA: the file 'broken.safetensors' in models/loras cannot be read"):
        add_lora(two_boxes, "2", "broken.safetensors")
    half = {key: tensor for key, tensor in loras.tensors(base.weights, READS, prefix=P).items() if "down" not in key}
    with pytest.raises(ValueError, match=rf"^Apply ROICtrl: the LoRA 'half.safetensors' of {who} is damaged"):
        apply(model, add_lora(two_boxes, "2", lora_file("half.safetensors", half)))
    nan = {key: tensor * float("nan") for key, tensor in parts.items()}
    with pytest.raises(ValueError, match="Instance LoRA: the file 'nan.safetensors' .* values that are not numbers"):
        add_lora(two_boxes, "2", lora_file("nan.safetensors", nan))
    with pytest.raises(ValueError, match="Instance LoRA: There is no instance 'a cat' in the layout"):
        add_lora(two_boxes, "a cat", "broken.safetensors")
    with pytest.raises(ValueError, match="Instance LoRA: instance is empty"):
        add_lora(two_boxes, " ", "broken.safetensors")
    with pytest.raises(ValueError, match="Instance LoRA: The file 'gone.safetensors' is not in"):
        add_lora(two_boxes, "1", "gone.safetensors")
    apply(
        model, add_lora(two_boxes, "1", lora_file("self.safetensors", loras.tensors(base.weights, "attn1", prefix=P)))
    )
    assert "The LoRA 'self.safetensors' of instance 1 ('a red fox') changes no layer that reads captions" in caplog.text
    apply_gligen(model, add_lora(two_boxes, "1", lora_file("text.safetensors", parts)))
    assert "acts on the encoding of its caption alone" in caplog.text


def test_json_names_the_lora_that_it_leaves_out(two_boxes, lora_file, add_lora, parts, caplog):
    boxes = add_lora(two_boxes, "2", lora_file("named.safetensors", parts))
    boxes.to_json()
    assert "The LoRA 'named.safetensors' of instance 2 ('a blue bird') exists only while a workflow runs" in caplog.text
    assert boxes == two_boxes and len(boxes.left_out()) == 1
