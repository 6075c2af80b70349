"""A quick look at the demo model on held-out layouts: some of bench_control.py's methods
at given guidances, nothing stored.

    python scripts/demo_evaluate.py [--folder demo_model] [--adapter FILE] [--split test] [--layouts 100]
        [--methods roictrl] [--cfg 1.5 2]

Layouts have 2 to 6 instances in turn; one picture each through ComfyUI's own sampler, seed = layout number. Beside
the rates it says how often each attribute is right. Writes a JSON report and a sheet of pictures into the cache folder.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from PIL import Image

from demo_common import CACHE, start
from demo_world.judge import judge, summarise
from demo_world.world import render
from devtools.pack import ROOT, load_pack

start()
load_pack()
from benchmark.drawing import BATCH, CEILING, Job, Painter  # noqa: E402
from benchmark.layouts import LEVELS, SPLITS, Case, case_of  # noqa: E402
from benchmark.methods import METHODS  # noqa: E402
from benchmark.places import Places  # noqa: E402
from benchmark.sampling import Sampler  # noqa: E402


def evaluate(painter: Painter, job: Job, cases: list[Case]) -> tuple[dict, list[np.ndarray]]:
    """(report, pictures): rates over all instances and per level."""
    started, pictures, verdicts = time.time(), [], {level: [] for level in LEVELS}
    for first in range(0, len(cases), BATCH):
        batch = cases[first : first + BATCH]
        pictures += painter.paint(job, batch, [case.number for case in batch])
    for case, picture in zip(cases, pictures, strict=True):
        verdicts[case.level] += judge(picture, case.boxes, case.wanted)
    report = {k: round(v, 4) for k, v in summarise([v for level in verdicts.values() for v in level]).items()}
    report["levels"] = {level: round(summarise(found)["isr"], 4) for level, found in verdicts.items() if found}
    report["seconds_per_picture"] = round((time.time() - started) / len(cases), 2)
    return report, pictures


def sheet(cases: list[Case], columns: dict[str, list[np.ndarray]]) -> Image.Image:
    """A row per layout: the wanted picture, then each method's."""
    rows = [
        np.concatenate([render(case.scene), *(pictures[i] for pictures in columns.values())], 1)
        for i, case in enumerate(cases)
    ]
    half = (len(rows) + 1) // 2
    rows += [np.zeros_like(rows[0])] * (2 * half - len(rows))
    return Image.fromarray(np.concatenate([np.concatenate(rows[:half]), np.concatenate(rows[half:])], 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--folder", type=Path, default=ROOT / "demo_model")
    parser.add_argument("--adapter", type=Path, help="another adapter than the folder's")
    parser.add_argument("--split", choices=SPLITS, default="test")
    parser.add_argument("--layouts", type=int, default=100)
    parser.add_argument("--methods", nargs="+", default=[CEILING, "prompt", "roictrl"], choices=[CEILING, *METHODS])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--cfg", type=float, nargs="+", default=[2.0])
    parser.add_argument("--sampler", default="euler")
    parser.add_argument("--scheduler", default="normal")
    parser.add_argument("--out", default="evaluation")
    a = parser.parse_args()
    places = Places(
        a.folder,
        a.adapter or a.folder / "adapter.safetensors",
        CACHE / "benchmark" / "trained",
        CACHE / "benchmark" / "results",
    )
    painter, cases, report, columns = Painter(places), [case_of(a.split, number) for number in range(a.layouts)], {}, {}
    for method in a.methods:
        for cfg in a.cfg if method != CEILING else [1.0]:
            name = f"{method} cfg {cfg:g}" if len(a.cfg) > 1 else method
            settings = {**(METHODS[method].first if method != CEILING else {}), "cfg": cfg}
            job = Job(method, settings, a.split, Sampler(a.steps, a.sampler, a.scheduler))
            report[name], columns[name] = evaluate(painter, job, cases)
            print(name, json.dumps(report[name]), flush=True)
    (CACHE / f"{a.out}.json").write_text(
        json.dumps({"arguments": {k: str(v) for k, v in vars(a).items()}, "methods": report}, indent=1)
    )
    sheet(cases[:16], columns).save(CACHE / f"{a.out}.png")


if __name__ == "__main__":
    main()
