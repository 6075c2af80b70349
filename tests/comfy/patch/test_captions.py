"""Captions encoded together are what each is alone."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture
def captions(pack):
    return pack.module("nodes.captions")


@pytest.fixture
def make_slots(pack):
    return pack.module("nodes.slots").make_slots


class Counting:
    """A CLIP that counts what it is asked to encode."""

    def __init__(self, clip, change=lambda embedding: embedding) -> None:
        self.clip, self.change, self.calls = clip, change, 0

    def tokenize(self, text):
        return self.clip.tokenize(text)

    def encode_from_tokens(self, tokens, return_dict=False):
        self.calls += 1
        embedding = self.change(self.clip.encode_from_tokens(tokens))
        return {"cond": embedding, "pooled_output": None} if return_dict else embedding


TEXTS = [f"a (red:1.{i % 9}) fox number {i}" for i in range(100)] + ["a very long caption " * 30]


def test_together_is_as_alone(captions, make_slots, base, layout):
    clip = Counting(base.clip)
    encoder = captions.CaptionEncoder(clip)
    slots = make_slots(list(enumerate(layout(*[((0, 0, 1, 1), text) for text in TEXTS]).instances, 1)), encoder)
    assert clip.calls < 10
    for text, slot in zip(TEXTS, slots, strict=True):
        alone = base.clip.encode_from_tokens(base.clip.tokenize(text))[0]
        assert slot.caption.tokens.shape == alone.shape
        assert torch.allclose(slot.caption.tokens, alone, atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [lambda e: e * e.shape[1] / 77, lambda e: e.repeat_interleave(2, 1)],
    ids=["scaled with its length", "doubled tokens"],
)
def test_a_clip_that_joins_its_sections_encodes_one_by_one(captions, make_slots, base, layout, change):
    clip = Counting(base.clip, change)
    encoder = captions.CaptionEncoder(clip)
    slots = make_slots(list(enumerate(layout(*[((0, 0, 1, 1), text) for text in TEXTS]).instances, 1)), encoder)
    for text, slot in list(zip(TEXTS, slots, strict=True))[::20]:
        assert torch.equal(slot.caption.tokens, change(base.clip.encode_from_tokens(base.clip.tokenize(text)))[0])


def test_few_captions_are_encoded_as_ever(captions, make_slots, base, layout):
    encoder = captions.CaptionEncoder(base.clip)
    (slot,) = make_slots([(1, layout(((0, 0, 1, 1), "a fox")).instances[0])], encoder)
    assert torch.equal(slot.caption.tokens, base.clip.encode_from_tokens(base.clip.tokenize("a fox"))[0])
