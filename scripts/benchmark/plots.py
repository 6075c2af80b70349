"""Plots and the contact sheet, from stored results and logs. All of the demo model, and they say so."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from demo_world.world import SIZE

from .layouts import Case
from .store import Results

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f", "#000000")  # Okabe and Ito's
MARKERS = "osD^vP*X"
RIGHT, WRONG = "#35d732", "#ff3b30"
BARE = "prompt"  # the row that nothing controls, which both kinds of methods are read against
GAP, HEAD = 6, 48  # px of the sheet


Rows = Mapping[str, Mapping]


def panels(rows: Rows, untrained: Sequence[str] = ()) -> dict[str, Rows]:
    """The report's rows by panel: the methods, those that need no training beside each other where there are several,
    and what was trained at the ablations' budget."""
    apart = [name for name in untrained if name in rows and name != BARE]
    # Settings that save work are read beside ROICtrl as well, with its own weights.
    trained = {name: found["beside"] for name, found in rows.items() if "beside" in found and "training_cost" in found}
    ablations = {name: found for name, found in rows.items() if name in (*trained, *trained.values())}
    groups = {
        "methods": {name: found for name, found in rows.items() if name not in (*ablations, *apart)},
        "without training": {name: found for name, found in rows.items() if name in (BARE, *apart)} if apart else {},
        "ablations, short budget": ablations,
    }
    return {title: group for title, group in groups.items() if group}


def _figure(report: Mapping, across: str, up: str, draw: Callable[[object, Rows], None], path: Path) -> None:
    """Draws every panel beside the other, the legend under each."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    groups = panels(report["methods"], report.get("untrained", ()))
    figure, row = pyplot.subplots(1, len(groups), figsize=(5.5 * len(groups), 5.5), layout="constrained", squeeze=False)
    for axes, (title, group) in zip(row[0], groups.items(), strict=True):
        axes.set(title=f"{title} (demo model)", xlabel=across, ylabel=up)
        axes.grid(alpha=0.3)
        draw(axes, group)
        axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2, frameon=False)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _style(index: int) -> dict:
    """Of line `index`: the colours come round again with other markers."""
    return {"color": COLOURS[index % len(COLOURS)], "marker": MARKERS[(index + index // len(COLOURS)) % len(MARKERS)]}


def plot_levels(report: Mapping, path: Path) -> None:
    """ISR by the number of instances, with intervals."""
    levels = [int(level) for level in report["ceiling"]["levels"]]

    def draw(axes, rows: Rows) -> None:
        for index, found in enumerate(rows.values()):
            values = np.array([level["isr"] for level in found["levels"].values()])
            spread = np.abs(np.array([level["interval"] for level in found["levels"].values()]).T - values)
            shift = (index - len(rows) / 2) * 0.03  # so that intervals do not hide one another
            axes.errorbar(
                np.array(levels) + shift,
                values,
                spread,
                capsize=2,
                label=found["title"],
                linewidth=1.2,
                markersize=4,
                **_style(index),
            )
        axes.plot(
            levels,
            [level["isr"] for level in report["ceiling"]["levels"].values()],
            ":",
            color="black",
            label="VAE round trip of ground truth",
        )
        axes.set(xticks=levels, ylim=(-0.02, 1.02))

    _figure(report, "instances per picture", "ISR", draw, path)


def pareto(rows: Rows) -> list[tuple[float, float]]:
    """(seconds, ISR) of the rows that no other is both faster than and as good as, from the fastest on."""
    front: list[tuple[float, float]] = []
    points = [(found["seconds"], found["isr"]) for found in rows.values()]
    for seconds, isr in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or isr > front[-1][1]:
            front.append((seconds, isr))
    return front


def joined(reports: Sequence[Mapping], unit: str) -> Mapping:
    """One report of several: the seconds of every row are multiples of the method ``unit``'s in its own report."""
    rows: dict[str, Mapping] = {}
    for report in reports:
        second = report["methods"][unit]["seconds"]
        for name, found in report["methods"].items():
            rows.setdefault(name, {**found, "seconds": found["seconds"] / second})
    untrained = dict.fromkeys(name for report in reports for name in report["untrained"])
    return {**reports[0], "methods": rows, "untrained": list(untrained)}


def plot_cost(report: Mapping, path: Path, unit: str = "seconds") -> None:
    """ISR against the time of a picture, and a line along the best at every price."""
    most = max(found["seconds"] for found in report["methods"].values())

    def draw(axes, rows: Rows) -> None:
        for index, found in enumerate(rows.values()):
            low, high = found["interval"]
            axes.errorbar(
                found["seconds"],
                found["isr"],
                [[found["isr"] - low], [high - found["isr"]]],
                capsize=2,
                label=found["title"],
                linestyle="none",
                markersize=6,
                **_style(index),
            )
        times, rates = zip(*pareto(rows), (1.1 * most, max(found["isr"] for found in rows.values())), strict=True)
        axes.step(times, rates, ":", where="post", color="black", linewidth=1, label="best at its price")
        axes.set(xlim=(0, 1.1 * most), ylim=(-0.02, 1.02))

    _figure(report, f"time of a picture, {unit}", "ISR", draw, path)


def plot_losses(report: Mapping, logs: Mapping[str, Path], path: Path) -> None:
    """Prediction losses of the runs by optimiser step, each the mean of a window:
    single steps are noise. logs: by name."""

    def draw(axes, rows: Rows) -> None:
        for index, (name, found) in enumerate(rows.items()):
            with logs[name].open(newline="") as file:
                points = [(int(row["step"]), float(row["prediction_loss"])) for row in csv.DictReader(file)]
            steps, losses = np.array(points, float).T
            window = max(1, len(steps) // 20)
            kept = len(steps) // window * window
            axes.plot(
                steps[:kept].reshape(-1, window).mean(1),
                losses[:kept].reshape(-1, window).mean(1),
                label=found["title"],
                linewidth=1.2,
                markersize=3,
                **_style(index),
            )

    logged = {name: found for name, found in report["methods"].items() if name in logs}
    _figure({"methods": logged}, "optimiser step", "prediction loss", draw, path)


def contact_sheet(cases: Sequence[Case], columns: Mapping[str, Results], path: Path) -> None:
    """A row per layout, a column per method; a box is green where the judge found what its caption says, else red."""
    titles = ["captions", *columns]
    sheet = Image.new("RGB", (len(titles) * (SIZE + GAP) + GAP, HEAD + len(cases) * (SIZE + GAP)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for column, title in enumerate(titles):
        draw.multiline_text((GAP + column * (SIZE + GAP), 4), _wrapped(title, 22), fill="black", font=font, spacing=2)
    for row, case in enumerate(cases):
        top = HEAD + row * (SIZE + GAP)
        sheet.paste(_captions(case), (GAP, top))
        for column, results in enumerate(columns.values(), 1):
            picture = Image.fromarray(results.picture(case.number, case.number))
            _outline(picture, case, results.records[case.number, case.number].marks.successes)
            sheet.paste(picture, (GAP + column * (SIZE + GAP), top))
    sheet.quantize(255).save(path, optimize=True)


def _captions(case: Case) -> Image.Image:
    tile = Image.new("RGB", (SIZE, SIZE), "white")
    lines = [_wrapped(f"{number}. {caption}", 26) for number, caption in enumerate(case.captions, 1)]
    ImageDraw.Draw(tile).multiline_text(
        (0, 0), "\n".join(lines), fill="black", font=ImageFont.load_default(9), spacing=1
    )
    return tile


def _outline(picture: Image.Image, case: Case, successes: Sequence[bool]) -> None:
    draw = ImageDraw.Draw(picture)
    for box, success in zip(case.boxes, successes, strict=True):
        draw.rectangle([side * case.size for side in box], outline=RIGHT if success else WRONG)


def _wrapped(text: str, width: int) -> str:
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = "   " + word if text[0].isdigit() else word
        else:
            line = f"{line} {word}".lstrip() if line else word
    return "\n".join([*lines, line])
