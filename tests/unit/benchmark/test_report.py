"""Settings are found by climbing, tables are made from the JSON, and the README's is the published one's."""

from __future__ import annotations

import json

import pytest

from benchmark import plots, report
from benchmark.scores import Marks
from benchmark.store import Record, Results

MARKS = Marks((0.9, 0.2), (True, False), (False, None), 0.01, 1)


def results(folder, method="roictrl", good=4, layouts=5):
    """Level 2 layouts, of which the first `good` succeed wholly."""
    import numpy as np

    found = Results(folder, {"method": method, "split": "test", "weights": [method]})
    for n in range(layouts):
        right = n < good
        marks = Marks((0.9, 0.8), (right, right), (False, False), 0.0, 0)
        for seed in (n, n + 100):
            found.add(Record(n, seed, marks), np.full((8, 8, 3), 10 * seed % 255, np.uint8))
    return found


def table_cell(table, row, column):
    line = next(line for line in table.splitlines() if line.startswith(f"| {row} |"))
    return line.strip("| ").split(" | ")[column].strip()


def test_a_record_survives_its_line():
    record = Record(3, 100003, MARKS)
    assert Record.from_line(record.to_line()) == record


def test_results_end_at_the_last_whole_line(tmp_path):
    found = results(tmp_path)
    found.path.write_text(found.path.read_text()[:-20])
    again = Results(tmp_path, {"method": "roictrl", "split": "test", "weights": ["roictrl"]})
    assert len(again.records) == 9 and found.path.read_text().endswith("\n")
    assert again.records.items() <= found.records.items()


def test_the_documents_figures_are_the_records(tmp_path):
    drawn = {
        "prompt": report.Drawn(results(tmp_path, "prompt", good=1), 5, about={"title": "plain"}),
        "roictrl": report.Drawn(results(tmp_path), 5, [(0, 100), (1, 101)], {"title": "ROICtrl", "seconds": 3.0}),
    }
    found = report.document(
        drawn, report.Drawn(results(tmp_path, "ceiling", good=5), 5), ["prompt", "area"], "the command", "abc"
    )
    roictrl, prompt = found["methods"]["roictrl"], found["methods"]["prompt"]
    assert (roictrl["isr"], prompt["isr"], found["ceiling"]["isr"]) == (0.8, 0.2, 1.0) and roictrl[
        "miou"
    ] == pytest.approx(0.85 * 0.8)
    assert (
        roictrl["levels"]["2"]["isr"] == 0.8 and roictrl["levels"]["2"]["layouts"] == 5 and roictrl["instances"] == 10
    )
    assert prompt["roictrl_ahead_by"][0] == 0.6 and "roictrl_ahead_by" not in roictrl
    assert (
        table_cell(report.table(found), "ROICtrl", -1) == "3.0"
        and prompt["diversity"] is None
        and roictrl["diversity"] > 0
    )
    assert found["untrained"] == ["prompt"] and (found["command"], found["commit"]) == ("the command", "abc")
    table = report.table(found)
    assert (
        "| plain (no training) | .200 |" in table
        and "| ROICtrl | .800 |" in table
        and f"| {report.CEILING} | 1.00 |" in table
    )
    assert "+0.600" in report.details(found) and all(
        len(line.split("|")) == len(report.details(found).splitlines()[1].split("|"))
        for line in report.details(found).splitlines()
    )


def test_an_ablation_is_read_against_the_roictrl_of_its_budget(tmp_path):
    drawn = {
        "roictrl": report.Drawn(results(tmp_path, good=5), 5, about={"title": "ROICtrl"}),
        "short": report.Drawn(results(tmp_path, "short", good=4), 5, about={"title": "short"}),
        "without": report.Drawn(results(tmp_path, "without", good=1), 5, about={"title": "without", "beside": "short"}),
    }
    found = report.document(drawn, report.Drawn(results(tmp_path, "ceiling", good=5), 5), [], "", "")
    without = found["methods"]["without"]
    assert (
        without["roictrl_ahead_by"][0] == 0.8
        and without["beside_ahead_by"]["isr"][0] == 0.6
        and "beside_ahead_by" not in found["methods"]["short"]
    )
    assert without["beside_ahead_by"]["miou"][0] == pytest.approx(0.85 * 0.6) and "+0.600" in report.ablations(found)[0]
    del drawn["short"]
    assert not report.ablations(report.document(drawn, drawn["roictrl"], [], "", ""))


def test_a_palettes_colours_are_counted_apart(tmp_path):
    """Five layouts in which an instance is right where its colour is not exchanged."""
    from benchmark.layouts import case_of

    palette = {"red": "magenta", "magenta": "red"}
    wanted = {n: case_of("test", n).wanted for n in range(5)}
    found = Results(tmp_path, {"method": "m", "split": "test", "weights": []})
    for n, attributes in wanted.items():
        right = tuple(it.colour not in palette for it in attributes)
        found.records[n, n] = Record(n, n, Marks((0.9,) * len(right), right, (False,) * len(right), 0.0, 0))
    document = report.document(
        {"m": report.Drawn(found, 5, about={"title": "m", "palette": palette})}, report.Drawn(found, 5), [], "", ""
    )
    row = document["methods"]["m"]
    assert (row["isr_exchanged"], row["isr_others"], row["fit"]) == (0.0, 1.0, 1.0) and 0 < row["isr"] < 1
    assert "| m | red as magenta, magenta as red | .000 | 1.00 | 1.00 |" in report.palettes(document)[0]


def test_a_table_goes_between_its_markers_and_nowhere_else():
    page = f"above\n{report.BEGIN}\nold\n{report.END}\nbelow\n"
    assert report.between_markers(page, "| new |") == f"above\n{report.BEGIN}\n| new |\n{report.END}\nbelow\n"
    for wrong in ("no markers", page + page):
        with pytest.raises(ValueError, match="once each"):
            report.between_markers(wrong, "x")


def test_the_readme_and_the_page_show_the_published_figures(root):
    published = root / "docs" / "demo_benchmark.json"
    pages = [(root / name).read_text(encoding="utf-8") for name in ("README.md", "docs/demo_benchmark.md")]
    if not published.is_file():
        assert all(report.between_markers(page, "Not measured yet.") == page for page in pages)
        return
    found = json.loads(published.read_text())
    assert {"isr", "miou", "leakage", "levels", "interval"} <= set(found["methods"]["roictrl"]) and found["commit"]
    parts = (report.readme_part(found), report.page_part(found))
    assert all(report.between_markers(page, part) == page for page, part in zip(pages, parts, strict=True))


def test_held_out_layouts_are_in_turn_and_their_own():
    from benchmark.layouts import LEVELS, SPLITS, case_of

    assert [case_of("test", n).level for n in range(10)] == [*LEVELS, *LEVELS]
    assert case_of("test", 3) == case_of("test", 3) and case_of("test", 3).scene != case_of("tuning", 3).scene
    case = case_of("test", 4)
    assert len(case.captions) == len(case.boxes) == len(case.wanted) == 6 and case.text.count(case.captions[5]) >= 1
    assert not {20, 30, 10, 40, 50} & set(SPLITS.values())  # the seeds of the training data


def test_the_front_is_what_none_beats_in_both():
    points = {"a": (1.0, 0.5), "b": (2.0, 0.9), "slower": (3.0, 0.9), "worse": (2.0, 0.8), "c": (4.0, 0.95)}
    rows = {name: {"seconds": seconds, "isr": isr} for name, (seconds, isr) in points.items()}
    assert plots.pareto(rows) == [points["a"], points["b"], points["c"]]


def test_what_saves_work_is_drawn_with_the_methods():
    rows = {"roictrl": {}, "roictrl_fast": {"beside": "roictrl"}, "short": {}, "without": {"beside": "short"}}
    rows["without"]["training_cost"] = {}
    assert [list(group) for group in plots.panels(rows).values()] == [["roictrl", "roictrl_fast"], ["short", "without"]]


def test_what_needs_no_training_stands_apart_beside_the_bare_prompt():
    rows = {"prompt": {}, "area": {}, "roictrl": {}}
    groups = plots.panels(rows, ["prompt", "area"])
    assert [list(group) for group in groups.values()] == [["prompt", "roictrl"], ["prompt", "area"]]
    assert [list(group) for group in plots.panels(rows, ["prompt"]).values()] == [["prompt", "area", "roictrl"]]


def test_reports_are_joined_by_the_time_of_one_method():
    slow = {"methods": {"unit": {"seconds": 4.0}, "area": {"seconds": 2.0}}, "untrained": ["area"], "ceiling": {}}
    fast = {"methods": {"unit": {"seconds": 1.0}, "own": {"seconds": 3.0}}, "untrained": ["own"]}
    found = plots.joined([slow, fast], "unit")
    assert {name: row["seconds"] for name, row in found["methods"].items()} == {"unit": 1.0, "area": 0.5, "own": 3.0}
    assert found["untrained"] == ["area", "own"]
