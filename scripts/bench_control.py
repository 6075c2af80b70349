"""The demo benchmark: every method on the same held-out layouts, base, seeds, steps and judge (docs/demo_benchmark.md).

    python scripts/dev.py bench                        all methods whose weights are there
    python scripts/dev.py bench --layouts 50           a smaller run; 100 per level are 500
    python scripts/dev.py bench --settings docs/demo_benchmark.json --methods roictrl roictrl_balanced roictrl_fast
                                                       with the published settings in place of tuning
    python scripts/dev.py bench --publish              and docs/demo_benchmark.json, the tables and the pictures in docs

Each method's settings are chosen on tuning layouts, then it draws the test layouts, one picture each through
ComfyUI's sampler. Every picture is judged and stored at once; started again, the command goes on where it was.
Stored results belong to the weights, the settings and the judge that made them. `dev.py bench-train` makes the weights
of the rows other than ROICtrl's.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from demo_common import CACHE, start
from devtools.pack import ROOT

DOCS, README = ROOT / "docs", ROOT / "README.md"
PAGE = DOCS / "demo_benchmark.md"
SEED_STEP, MORE_SEEDS = 100_000, 3  # further seeds of a layout: its number + k * SEED_STEP
DIVERSE_LAYOUTS = COST_LAYOUTS = 10  # the first ones: two of each level
SHEET_LAYOUTS = 10
SHEET = (
    *("ceiling", "prompt", "area", "mask", "couple", "regional", "roi_prompts", "roi_prompts_own"),
    *("gligen", "roictrl", "roictrl_community", "roictrl_lora"),
)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="dev.py bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--methods", nargs="+", metavar="NAME", help="rows of the table (default: all whose weights are there)"
    )
    parser.add_argument("--layouts", type=int, default=500, help="test layouts, levels 2 to 6 in turn")
    parser.add_argument("--tuning-layouts", type=int, default=100, help="layouts on which settings are chosen")
    parser.add_argument(
        "--settings", type=Path, metavar="JSON", help="a report whose settings are taken, in place of tuning"
    )
    parser.add_argument("--steps", type=int, default=20, help="sampling steps, of all methods")
    parser.add_argument("--processes", type=int, help="on a CPU one per core (default); each has one thread")
    parser.add_argument("--demo", type=Path, default=ROOT / "demo_model", help="folder of the demo model")
    parser.add_argument("--adapter", type=Path, help="another adapter than the folder's")
    parser.add_argument(
        "--trained", type=Path, default=CACHE / "benchmark" / "trained", help="what bench_train.py made"
    )
    parser.add_argument(
        "--results", type=Path, default=CACHE / "benchmark" / "results", help="stored pictures, scores and the report"
    )
    parser.add_argument("--publish", action="store_true", help="write the report into docs and the README as well")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    start()
    import torch

    from devtools.pack import load_pack

    load_pack()
    torch.set_num_threads(1)  # of the processor: a process per core is faster, and costs compare
    from benchmark.drawing import Bench
    from benchmark.places import Places
    from benchmark.workers import painters

    places = Places(
        options.demo, options.adapter or options.demo / "adapter.safetensors", options.trained, options.results
    )
    names = chosen(options.methods, places)
    with painters(places, options.processes or default_processes()) as draw:
        bench = Bench(places, draw, lambda text: print(text, flush=True))
        drawn = draw_all(bench, names, options)
    command = " ".join(
        ["python scripts/dev.py bench", *(arguments if arguments is not None else sys.argv[1:])]
    ).replace(str(Path.home()), "~")
    write_report(options, places, drawn, command)


def default_processes() -> int:
    import torch

    return 1 if torch.cuda.is_available() else max(1, min(os.cpu_count() or 1, 8))


def chosen(names: list[str] | None, places) -> list[str]:
    """The methods to run; without `names` those whose weights are there, the others said.
    Raises ValueError for unusable names."""
    from benchmark.methods import METHODS

    unknown = sorted(set(names or ()) - set(METHODS))
    if unknown:
        raise ValueError(f"there is no method {', '.join(unknown)}; there are {', '.join(METHODS)}")
    problems = {name: METHODS[name].problem(places) for name in names or METHODS}
    for sentence in filter(None, problems.values()):
        if names:
            raise ValueError(sentence)
        print(f"left out: {sentence}", flush=True)
    left = [name for name, problem in problems.items() if problem is None]
    if not left:
        raise ValueError("no method has its weights")
    return left


def draw_all(bench, names: list[str], options: argparse.Namespace) -> dict:
    """{method: (job, choice)}, complete, the ceiling first."""
    from benchmark.costs import costs
    from benchmark.drawing import CEILING, Job
    from benchmark.sampling import Sampler

    sampler, own = Sampler(options.steps), [(n, n) for n in range(options.layouts)]
    jobs = {CEILING: (Job(CEILING, {}, "test", sampler), {})}
    bench.complete(jobs[CEILING][0], own)
    for name, choice in choices(bench, names, options, sampler).items():
        jobs[name] = (Job(name, choice["settings"], "test", sampler), choice)
    pairs = [*own, *more_seeds(options.layouts)]
    for number, name in enumerate(names, 1):
        bench.complete(jobs[name][0], pairs, ahead=(len(names) - number) * len(pairs))
    found = costs(
        {name: jobs[name][0] for name in names}, range(min(COST_LAYOUTS, options.layouts)), bench.places, bench.say
    )
    for name in names:
        jobs[name][1]["cost"] = found[name]
    return {name: (bench.results(job), choice) for name, (job, choice) in jobs.items()}


def choices(bench, names: list[str], options: argparse.Namespace, sampler) -> dict[str, dict]:
    """What tuning chose for every method; one that is like another waits for that one's settings."""
    from benchmark.methods import METHODS
    from benchmark.tuning import record_choice, tune

    if options.settings:
        return published_choices(names, json.loads(options.settings.read_text())["methods"])
    found: dict[str, dict] = {}

    def choose(name: str) -> dict:
        if name not in found:
            like = METHODS[name].like
            found[name] = tune(bench, name, options.tuning_layouts, sampler, choose(like)["settings"] if like else None)
            record_choice(options.results / "tuning.json", name, found[name])
        return found[name]

    return {name: choose(name) for name in names}


def published_choices(names: list[str], rows: dict) -> dict[str, dict]:
    """What tuning chose for every method when ``rows`` were published; of one that is not there, what it is like."""
    from benchmark.methods import METHODS

    like = {name: name if name in rows else METHODS[name].like for name in names}
    if unknown := sorted(name for name in names if like[name] not in rows):
        raise ValueError(f"that report has no settings for {', '.join(unknown)}; leave --settings out")
    return {
        name: {
            "settings": {**METHODS[name].first, **rows[like[name]]["settings"]},
            "layouts": rows[like[name]]["tuning_layouts"],
        }
        for name in names
    }


def more_seeds(layouts: int) -> list[tuple[int, int]]:
    return [(n, n + k * SEED_STEP) for n in range(min(DIVERSE_LAYOUTS, layouts)) for k in range(1, MORE_SEEDS + 1)]


def write_report(options: argparse.Namespace, places, drawn: dict, command: str) -> None:
    from benchmark import report
    from benchmark.drawing import CEILING
    from benchmark.layouts import case_of
    from benchmark.methods import METHODS
    from devtools.shell import output

    rows = {
        name: report.Drawn(
            results,
            options.layouts,
            () if name == CEILING else more_seeds(options.layouts),
            about(name, choice, places),
        )
        for name, (results, choice) in drawn.items()
    }
    ceiling = rows.pop(CEILING)
    found = report.document(
        rows,
        ceiling,
        [name for name, method in METHODS.items() if not method.trained],
        command,
        output(["git", "-C", ROOT, "rev-parse", "HEAD"]),
    )
    cases = [case_of("test", n) for n in range(min(SHEET_LAYOUTS, options.layouts))]
    columns = {
        rows[name].about["title"] if name in rows else report.CEILING: drawn[name][0] for name in SHEET if name in drawn
    }
    for folder in (options.results, *([DOCS] if options.publish else [])):
        write_files(folder, found, cases, columns, logs(places, rows))
    if options.publish:
        report.write_page(README, report.readme_part(found))
        report.write_page(PAGE, report.page_part(found))
    print(
        report.table(found),
        f"the report is in {options.results}" + (" and in docs" if options.publish else ""),
        sep="\n\n",
    )


def write_files(folder: Path, found: dict, cases: list, columns: dict, logs: dict[str, Path]) -> None:
    from benchmark import plots

    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    (folder / "demo_benchmark.json").write_text(json.dumps(found, indent=1) + "\n")
    plots.plot_levels(found, images / "demo_benchmark_levels.png")
    plots.plot_cost(found, images / "demo_benchmark_cost.png")
    plots.contact_sheet(cases, columns, images / "demo_benchmark_sheet.png")
    if logs:
        plots.plot_losses(found, logs, images / "demo_benchmark_losses.png")


def about(name: str, choice: dict, places) -> dict:
    """What the report says of a method beside its scores."""
    from safetensors import safe_open

    from benchmark.methods import METHODS
    from benchmark.places import digest

    if name not in METHODS:
        return {}
    method = METHODS[name]
    found = {
        "title": method.title,
        "settings": choice["settings"],
        "tuning_layouts": choice["layouts"],
        **choice["cost"],
        "weights": {
            path.name if path.parent == places.demo else f"{path.parent.name}/{path.name}": digest(path)
            for path in method.files(places)
        },
    }
    if method.trained:
        files = method.files(places)
        with safe_open(places.adapter if places.adapter in files else files[-1], "pt") as file:
            steps = (file.metadata() or {}).get("training_steps")
        found |= {"steps_trained": int(steps)} if steps else {}
    if method.beside:
        found["beside"] = method.beside
    if method.palette:
        found["palette"] = dict(method.palette)
    cost = places.trained / name / "cost.json"
    return found | ({"training_cost": json.loads(cost.read_text())} if cost.is_file() else {})


def logs(places, rows: dict) -> dict[str, Path]:
    """The training logs that are there, by name."""
    files = {name: (CACHE / "adapter" if name == "roictrl" else places.trained / name) / "log.csv" for name in rows}
    return {name: file for name, file in files.items() if file.is_file()}


if __name__ == "__main__":
    try:
        main()
    except ValueError as error:
        sys.exit(f"bench_control.py: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped; the same command goes on")
