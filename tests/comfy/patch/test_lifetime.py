"""Windows, clones, repeats, interrupts, stacked Applies: state belongs to one sampling run."""

from __future__ import annotations

import comfy.model_management
import pytest
import torch


def test_the_applys_window(model, apply, two_boxes, sample, spy):
    patched, calls = spy(apply(model, two_boxes, start_percent=0.3, end_percent=0.7))
    sample(patched, steps=4)
    sampling = model.get_model_object("model_sampling")
    high, low = (sampling.percent_to_sigma(p) for p in (0.3, 0.7))
    assert [bool(call.ours) for call in calls] == [low <= call.sigma <= high for call in calls]
    assert {bool(call.ours) for call in calls} == {True, False}


def test_an_instances_window_keeps_its_slot(model, apply, layout, sample, spy):
    boxes = layout(((0.0, 0.0, 0.5, 1.0), "early", {"end": 0.5}), ((0.5, 0.0, 1.0, 1.0), "always"))
    patched, calls = spy(apply(model, boxes))
    sample(patched, steps=4)
    seen = [tuple(call.ours[0].instances.token_mask[0, :2].tolist()) for call in calls]
    assert seen[0] == (True, True) and seen[-1] == (False, True)
    assert all(call.ours[0].instances.pairs[-1].slot == 1 for call in calls)


def test_an_instances_strength(model, apply, layout, sample):
    box = (0.1, 0.1, 0.9, 0.9)
    pictures = [sample(apply(model, layout((box, "a fox", {"strength": strength})))) for strength in (0.25, 1.0)]
    assert not torch.allclose(*pictures, atol=1e-3)


def test_strength_blends_linearly_in_a_block(model, apply, two_boxes, one_call, prompts):
    """A weak strength changes the UNet's output by that much of a tiny strength's effect, to first order."""
    x = torch.randn(1, 4, 16, 24, generator=torch.Generator().manual_seed(5))
    base = one_call(model, x, 500, prompts[0])
    weak, weaker = (one_call(apply(model, two_boxes, strength=s), x, 500, prompts[0]) - base for s in (0.02, 0.01))
    assert weak.abs().max() > 1e-4 and torch.allclose(weak, 2 * weaker, atol=float(weak.abs().max()) * 0.1)


def test_a_repeat_and_a_clone_give_the_same_picture(model, apply, two_boxes, sample):
    patched = apply(model, two_boxes)
    first = sample(patched)
    assert not torch.equal(first, sample(model))
    assert torch.equal(sample(patched), first)
    assert torch.equal(sample(patched.clone()), first)
    assert torch.equal(sample(apply(model, two_boxes)), first)
    assert not torch.equal(sample(patched, seed=1), first)


def test_a_change_of_the_layout_leaves_other_clones_alone(model, apply, two_boxes, layout, sample):
    one, first = apply(model, two_boxes), None
    first = sample(one)
    other = apply(model, layout(((0.3, 0.3, 0.6, 0.6), "a stone")))
    assert not torch.equal(sample(other), first)
    assert torch.equal(sample(one), first)


def test_an_interrupt_leaves_no_state(model, apply, two_boxes, sample):
    patched = apply(model, two_boxes)
    options = patched.model_options["transformer_options"]
    first, keys = sample(patched), set(options)
    assert not torch.equal(first, sample(model))

    def interrupt(step, denoised, x, total):
        raise comfy.model_management.InterruptProcessingException()

    with pytest.raises(comfy.model_management.InterruptProcessingException):
        sample(patched, callback=interrupt)
    assert set(options) == keys and not any(key.startswith("roictrl") for key in options)
    assert torch.equal(sample(patched), first)


def test_nothing_of_a_run_outlives_it(pack, model, apply, two_boxes, sample):
    import gc

    kinds = tuple(
        getattr(pack.module(f"nodes.patch.{name}"), kind)
        for name, kind in (
            ("run", "Run"),
            ("run", "Batch"),
            ("run", "Call"),
            ("points", "Reading"),
            ("methods.captioned", "CaptionedSession"),
        )
    )

    def alive() -> int:
        gc.collect()
        return sum(isinstance(thing, kinds) for thing in gc.get_objects())

    during = []
    sample(apply(model, two_boxes), callback=lambda *_: during.append(alive()))
    assert min(during) > 0 and alive() == 0


def test_keys_and_values_of_captions_are_made_once(model, apply, two_boxes, sample, spy, base):
    """Steps after the first call to_k on the global text alone."""
    attn2 = base.model.diffusion_model.input_blocks[1][1].transformer_blocks[0].attn2
    lengths, hook = (
        [],
        attn2.to_k.register_forward_hook(lambda module, inputs, output: lengths.append(inputs[0].shape[0])),
    )
    try:
        sample(apply(model, two_boxes), steps=3)
    finally:
        hook.remove()
    assert lengths == [2, 3] + [2, 2]  # the rows' own text each step; two captions and the negative once


class Recorder:
    """A method of the pack that notes what it is given and gives after cross-attention."""

    def __init__(self, method) -> None:
        self.method, self.models, self.blocks = method, method.models, []

    def open(self, run):
        session = self.method.open(run)

        def noting(call):
            points = session(call)

            def after(h, a, n, spot):
                given = points.after(h, a, n, spot)
                self.blocks.append((spot.block.name, h.clone(), a.clone(), n.clone(), given.clone()))
                return given

            return points._replace(after=after)

        return noting


def test_a_second_apply_takes_the_first_ones_output_as_its_a(pack, model, adapter, base, layout, sample):
    made, control, hooks = (pack.module(f"nodes.{name}") for name in ("slots", "patch.control", "patch.hooks"))
    recorders = []
    for boxes in (layout(((0.0, 0.0, 0.5, 1.0), "left")), layout(((0.5, 0.0, 1.0, 1.0), "right"))):
        slots, _ = made.slots_of(pack.module("nodes.patch.hosts").host_of(model), base.clip, boxes, 30, "", 0)
        recorders.append(Recorder(pack.module("nodes.patch.methods.roictrl").ROICtrl(adapter.model, adapter)))
        model = hooks.attach(model, control.Control("test", slots), recorders[-1])
    sample(model, steps=1)
    first, second = (recorder.blocks for recorder in recorders)
    assert len(first) == len(second) == 16
    for (name1, h1, a1, n1, given), (name2, h2, a2, n2, _) in zip(first, second, strict=True):
        assert name1 == name2 and torch.equal(h1, h2) and torch.equal(n1, n2)
        assert torch.equal(a2, given) and not torch.equal(a1, a2)


def test_stacked_applies_load_the_adapter_once(model, apply, two_boxes, layout, sample):
    both = apply(apply(model, two_boxes), layout(((0.0, 0.0, 0.3, 0.3), "a third")))
    assert [len(models) for models in both.additional_models.values()] == [1]
    assert not torch.equal(sample(both), sample(apply(model, two_boxes)))


def test_shuffled_slots_come_from_a_seed(model, apply, two_boxes, sample):
    straight, one, two, again = (sample(apply(model, two_boxes, slot_shuffle_seed=seed)) for seed in (-1, 1, 2, 1))
    assert torch.equal(one, again) and not torch.equal(one, two) and not torch.equal(one, straight)


def test_two_threads_sample_one_model(model, apply, two_boxes, sample):
    """Core runs conds in threads on several GPUs; two runs at once share nothing either."""
    from concurrent.futures import ThreadPoolExecutor

    patched = apply(model, two_boxes)
    alone = [sample(patched, seed=seed) for seed in (0, 1)]
    assert not torch.equal(alone[0], sample(model))

    def run(seed):
        with torch.inference_mode():
            return sample(patched.clone(), seed=seed)

    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(run, (0, 1)))
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))
