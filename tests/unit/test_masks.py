"""Run-length masks: COCO's compressed text, by hand-worked cases and by round trips."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays

from roictrl_core.masks import RunLengthMask, box_of

# Texts worked out by hand: five bits a character from 48 on, +32 while more follow, differences from the fourth run on
# (4 - 2 = 2; 1 - 5 = -4 -> 28 -> 'L'); 20 has the sign's bit set and needs one more group of zeros. The page's tests
# read the same file.
CASES = [
    (tuple(case["size"]), case["runs"], case["counts"])
    for case in json.loads((Path(__file__).parent / "data" / "masks.json").read_text(encoding="utf-8"))
]


@pytest.mark.parametrize("size, runs, text", CASES)
def test_text_and_runs(size, runs, text):
    assert RunLengthMask.from_runs(size, runs) == RunLengthMask(size, text)
    assert RunLengthMask(size, text).runs().tolist() == runs


def test_columns_come_first():
    mask = np.array([[0, 1], [1, 1]], dtype=bool)
    assert RunLengthMask.from_array(mask).counts == "13"
    assert np.array_equal(RunLengthMask((2, 2), "13").to_array(), mask)
    assert RunLengthMask((2, 2), "13").area() == 3


@settings(deadline=None, max_examples=60)
@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=40)))
def test_round_trip(mask):
    packed = RunLengthMask.from_array(mask)
    assert np.array_equal(packed.to_array(), mask) and packed.area() == mask.sum()
    assert RunLengthMask.from_dict(packed.to_dict()) == packed


def test_floats_count_over_one_half():
    assert RunLengthMask.from_array(np.array([[0.5, 0.51]])).runs().tolist() == [1, 1]


def test_box_of():
    mask = np.zeros((4, 10), dtype=bool)
    assert box_of(mask) is None
    mask[1:3, 2:7] = True
    assert box_of(mask) == (0.2, 0.25, 0.7, 0.75)


@pytest.mark.parametrize(
    "data, sentence",
    [
        ("13", "must be an object"),
        ({"size": [2, 2]}, "must be an object"),
        ({"size": [2, 2], "counts": 3}, "run-length text or a list"),
        ({"size": [2], "counts": "13"}, r"size must be \[height, width\]"),
        ({"size": [2, 2.5], "counts": "13"}, r"size must be \[height, width\]"),
        ({"size": [0, 2], "counts": "0"}, r"size must be \[height, width\]"),
        ({"size": [16384, 16384], "counts": "13"}, "too large"),
        ({"size": [1, 8192 * 8192], "counts": [8192 * 8192]}, "has a side of 67108864 pixels; at most 16384 are read"),
        ({"size": [10**400, 1], "counts": "13"}, "has a side of a number of over 60 digits"),
        ({"size": [3, 2], "counts": "13"}, "cover 4 pixels, but its size 3 x 2 has 6"),
        ({"size": [2, 2], "counts": "1\x7f"}, "unexpected character"),
        ({"size": [2, 2], "counts": "1" + "o" * 40 + "0"}, "a number that is too large"),
        ({"size": [2, 2], "counts": "1d"}, "ends in the middle"),
        ({"size": [2, 2], "counts": [5, -1]}, "whole numbers from 0 to"),
        ({"size": [2, 2], "counts": [True, 3]}, "whole numbers from 0 to"),
    ],
)
def test_damaged_masks_are_refused(data, sentence):
    with pytest.raises(ValueError, match=sentence):
        RunLengthMask.from_dict(data)


@pytest.mark.parametrize("shape", [(3,), (0, 4), (1, 2, 2)])
def test_what_is_no_picture_is_refused(shape):
    with pytest.raises(ValueError, match="height x width"):
        RunLengthMask.from_array(np.zeros(shape))


@pytest.mark.parametrize(
    "left, top, shape", [(0, 0, (3, 4)), (5, 2, (4, 3)), (0, 0, (6, 8)), (7, 5, (1, 1)), (2, 0, (6, 2))]
)
def test_a_part_of_a_picture(left, top, shape):
    whole = np.zeros((6, 8), dtype=bool)
    for part in (np.ones(shape, dtype=bool), np.zeros(shape, dtype=bool), np.random.default_rng(1).random(shape) > 0.5):
        whole[top : top + shape[0], left : left + shape[1]] = part
        assert RunLengthMask.from_part(part, left, top, (6, 8)) == RunLengthMask.from_array(whole)


def test_a_mask_of_another_size():
    mask = RunLengthMask.from_array(np.eye(4, dtype=bool))
    assert np.array_equal(mask.resized(8, 8), np.eye(4, dtype=bool).repeat(2, 0).repeat(2, 1))
    assert np.array_equal(mask.resized(2, 2), np.eye(2, dtype=bool))
