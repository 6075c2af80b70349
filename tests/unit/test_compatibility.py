"""The compatibility page: its tables are what the recorded results say, and its names are those of tests that exist."""

from __future__ import annotations

import json

import pytest

import make_compatibility as made

JUNIT = """<testsuites><testsuite>
<testcase classname="tests.comfy.hosts.test_contract" name="test_nothing[flux2-True]"/>
<testcase classname="tests.comfy.hosts.test_contract" name="test_nothing[flux]"><skipped/></testcase>
<testcase classname="tests.comfy.patch.test_neighbours" name="test_a_lora_on_attn2"><failure/></testcase>
<testcase classname="tests.http.test_workflows" name="test_runs[Inpaint one box - SD1.5]"/>
</testsuite></testsuites>"""


@pytest.fixture(scope="module")
def runs() -> list[dict]:
    return json.loads(made.RECORD.read_text(encoding="utf-8"))


@pytest.fixture
def run(tmp_path, monkeypatch) -> dict:
    monkeypatch.setattr(made, "comfyui_version", lambda: "0.3.75")
    file = tmp_path / "results.xml"
    file.write_text(JUNIT, encoding="utf-8")
    return made.run_of([file])


def test_the_page_holds_the_tables_that_the_results_make(runs):
    page = made.PAGE.read_text(encoding="utf-8")
    assert made.with_tables(page, runs) == page
    for run in runs:
        assert made.with_run(runs, run) == runs  # in order, and none twice


def test_every_neighbour_has_tests_that_are_there(root):
    """By the names of functions and of templates: a renamed test would leave its row without results."""
    code = "\n".join(file.read_text(encoding="utf-8") for file in (root / "tests").glob("[ch]*/**/test_*.py"))
    titles = [file.stem for file in (root / "workflows").glob("*.json")]
    words = [word for group in (made.NEIGHBOURS, made.FAMILIES) for words in group.values() for word in words]
    for word in words:
        function, _, given = word.partition("[")
        if given and function:
            assert f"{function}(" in code and f'"{given.rstrip("]")}"' in code, word
            continue
        there = f"def {word}" in code if word.startswith("test_") else any(word in title for title in titles)
        place = root / word.rstrip(".").replace(".", "/")
        assert there or word[0] == "[" or place.is_dir() or place.with_suffix(".py").is_file(), word


def test_every_family_of_the_pack_has_a_row(root):
    readme = (root / "README.md").read_text(encoding="utf-8")
    table = readme.partition("<!-- families: begin")[2].partition("<!-- families: end")[0]
    assert [line.split("|")[1].strip() for line in table.splitlines()[3:]] == list(made.FAMILIES)


def test_results_are_counted_by_names_and_parameters(run):
    assert run[made.ALL] == [2, 1, 1]
    assert (run["FLUX.2"], run["FLUX.1"], run["LoRA"]) == ([1, 0, 0], [0, 1, 0], [0, 0, 1])
    assert (run["Inpainting"], run["SD1.x"], run["Anima"]) == ([1, 0, 0], [0, 0, 1], [0, 0, 0])


def test_a_run_takes_the_place_of_the_earlier_one(run):
    older, other = {**run, "date": "2000-01-01"}, {**run, "comfyui": "0.33.0"}
    assert made.with_run(made.with_run([older], other), run) == [run, other]


def test_cells_say_what_failed_first():
    assert made.said([3, 1, 2]) == "**2 failed**, 3 passed, 1 skipped"
    assert made.said([0, 1, 0]) == "1 skipped" and made.said([0, 0, 0]) == made.said(None) == "-"


def test_versions_without_a_run_say_so(run):
    lines = made.tables([{**run, "python": "3.11.7"}])["runs"].splitlines()
    assert [line.split("|")[2].strip() for line in lines[2:]] == ["3.10", "3.11.7", "3.12", "3.13"]
    assert [line.count("|") for line in lines] == [7] * 6
    assert lines[2].endswith("| not run |") and lines[3].endswith("| **1 failed**, 2 passed, 1 skipped |")
