"""Settings are climbed to, one after the other."""

from __future__ import annotations

import shutil

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


def test_a_method_that_is_like_another_has_its_settings_and_a_guidance_of_its_own(places):
    from benchmark.drawing import Bench
    from benchmark.sampling import Sampler
    from benchmark.tuning import tune
    from benchmark.workers import painters

    places.weights("roictrl_short").parent.mkdir(parents=True)
    shutil.copyfile(places.adapter, places.weights("roictrl_short"))
    own = {"uncond_boxes": "none", "text": "nothing"}
    with painters(places, 1) as draw:
        bench = Bench(places, draw, say=lambda text: None)
        alike = tune(bench, "roictrl_short", 1, Sampler(1), {**own, "cfg": 4.0})["tried"]
        alone = tune(bench, "roictrl", 1, Sampler(1))["tried"]
    assert alike[0]["settings"] == {**own, "cfg": 4.0} and all(
        own.items() <= entry["settings"].items() for entry in alike
    )
    assert {entry["settings"]["cfg"] for entry in alike} >= {3.0, 4.0, 5.5}
    assert {entry["settings"]["uncond_boxes"] for entry in alone} == {"negative prompt", "none", "off"}
