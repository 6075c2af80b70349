"""Labels against captions, by words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roictrl_core.agreement import agrees, content, stem


@pytest.mark.parametrize(
    "caption, label",
    [
        ("a red fox", "fox"),
        ("a red fox", "a red fox"),
        ("fox", "red fox"),
        ("two puppies on a lawn", "dog"),
        ("a football", "sports ball"),
        ("a woman in a long dress", "person"),
        ("a person", "woman"),
        ("three horses", "horse"),
        ("buses in a row", "bus"),
        ("wild geese", "bird"),
        ("a Mobile phone, 4K", "cell phone"),
        ("a sofa", "couch"),
        ("a wooden table", "dining table"),
        ("children playing", "person"),
        ("\u4e00\u53ea\u7ea2\u8272\u7684\u72d0\u72f8", "\u72d0\u72f8"),
    ],
)
def test_they_agree(caption, label):
    assert agrees(caption, label) is True


@pytest.mark.parametrize(
    "caption, label",
    [
        ("a woman", "man"),
        ("a man", "woman"),
        ("a cat", "dog"),
        ("a brown bear", "teddy bear"),
        ("a red fox", "blue fox"),
        ("a carpet", "car"),
        ("a catfish", "cat"),
        ("\u72d0\u72f8", "\u732b\u5934\u9e70"),
    ],
)
def test_they_do_not(caption, label):
    assert agrees(caption, label) is False


@pytest.mark.parametrize("caption, label", [("", "fox"), ("a fox", ""), ("a the", "fox"), ("a fox", "?")])
def test_without_words_nothing_is_said(caption, label):
    assert agrees(caption, label) is None


@pytest.mark.parametrize(
    "one, many",
    [
        ("fox", "foxes"), ("horse", "horses"), ("puppy", "puppies"), ("knife", "knives"), ("bus", "buses"),
        ("glass", "glasses"), ("bench", "benches"), ("man", "men"), ("tie", "ties"),
    ],
)  # fmt: skip
def test_plurals_have_the_stem_of_the_singular(one, many):
    assert stem(one) == stem(many)


@given(st.text(), st.text())
def test_any_text_is_taken(caption, label):
    assert agrees(caption, label) in (True, False, None)


@given(st.text())
def test_a_text_agrees_with_itself(text):
    assert agrees(text, text) is (True if content(text) else None)
