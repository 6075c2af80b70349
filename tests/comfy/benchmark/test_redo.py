"""The benchmark's row that redoes boxes: the first picture is ROICtrl's own, and only missed boxes are drawn again."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest


@pytest.fixture(scope="module")
def bench(pack):
    from benchmark import drawing, layouts, methods, redo, sampling

    return SimpleNamespace(drawing=drawing, layouts=layouts, methods=methods, redo=redo, sampling=sampling)


@pytest.fixture
def paint(bench, places):
    painter = bench.drawing.Painter(places)
    case = bench.layouts.case_of("test", 0)

    def run(name, **settings):
        settings = {**bench.methods.METHODS[name].first, "cfg": 2.0, **settings}
        return painter.paint(bench.drawing.Job(name, settings, "test", bench.sampling.Sampler(2)), [case], [3])[0]

    return run


def test_without_a_redo_it_is_the_plain_row(paint):
    assert np.array_equal(paint("roictrl_redo", redos=0), paint("roictrl"))


def test_an_obeyed_layout_is_left_alone_and_a_missed_one_is_not(paint, bench, monkeypatch):
    seen = []

    def judged(right):
        def judge(picture, boxes, wanted):
            seen.append(picture)
            return [SimpleNamespace(success=i > 0 or right, iou=0.0) for i in range(len(boxes))]

        return judge

    plain = paint("roictrl")
    monkeypatch.setattr(bench.redo, "judge", judged(True))
    assert np.array_equal(paint("roictrl_redo"), plain) and len(seen) == 1
    monkeypatch.setattr(bench.redo, "judge", judged(False))
    assert not np.array_equal(paint("roictrl_redo"), plain)
    assert len(seen) == 3 and np.array_equal(seen[1], plain) and not np.array_equal(seen[2], plain)
