"""Settings are climbed to, one after the other."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("first, best", [(2, 5), (7, 5), (5, 5), (1, 5)])
def test_climbing_finds_the_top_and_scores_nothing_twice(pack, first, best):
    from benchmark.tuning import climb

    asked = []

    def score(value):
        asked.append(value)
        return -abs(value - 5)
    assert climb((1, 2, 3, 4, 5, 6, 7), first, score) == best
    assert len(asked) == len(set(asked))


def test_equal_scores_are_settled_by_standing_still(pack):
    from benchmark.tuning import climb

    assert climb(("a", "b"), "a", lambda value: 0.5) == "a"
