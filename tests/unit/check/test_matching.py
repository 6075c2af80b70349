"""IoU, and the one-to-one matching against every possible assignment."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from roictrl_core.matching import MAX_COMPARED, iou_table, matched

SIDE = st.floats(0, 1, width=32)
BOX = st.tuples(SIDE, SIDE, SIDE, SIDE).map(
    lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3]))
)
TABLES = st.tuples(st.integers(0, 4), st.integers(0, 4)).flatmap(
    lambda shape: st.tuples(
        arrays(np.float64, shape, elements=st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0])), arrays(bool, shape)
    )
)


@pytest.mark.parametrize(
    "one, other, iou",
    [
        ((0, 0, 1, 1), (0, 0, 1, 1), 1.0),
        ((0, 0, 0.5, 1), (0.5, 0, 1, 1), 0.0),
        ((0, 0, 1, 1), (0, 0, 0.5, 0.5), 0.25),
        ((0, 0, 0.6, 1), (0.4, 0, 1, 1), 0.2),
        ((0.5, 0.5, 0.5, 0.5), (0, 0, 1, 1), 0.0),
        ((0.5, 0.5, 0.5, 0.5), (0.5, 0.5, 0.5, 0.5), 0.0),
    ],
)
def test_iou(one, other, iou):
    assert iou_table([one], [other])[0, 0] == pytest.approx(iou)


@given(st.lists(BOX, max_size=4), st.lists(BOX, max_size=4))
def test_the_table_is_symmetric_and_in_range(boxes, others):
    table = iou_table(boxes, others)
    assert table.shape == (len(boxes), len(others)) and ((table >= 0) & (table <= 1 + 1e-12)).all()
    assert np.allclose(table, iou_table(others, boxes).T)


def worth(pairs, iou, hits):
    """Hits, and the sum of IoU, of (instance, object) pairs."""
    real = [(r, c) for r, c in pairs if iou[r, c] > 0]
    return sum(bool(hits[pair]) for pair in real), round(sum(iou[pair] for pair in real), 9)


def best(iou, hits):
    rows, columns = iou.shape
    if rows <= columns:
        return max(worth(list(enumerate(order)), iou, hits) for order in permutations(range(columns), rows))
    return best(iou.T, hits.T)


@settings(max_examples=300)
@given(TABLES)
def test_no_assignment_has_more_hits_or_of_equal_hits_more_iou(tables):
    iou, hits = tables
    found = matched(iou, hits)
    pairs = [(r, c) for r, c in enumerate(found) if c is not None]
    assert len(found) == iou.shape[0] and len({c for _, c in pairs}) == len(pairs)
    assert all(iou[pair] > 0 for pair in pairs)
    assert worth(pairs, iou, hits) == best(iou, hits)


@given(TABLES, st.randoms())
def test_the_order_of_detections_does_not_change_what_it_is_worth(tables, random):
    iou, hits = tables
    order = list(range(iou.shape[1]))
    random.shuffle(order)
    results = [(matched(table, mask), table, mask) for table, mask in ((iou, hits), (iou[:, order], hits[:, order]))]
    first, second = (
        worth([(r, c) for r, c in enumerate(found) if c is not None], table, mask) for found, table, mask in results
    )
    assert first == second


def test_an_object_goes_to_the_one_that_has_no_other():
    """The largest IoU first would give object 0 to instance 0, and leave instance 1 without one."""
    iou = np.array([[0.8, 0.6], [0.7, 0.0]])
    assert matched(iou, iou >= 0.5) == [1, 0]


def test_a_named_object_is_preferred_to_a_nearer_one():
    iou = np.array([[0.9, 0.6]])
    assert matched(iou, np.array([[False, True]])) == [1]


def test_too_many_are_refused_in_a_sentence():
    table = np.zeros((1, MAX_COMPARED + 1))
    with pytest.raises(ValueError, match="1 boxes and 2001 detections; at most 2000 of each .* Raise the detector's"):
        matched(table, table > 0)
