"""Which boxes are redone, and the cells of the latent that change with them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from roictrl_core.check import MARK
from roictrl_core.layout import Instance, Layout
from roictrl_core.redo import EDGE, REACH, freed, left_behind, pixels_of, redo_mask, to_redo

FOX, OWL = Instance((0.0, 0.0, 0.25, 0.25), "a red fox"), Instance((0.5, 0.5, 1.0, 1.0), "a blue owl")
PAIR = Layout(64, 64, (FOX, OWL))


def with_second(**changes):
    return replace(PAIR, instances=(FOX, replace(OWL, **changes)))


@pytest.mark.parametrize(
    "changes",
    [
        {"caption": "a green owl"},
        {"negative": "blurry"},
        {"strength": 0.5},
        {"start": 0.2},
        {"point": (0.6, 0.6)},
        {"extra": {MARK: "nothing there"}},
        {"conditioning": object()},
        {"loras": (object(),)},
        {"reference": object()},
    ],
)
def test_a_changed_or_marked_instance_is_redone(changes):
    assert [i for i, _ in to_redo(PAIR, with_second(**changes))] == [2]
    assert left_behind(PAIR, with_second(**changes)) == []


@pytest.mark.parametrize("changes", [{}, {"color": "#ff0000"}, {"label": "owl"}, {"extra": {"note": 1}}])
def test_what_does_not_act_changes_nothing(changes):
    assert to_redo(PAIR, with_second(**changes)) == [] and left_behind(PAIR, with_second(**changes)) == []


def test_a_moved_box_frees_where_it_was():
    moved = with_second(box=(0.5, 0.0, 1.0, 0.5))
    assert [i for i, _ in to_redo(PAIR, moved)] == [2] and left_behind(PAIR, moved) == [OWL.box]


def test_boxes_that_come_and_go():
    one = replace(PAIR, instances=(FOX,))
    assert to_redo(PAIR, one) == [] and left_behind(PAIR, one) == [OWL.box]
    assert [i for i, _ in to_redo(one, PAIR)] == [2] and left_behind(one, PAIR) == []
    off = with_second(enabled=False)
    assert to_redo(PAIR, off) == [] and left_behind(PAIR, off) == [OWL.box]
    assert to_redo(PAIR, replace(PAIR, instances=(OWL, FOX))) == []


def test_the_cells_of_a_box_and_a_soft_edge_around_them():
    mask = redo_mask([(0.25, 0.25, 0.45, 0.5)], 8, 8)
    assert mask[2:4, 2:4].min() == 1 and mask.sum() == 4 + 12 * EDGE
    assert mask[1, 1] == EDGE and mask[0].max() == 0


@pytest.mark.parametrize("point", [(0.5, 0.5), (1.0, 0.2), (0.0, 0.0)])
def test_a_point_without_a_box_frees_what_lies_around_it(point):
    """Also on the border of a cell, and of the picture."""
    alone = Instance((*point, *point), "a lamp", point=point)
    mask = redo_mask([freed(alone)], 16, 16)
    assert mask[min(15, int(16 * point[1])), min(15, int(16 * point[0]))] == 1
    assert 4 <= (mask == 1).sum() <= (2 * 16 * REACH + 1) ** 2
    assert freed(replace(OWL, point=point)) == OWL.box
    assert left_behind(replace(PAIR, instances=(FOX, alone)), replace(PAIR, instances=(FOX,))) == [freed(alone)]


@pytest.mark.parametrize("box", [(-0.5, -0.5, 0.1, 0.1), (0.9, 0.9, 1.7, 1.2), (1.2, 0.0, 1.5, 1.0)])
def test_boxes_over_the_border(box):
    mask = redo_mask([box], 8, 8)
    assert mask.sum() in (1 + 3 * EDGE, 0)


SIDE = st.floats(0, 1, width=32)
BOXES = st.lists(st.tuples(SIDE, SIDE, SIDE, SIDE), max_size=3)


@given(BOXES, st.integers(1, 12), st.integers(1, 12))
def test_masks_of_any_size(boxes, height, width):
    boxes = [(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in boxes]
    mask = redo_mask(boxes, height, width)
    assert mask.shape == (height, width) and set(mask.unique().tolist()) <= {0.0, EDGE, 1.0}
    pixels = pixels_of(mask, 8 * height, 8 * width)
    assert pixels.shape == (8 * height, 8 * width) and pixels.min() >= 0 and pixels.max() <= 1
    changed = torch.kron((mask > 0).float(), torch.ones(8, 8)) > 0
    assert not changed.any() or pixels[changed].min() > 0.2
    assert mask.any() or not pixels.any()
