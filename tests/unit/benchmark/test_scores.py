"""Scores against cases made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.scores import Marks, Measure, diversity, inside_boxes, interval, leaks, mark, measures, resampled
from demo_world.judge import Verdict
from demo_world.world import Attributes, Scene, Thing, normalised_boxes, random_scene, render

RED_RING, BLUE_STAR = Attributes("ring", "red", "plain"), Attributes("star", "blue", "striped")
BOX = (0.1, 0.1, 0.5, 0.5)


def marks(iou, right, leaked=None, background=0.0, strays=0):
    return Marks(tuple(iou), tuple(right), tuple(leaked or (False,) * len(iou)), background, strays)


def verdict(found):
    return Verdict(RED_RING, BOX, found, BOX if found else None, 0.9 if found else 0.0)


def test_rates_are_over_instances():
    rates = measures([marks([0.9, 0.8], [True, True]), marks([0.9, 0.4, 0.6, 0.0], [False, True, True, False])])
    assert rates["isr"].value == pytest.approx(3 / 6)  # two of two, one of four
    assert rates["miou"].value == pytest.approx((0.9 + 0.8 + 0.4 + 0.6) / 6)


def test_leakage_is_over_instances_with_an_object_and_the_rest_over_pictures():
    rates = measures(
        [marks([0.9, 0.0], [False, False], [True, None], 0.1, 1), marks([0.9] * 3, [True] * 3, [False] * 3, 0.3, 0)]
    )
    assert rates["leakage"].value == pytest.approx(1 / 4)
    assert rates["background"].value == pytest.approx(0.2) and rates["strays"].value == pytest.approx(0.5)
    assert measures([marks([0.0], [False], [None])])["leakage"].value == 0.0


@pytest.mark.parametrize(
    "found, leaked",
    [
        (None, None),
        (RED_RING, False),
        (Attributes("ring", "blue", "plain"), True),  # the star's colour
        (Attributes("ring", "green", "plain"), False),  # wrong, and nobody's
        (Attributes("star", "red", "plain"), True),
        (Attributes("ring", "red", "dotted"), False),
    ],
)
def test_leaking_is_wearing_what_another_was_to_have(found, leaked):
    assert leaks(verdict(found), [BLUE_STAR]) is leaked


def test_an_attribute_that_both_were_to_have_does_not_leak():
    twin = Attributes("square", "red", "plain")
    assert leaks(verdict(RED_RING), [twin]) is False
    assert leaks(verdict(Attributes("square", "red", "plain")), [twin]) is True


def test_ground_truth_damages_nothing():
    for index in range(12):
        scene = random_scene((9, index), 1 + index % 6)
        found = mark(render(scene), normalised_boxes(scene), [thing.attributes for thing in scene.things])
        assert found.background == 0 and found.strays == 0 and not any(found.leaked) and all(found.successes)


def test_an_object_outside_the_boxes_is_background_damage():
    asked, stray = Thing(RED_RING, (8, 8, 56, 56)), Thing(Attributes("square", "blue", "plain"), (72, 72, 112, 112))
    picture = render(Scene((asked, stray), "plain", 0))
    found = mark(picture, [(8 / 128, 8 / 128, 56 / 128, 56 / 128)], [RED_RING])
    outside = 128 * 128 - (48 + 2 * 4) ** 2
    assert found.background == pytest.approx(40 * 40 / outside, rel=0.02) and found.strays == 1
    assert found.successes == (True,)


def test_swapped_attributes_leak():
    things = (Thing(RED_RING, (8, 8, 56, 56)), Thing(Attributes("star", "blue", "plain"), (64, 64, 120, 120)))
    boxes = normalised_boxes(Scene(things, "plain", 0))
    found = mark(render(Scene(things, "plain", 0)), boxes, [things[1].attributes, things[0].attributes])
    assert found.leaked == (True, True) and found.right == (False, False) and min(found.iou) > 0.8


def test_an_empty_picture_has_nothing_to_leak():
    found = mark(np.full((128, 128, 3), 40, np.uint8), [BOX], [RED_RING])
    assert found == Marks((0.0,), (False,), (None,), 0.0, 0)


def test_boxes_have_a_margin_and_end_at_the_picture():
    inside = inside_boxes([(0.5, 0.5, 1.0, 1.0)], 40, 80)
    assert inside[16:, 36:].all() and not inside[:16].any() and not inside[:, :36].any()


def test_the_interval_holds_the_rate_and_narrows_with_more_layouts():
    def spread(count):
        rng = np.random.default_rng(1)
        measure = Measure(rng.binomial(4, 0.7, count).astype(float), np.full(count, 4.0))
        low, high = interval(resampled(measure, [2] * count))
        assert low < measure.value < high
        return high - low

    wide, narrow = spread(50), spread(800)
    # A binomial's standard error over 50 x 4 instances is 0.032: an interval of about 3.92 of it.
    assert 0.09 < wide < 0.16 and narrow == pytest.approx(wide / 4, rel=0.25)


def test_levels_are_resampled_each_on_its_own():
    measure = Measure(np.array([2.0, 2.0, 0.0, 0.0]), np.array([2.0, 2.0, 6.0, 6.0]))  # all of level 2, none of level 6
    assert np.ptp(resampled(measure, [2, 2, 6, 6])) == 0
    assert np.ptp(resampled(measure, [2, 2, 2, 2])) > 0


def test_methods_on_the_same_layouts_are_resampled_alike():
    first = Measure(np.array([1.0, 2.0, 3.0, 0.0]), np.full(4, 3.0))
    better = Measure(first.above + 0.5, first.below)
    difference = resampled(better, [2, 2, 3, 3]) - resampled(first, [2, 2, 3, 3])
    assert difference == pytest.approx(np.full_like(difference, 0.5 / 3))


def test_no_marks_no_scores():
    with pytest.raises(ValueError, match="no marks to score"):
        measures([])


def test_diversity_of_pictures_that_differ_in_half_of_their_pixels():
    dark, half = np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4, 3), np.uint8)
    half[:2] = 255
    assert diversity([dark, half]) == pytest.approx(0.5)
    assert diversity([dark, dark, half]) == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="at least two"):
        diversity([dark])
