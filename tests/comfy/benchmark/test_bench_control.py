"""The whole benchmark on a handful of layouts with random weights.

Killed, started again, repeated, and with other weights.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

from devtools.random_demo import write_adapter

LAYOUTS, METHODS = 5, ("prompt", "roictrl")


def arguments(places, *more, methods=METHODS):
    return [
        "--methods",
        *methods,
        "--layouts",
        str(LAYOUTS),
        "--tuning-layouts",
        "1",
        "--steps",
        "1",
        "--processes",
        "1",
        "--demo",
        str(places.demo),
        "--trained",
        str(places.trained),
        "--results",
        str(places.results),
        *more,
    ]


def lines(places, split="test"):
    return {path: path.read_text().splitlines() for path in (places.results / split).rglob("*.jsonl")}


def kill_in_the_middle(root, places):
    """The benchmark as a user runs it, killed when the first method's first layout is drawn."""
    process = subprocess.Popen(
        [sys.executable, str(root / "scripts" / "bench_control.py"), *arguments(places)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith("prompt cfg") and ", test: 1/" in line:
            process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "".join(said)


def test_killed_and_started_again_loses_nothing_and_publishes_the_same(root, places, tmp_path, capsys, monkeypatch):
    import bench_control

    kill_in_the_middle(root, places)
    before = lines(places)
    assert {path.parent.name for path in before} == {"ceiling", "prompt"}
    prompt = next(path for path in before if path.parent.name == "prompt")
    prompt.write_text(prompt.read_text() + '{"layout": 4, "se')  # a kill in the middle of a line

    bench_control.main(arguments(places))
    drawn = capsys.readouterr().out
    after = lines(places)
    for path, old in before.items():
        assert after[path][: len(old)] == old  # nothing was drawn again
    assert "ceiling, test" not in drawn
    seeds = LAYOUTS * (1 + bench_control.MORE_SEEDS)
    assert {path.parent.name: len(found) for path, found in after.items()} == {
        "ceiling": LAYOUTS,
        "prompt": seeds,
        "roictrl": seeds,
    }
    found = json.loads((places.results / "demo_benchmark.json").read_text())
    check_report(found, places)
    check_published(found, places, tmp_path, monkeypatch)
    assert ", test:" not in capsys.readouterr().out and lines(places) == after  # publishing draws nothing


def check_published(found, places, folder, monkeypatch):
    """`--publish` puts the report that is there between the markers of the pages, and nothing else into them."""
    import bench_control
    from benchmark import report

    docs = folder / "docs"
    docs.mkdir()
    for name, path in (("DOCS", docs), ("README", folder / "README.md"), ("PAGE", docs / "page.md")):
        monkeypatch.setattr(bench_control, name, path)
        if path.suffix:
            path.write_text(f"above\n{report.BEGIN}\nNot measured yet.\n{report.END}\nbelow\n")
    bench_control.main(arguments(places, "--publish"))
    published = json.loads((docs / "demo_benchmark.json").read_text())
    assert {**published, "command": ""} == {**found, "command": ""} and published["command"].endswith("--publish")
    for page, part in (
        (folder / "README.md", report.readme_part(published)),
        (docs / "page.md", report.page_part(published)),
    ):
        text = page.read_text()
        assert report.between_markers(text, part) == text and text.endswith("\nbelow\n")
    assert (docs / "images" / "demo_benchmark_sheet.png").is_file()


def check_report(report, places):
    assert set(report) == {"methods", "ceiling", "untrained", "command", "commit"}
    assert list(report["methods"]) == list(METHODS) and report["untrained"] == ["prompt"]
    assert report["command"].startswith("python scripts/dev.py bench --methods prompt roictrl")
    for found in report["methods"].values():
        assert (
            set(found["levels"]) == {"2", "3", "4", "5", "6"}
            and found["layouts"] == LAYOUTS
            and found["instances"] == 20
        )
        assert found["interval"][0] <= found["isr"] <= found["interval"][1]
        assert {
            "isr",
            "miou",
            "leakage",
            "background",
            "diversity",
            "seconds",
            "peak_bytes",
            "settings",
            "weights",
        } <= set(found)
        assert found["seconds"] > 0 and found["peak_bytes"] > 100_000 and "cfg" in found["settings"]
        assert not any("/" in key and key.startswith("/") for key in found["weights"])
    assert report["methods"]["roictrl"]["steps_trained"] == 3 and "roictrl_ahead_by" in report["methods"]["prompt"]
    tuned = json.loads((places.results / "tuning.json").read_text())
    assert set(tuned) == set(METHODS) and len(tuned["prompt"]["tried"]) >= 2
    images = {path.name for path in (places.results / "images").iterdir()}
    assert images >= {"demo_benchmark_levels.png", "demo_benchmark_cost.png", "demo_benchmark_sheet.png"}


def test_other_weights_or_settings_never_meet_old_results(places, tmp_path):
    import bench_control
    from benchmark.drawing import Bench, Job
    from benchmark.methods import METHODS
    from benchmark.places import Places
    from benchmark.sampling import Sampler
    from benchmark.workers import painters

    demo = shutil.copytree(places.demo, tmp_path / "demo")
    places = Places(demo, demo / "adapter.safetensors", places.trained, places.results)

    def results(of=None, **settings):
        """What is stored; of: layouts to complete first."""
        job = Job(
            "roictrl",
            {**METHODS["roictrl"].first, "cfg": settings.get("cfg", 2.0)},
            "test",
            Sampler(settings.get("steps", 1)),
        )
        with painters(places, 1) as draw:
            bench = Bench(places, draw, say=lambda text: None)
            return bench.results(job) if of is None else bench.complete(job, of)

    first = results(of=[(0, 0)])
    assert results().records == first.records
    assert not results(cfg=3.0).records and not results(steps=2).records
    write_adapter(places.adapter, seed=5)
    second = results(of=[(0, 0)])
    assert second.path != first.path and not np.array_equal(second.picture(0, 0), first.picture(0, 0))
    with pytest.raises(ValueError, match="layout 1 of 2 is not drawn yet"):
        second.of(2)
    assert bench_control.more_seeds(1) == [(0, 100_000), (0, 200_000), (0, 300_000)]


def test_costs_of_one_table_are_of_one_run(places):
    from benchmark import costs as module
    from benchmark.drawing import Job
    from benchmark.sampling import Sampler

    said = []
    jobs = {name: Job("prompt", {"cfg": cfg}, "test", Sampler(1)) for name, cfg in (("a", 1.0), ("b", 2.0), ("c", 3.0))}

    def cost(*names, layouts=2):
        return module.costs({name: jobs[name] for name in names}, range(layouts), places, said.append)

    both = cost("a", "b")
    assert (
        set(both) == {"a", "b"}
        and all(row["seconds"] > 0 and row["peak_bytes"] > 100_000 for row in both.values())
        and len(said) == 2
    )
    assert cost("b") == {"b": both["b"]} and len(said) == 2  # a part of that run
    cost("a", "b", "c")
    assert len(said) == 4  # one row more: all are measured
    cost("a", "b", layouts=1)
    jobs["a"] = Job("prompt", {"cfg": 5.0}, "test", Sampler(1))
    cost("a", "b", layouts=1)
    assert len(said) == 6


def test_several_processes_draw_the_same_and_the_end_of_one_is_said(places):
    from benchmark.drawing import Bench, Job
    from benchmark.sampling import Sampler
    from benchmark.workers import painters

    job, pairs = Job("prompt", {"cfg": 2.0}, "test", Sampler(1)), [(n, n) for n in range(17)]
    with painters(places, 2) as draw:
        results = Bench(places, draw, lambda text: None).complete(job, pairs)
        with painters(places, 1) as alone:
            for record, picture in alone(job, [pairs[:8], pairs[8:16], pairs[16:]]):
                assert results.records[record.layout, record.seed] == record
                assert np.array_equal(results.picture(record.layout, record.seed), picture)
        drawn = draw(job, [pairs] * 4)
        next(drawn)
        for process in multiprocessing.active_children():
            process.kill()
        with pytest.raises(ValueError, match="ended by itself, .*the same command goes on"):
            list(drawn)


@pytest.mark.parametrize(
    "more, sentence",
    [
        (["--methods", "magic"], "there is no method magic; there are prompt, area"),
        (["--methods", "gligen"], "make it with `python scripts/dev.py bench-train gligen`"),
    ],
)
def test_wrong_names_and_missing_weights_are_explained(places, more, sentence):
    import bench_control

    with pytest.raises(ValueError, match=sentence):
        bench_control.main([*arguments(places), *more])


def test_weights_that_were_trained_on_another_base_are_refused(places):
    import torch
    from safetensors.torch import save_file

    import bench_control
    from benchmark.places import digest

    path = places.weights("lora")
    path.parent.mkdir(parents=True)
    save_file({"x": torch.zeros(1)}, path, {"base": digest(places.demo / "base.safetensors")})
    assert bench_control.chosen(["roictrl_lora"], places) == ["roictrl_lora"]
    save_file({"x": torch.zeros(1)}, path, {"base": "another"})
    with pytest.raises(
        ValueError,
        match=(
            "roictrl_lora needs .*trained on another base: delete .*; "
            "make it with `python scripts/dev.py bench-train lora`"
        ),
    ):
        bench_control.chosen(["roictrl_lora"], places)


@pytest.mark.parametrize("name", ["area", "mask", "roi_prompts"])
def test_methods_without_training_act_where_their_boxes_are(places, name):
    """Another caption for one box changes the picture; the prompt alone gives another one again."""
    from benchmark.drawing import Job, Painter
    from benchmark.layouts import Case, case_of
    from benchmark.methods import METHODS
    from benchmark.sampling import Sampler

    painter, case = Painter(places), case_of("test", 0)
    other = Case(case.number, case.scene, (case.captions[0], "a white plain square"))
    elsewhere = [
        text for text in METHODS[name].choices.get("text", ()) if text != "captions"
    ]  # what the box itself reads
    settings = {**METHODS[name].first, "cfg": 2.0, **({"text": elsewhere[0]} if elsewhere else {})}
    job = Job(name, settings, "test", Sampler(1))
    plain = Job("prompt", {"cfg": 2.0}, "test", Sampler(1))
    pictures = [
        painter.paint(job, [case], [0])[0],
        painter.paint(job, [other], [0])[0],
        painter.paint(plain, [case], [0])[0],
    ]
    assert not np.array_equal(pictures[0], pictures[1]) and not np.array_equal(pictures[0], pictures[2])


@pytest.mark.parametrize(
    "name, own",
    [
        ("prompt", {}),
        ("roi_prompts", {}),
        ("roictrl", {}),
        ("masked_attention", {}),
        ("roictrl", {"uncond_boxes": "none", "text": "nothing"}),
        ("roictrl", {"uncond_boxes": "off"}),
    ],
)
def test_several_layouts_in_one_call_are_those_of_one_call_each(places, name, own):
    from benchmark.drawing import Job, Painter
    from benchmark.layouts import case_of
    from benchmark.methods import METHODS
    from benchmark.sampling import Sampler

    if name == "masked_attention":
        places.weights(name).parent.mkdir(parents=True)
        shutil.copyfile(places.adapter, places.weights(name))
    painter, cases, seeds = Painter(places), [case_of("test", n) for n in (4, 0, 2)], [4, 7, 2]
    job = Job(name, {**METHODS[name].first, "cfg": 2.0, **own}, "test", Sampler(2))
    together = painter.paint(job, cases, seeds)
    alone = [painter.paint(job, [case], [seed])[0] for case, seed in zip(cases, seeds, strict=True)]
    elsewhere = painter.paint(job, [cases[0], cases[2], cases[1]], seeds)
    for a, b in zip(together, alone, strict=True):
        assert np.abs(a.astype(int) - b.astype(int)).max() <= 1
    assert np.abs(together[0].astype(int) - elsewhere[0]).max() <= 1
    assert not np.array_equal(together[1], elsewhere[1])


def test_two_processes_draw_what_one_draws(places):
    from benchmark.drawing import Job
    from benchmark.sampling import Sampler
    from benchmark.workers import painters

    job, batches, drawn = Job("prompt", {"cfg": 2.0}, "test", Sampler(1)), [[(0, 0), (1, 1)], [(0, 7)]], []
    for processes in (1, 2):
        with painters(places, processes) as draw:
            drawn.append(
                {
                    (record.layout, record.seed): (record.marks, picture.tobytes())
                    for record, picture in draw(job, batches)
                }
            )
    assert drawn[0] == drawn[1] and set(drawn[0]) == {(0, 0), (1, 1), (0, 7)}
