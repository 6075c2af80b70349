"""Plots of what boxes cost.

    python scripts/plot_cost.py pareto    docs/images/demo_benchmark_cost.png: control against the time of a picture,
                                          all methods of docs/demo_benchmark*.json; times are multiples of ROICtrl's in
                                          the same run, since the reports are of several
    python scripts/plot_cost.py growth    docs/images/cost_growth.png: operations of a step against the number of boxes,
                                          their area and the resolution, and the figures as a table

Growth is of SD1.5's size and counted, not timed: the UNet's own operations on the meta device, and those that the
adapter's equations require, which is what the pack runs (tests/comfy/test_counted.py).  Wants COMFYUI_PATH.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from devtools.pack import ROOT

IMAGES = ROOT / "docs" / "images"
REPORTS = ("demo_benchmark.json", "demo_benchmark_speeds.json", "demo_benchmark_untrained.json")
WAYS = {"exact": False, "adaptive ROI size": True}
Curve = list[tuple[float, float, float]]  # across, times the plain step: exact, adaptive


def main() -> None:
    """Draws one of the plots."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plot", choices=["pareto", "growth"])
    parser.add_argument("--width", type=int, default=320, help="growth: the UNet's model channels; 320 is SD1.5")
    parser.add_argument("--out", type=Path, help="another file")
    options = parser.parse_args()
    if options.plot == "pareto":
        from benchmark.plots import joined, plot_cost

        reports = [json.loads((ROOT / "docs" / name).read_text()) for name in REPORTS]
        plot_cost(joined(reports, "roictrl"), options.out or IMAGES / "demo_benchmark_cost.png", "ROICtrl = 1")
        return
    panels = growth(options.width)
    for name, curve in panels.items():
        print(f"\n| {name} | exact | adaptive ROI size |\n|---|---|---|")
        for across, *times in curve:
            print(f"| {across:g} | {' | '.join(f'{ratio:.2f}' for ratio in times)} |")
    draw(panels, options.out or IMAGES / "cost_growth.png")


def growth(width: int) -> dict[str, Curve]:
    """By what grows: the operations of a step as multiples of the plain UNet's."""
    from devtools.inprocess import start_comfyui

    start_comfyui()
    from bench_unet import random_layout, unet_config
    from devtools.weightless import WeightlessUNet

    unet = WeightlessUNet(unet_config(width))
    plain = cache(unet.flops)

    def ratios(pixels: int, applies: Sequence[Sequence[tuple]]) -> tuple[float, ...]:
        added = (sum(unet.required(pixels, boxes, own) for boxes in applies) for own in WAYS.values())
        return tuple(1 + operations / plain(pixels) for operations in added)

    def boxes_of(count: int) -> list[tuple]:
        return [instance.box for instance in random_layout(512, count).instances]

    def stacked(count: int) -> list[list[tuple]]:
        slots = unet.config.slots
        return [boxes_of(count)[start : start + slots] for start in range(0, count, slots)]

    return {
        "boxes, 512 px, 30 to an Apply": [(n, *ratios(512, stacked(n))) for n in (1, 5, 10, 20, 30, 31, 60, 90, 100)],
        "% of the picture that each of 10 boxes covers, 512 px": [
            (100 * side**2, *ratios(512, [[(0.0, 0.0, side, side)] * 10])) for side in (0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
        ],
        "px of the picture's side, 25 boxes": [(px, *ratios(px, [boxes_of(25)])) for px in (256, 512, 768, 1024, 1536)],
    }


def draw(panels: dict[str, Curve], path: Path) -> None:
    """A panel for each, side by side."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    from benchmark.plots import COLOURS, MARKERS

    figure, row = pyplot.subplots(1, len(panels), figsize=(4.5 * len(panels), 4), layout="constrained")
    for axes, (name, curve) in zip(row, panels.items(), strict=True):
        across, *times = zip(*curve, strict=True)
        for way, ratio, colour, marker in zip(WAYS, times, COLOURS, MARKERS, strict=False):
            axes.plot(across, ratio, label=way, color=colour, marker=marker, linewidth=1.2, markersize=4)
        axes.set(xlabel=name, ylabel="operations of a step, plain UNet = 1", ylim=(1, None))
        axes.grid(alpha=0.3)
    row[0].legend(frameon=False)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


if __name__ == "__main__":
    main()
