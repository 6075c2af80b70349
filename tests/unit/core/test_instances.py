"""Which instances get a slot, and the batch that holds them."""

from __future__ import annotations

from roictrl_core.instances import largest


def test_the_largest_are_kept_in_drawing_order():
    assert largest([0.3, 0.1, 0.5, 0.2], 2) == ([0, 2], [1, 3])
    assert largest([0.3, 0.1], 30) == ([0, 1], [])
