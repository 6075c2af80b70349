"""How much of the schedule to compute: control on the demo benchmark's tuning layouts, and how many steps that is.

    python scripts/bench_reuse.py                                  both speeds, shares and intervals around the node's
    python scripts/bench_reuse.py --speeds fast --shares 0.2 --every 2 4 8 --layouts 60

Settings other than the speed's are the published ones (docs/demo_benchmark.json).  Every picture is stored at once;
started again, the command goes on where it was.  Demo model.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from demo_common import CACHE, start
from devtools.pack import ROOT, load_pack


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speeds", nargs="+", choices=["balanced", "fast"], default=["balanced", "fast"])
    parser.add_argument("--shares", type=float, nargs="+", default=[0.1, 0.2, 0.3, 0.4])
    parser.add_argument("--every", type=int, nargs="+", default=[2, 4, 6])
    parser.add_argument("--layouts", type=int, default=100)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--results", type=Path, default=CACHE / "benchmark" / "results")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    start()
    import torch

    load_pack()
    torch.set_num_threads(1)
    from benchmark.drawing import Bench
    from benchmark.places import Places
    from benchmark.workers import painters

    demo = ROOT / "demo_model"
    places = Places(demo, demo / "adapter.safetensors", CACHE / "benchmark" / "trained", options.results)
    print(
        "| speed | share in full | then every | steps computed | ISR | mIoU | leakage |\n|---|---|---|---|---|---|---|"
    )
    with painters(places, options.processes) as draw:
        bench = Bench(places, draw, lambda text: None)
        print(line(bench, options, "exact", 1.0, 1), flush=True)
        for speed in options.speeds:
            for share in options.shares:
                for every in options.every:
                    print(line(bench, options, speed, share, every), flush=True)


def line(bench, options: argparse.Namespace, speed: str, share: float, every: int) -> str:
    """One row of the table."""
    from bench_speeds import PICTURE, computed_steps
    from benchmark.drawing import Job, Painter
    from benchmark.sampling import Sampler
    from benchmark.scores import measures

    published = json.loads((ROOT / "docs" / "demo_benchmark.json").read_text())["methods"]["roictrl"]["settings"]
    settings = {**published, "speed": speed, "computed_share": share, "compute_every": every}
    model = Painter(bench.places).parts("prompt").model
    pairs = [(n, n) for n in range(options.layouts)]
    results = bench.complete(Job("roictrl", settings, "tuning", Sampler(PICTURE)), pairs)
    rates = measures([record.marks for record in results.of(options.layouts)])
    found = " | ".join(f"{rates[name].value:.3f}" for name in ("isr", "miou", "leakage"))
    return f"| {speed} | {share:g} | {every} | {computed_steps(model, share, every)} of {PICTURE} | {found} |"


if __name__ == "__main__":
    main()
