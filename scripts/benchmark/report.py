"""Stored results -> docs/demo_benchmark.json and the tables that are made from it. Nothing here draws or judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from demo_world.judge import IOU_SUCCESS
from devtools import pages

from .layouts import LEVELS, case_of
from .palettes import Palette, described
from .scores import diversity, interval, measures, resampled
from .store import Record, Results

BEGIN, END = "<!-- demo benchmark: begin (written by scripts/bench_control.py) -->", "<!-- demo benchmark: end -->"
DIGITS = 4
RATES = ("isr", "miou", "leakage", "background", "strays")
CEILING = "VAE round trip of ground truth"


@dataclass(frozen=True)
class Drawn:
    """One method's results and what is known of it beside. seeds: further seeds of the first
    layouts, for the diversity."""

    results: Results
    layouts: int
    seeds: Sequence[tuple[int, int]] = ()
    about: Mapping | None = None


def entry(drawn: Drawn) -> dict:
    """A method's part of the JSON."""
    records = drawn.results.of(drawn.layouts)
    levels = [record.marks.instances for record in records]
    rates = measures([record.marks for record in records])
    found = {name: round(rates[name].value, DIGITS) for name in RATES}
    found["interval"], found["miou_interval"] = (_interval(rates[name], levels) for name in ("isr", "miou"))
    found["levels"] = {
        str(level): _of_level([r for r in records if r.marks.instances == level]) for level in LEVELS if level in levels
    }
    found["layouts"], found["instances"] = len(records), sum(levels)
    found["fit"] = _share([iou >= IOU_SUCCESS for record in records for iou in record.marks.iou])
    found["diversity"] = _diversity(drawn)
    about = drawn.about or {}
    return {**found, **about, **(_by_colour(records, about["palette"]) if "palette" in about else {})}


def _share(successes: Sequence[bool]) -> float:
    return round(float(np.mean(successes)), DIGITS)


def _by_colour(records: Sequence[Record], palette: Palette) -> dict[str, float]:
    """The ISR of instances whose colour the palette exchanges, and of the others."""
    successes: dict[bool, list[bool]] = {True: [], False: []}
    for record in records:
        for wanted, success in zip(case_of("test", record.layout).wanted, record.marks.successes, strict=True):
            successes[wanted.colour in palette].append(success)
    return {"isr_exchanged": _share(successes[True]), "isr_others": _share(successes[False])}


def _of_level(records: Sequence[Record]) -> dict:
    rates, level = measures([record.marks for record in records]), records[0].marks.instances
    return {
        **{name: round(rates[name].value, DIGITS) for name in RATES},
        "interval": _interval(rates["isr"], [level] * len(records)),
        "layouts": len(records),
    }


def _interval(measure, levels: Sequence[int]) -> list[float]:
    return [round(side, DIGITS) for side in interval(resampled(measure, levels))]


def _diversity(drawn: Drawn) -> float | None:
    """Mean over the layouts that were drawn from several seeds; None where none was."""
    by_layout: dict[int, list[int]] = {}
    for layout, seed in drawn.seeds:
        by_layout.setdefault(layout, [layout]).append(seed)
    values = [diversity([drawn.results.picture(layout, seed) for seed in seeds]) for layout, seeds in by_layout.items()]
    return round(float(np.mean(values)), DIGITS) if values else None


def ahead(reference: Drawn, other: Drawn, name: str = "isr") -> list[float]:
    """How much more the reference has of a rate: [value, low, high], a paired bootstrap on the same layouts."""

    def rate(one: Drawn):
        records = one.results.of(one.layouts)
        return measures([r.marks for r in records])[name], [r.marks.instances for r in records]

    (first, levels), (second, _) = rate(reference), rate(other)
    samples = resampled(first, levels) - resampled(second, levels)
    return [round(value, DIGITS) for value in (first.value - second.value, *interval(samples))]


def document(methods: Mapping[str, Drawn], ceiling: Drawn, untrained: Sequence[str], command: str, commit: str) -> dict:
    """docs/demo_benchmark.json."""
    entries = {name: entry(drawn) for name, drawn in methods.items()}
    for name, drawn in methods.items():
        if name != "roictrl" and "roictrl" in methods:
            entries[name]["roictrl_ahead_by"] = ahead(methods["roictrl"], drawn)
        beside = methods.get(entries[name].get("beside"))
        if beside is not None:
            entries[name]["beside_ahead_by"] = {rate: ahead(beside, drawn, rate) for rate in ("isr", "miou")}
    return {
        "methods": entries,
        "ceiling": entry(ceiling),
        "untrained": [name for name in untrained if name in methods],
        "command": command,
        "commit": commit,
    }


# ---- tables ----------------------------------------------------------------------------------------------------------
def table(report: Mapping) -> str:
    """The README's: a row per method, figures of the demo model."""
    lines = []
    rows = [(_name(name, found, report), found) for name, found in report["methods"].items()] + [
        (CEILING, report["ceiling"])
    ]
    for name, found in rows:
        low, high = found["interval"]
        levels = [_rate(found["levels"][level]["isr"]) if level in found["levels"] else "-" for level in ("2", "6")]
        cells = [
            name,
            _rate(found["isr"]),
            f"{_rate(low)} to {_rate(high)}",
            _rate(found["miou"]),
            *levels,
            _rate(found["leakage"]),
            f"{100 * found['background']:.1f} %",
            f"{found['seconds']:.1f}" if "seconds" in found else "-",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return _table(
        "| Demo model, method | ISR | 95 % interval | mIoU | L2 | L6 | leakage | background | s / picture |", lines
    )


def details(report: Mapping) -> str:
    """The benchmark page's: every level, settings, cost, and how far ROICtrl is ahead."""
    lines = []
    for name, found in [*report["methods"].items(), (None, report["ceiling"])]:
        levels = [
            _rate(found["levels"][str(level)]["isr"]) if str(level) in found["levels"] else "-" for level in LEVELS
        ]
        cells = [
            CEILING if name is None else _name(name, found, report),
            *levels,
            _rate(found["fit"]),
            f"{found['strays']:.2f}",
            "-" if found["diversity"] is None else f"{found['diversity']:.3f}",
            f"{found['peak_bytes'] / 1e6:.0f}" if "peak_bytes" in found else "-",
            ", ".join(f"{key} {value}" for key, value in found.get("settings", {}).items()) or "-",
            _training(found),
            _difference(found.get("roictrl_ahead_by")),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    levels = " | ".join(f"L{level}" for level in LEVELS)
    return _table(
        (
            f"| Demo model, method | {levels} | fit | strays | diversity | peak MB | settings | "
            "training | ROICtrl is ahead by |"
        ),
        lines,
    )


def ablations(report: Mapping) -> list[str]:
    """A table of the rows that were trained beside a ROICtrl of the same budget; nothing where there is none."""
    rows = [
        f"| {found['title']} | {_rate(found['isr'])} | {_rate(found['miou'])} | {_rate(found['fit'])} | "
        f"{_difference(found['beside_ahead_by']['isr'])} | {_difference(found['beside_ahead_by']['miou'])} |"
        for found in report["methods"].values()
        if "beside_ahead_by" in found
    ]
    header = "| Demo model, ablation | ISR | mIoU | fit | ROICtrl of the same budget is ahead by, ISR | mIoU |"
    return [_table(header, rows)] if rows else []


def palettes(report: Mapping) -> list[str]:
    """A table of the rows whose base draws colours in place of others; nothing where there is none."""
    rows = [
        (
            f"| {found['title']} | {described(found['palette'])} | {_rate(found['isr_exchanged'])} | "
            f"{_rate(found['isr_others'])} | {_rate(found['fit'])} |"
        )
        for found in report["methods"].values()
        if "palette" in found
    ]
    return (
        [_table("| Demo model, method | palette | ISR, these colours | ISR, other colours | fit |", rows)]
        if rows
        else []
    )


def _table(header: str, rows: Sequence[str]) -> str:
    return "\n".join([header, "|---" * (header.count("|") - 1) + "|", *rows])


def _difference(found: Sequence[float] | None) -> str:
    """[value, low, high] as a table has it."""
    return "-" if found is None else "{:+.3f} ({:+.3f} to {:+.3f})".format(*found)


def _training(found: Mapping) -> str:
    cost = found.get("training_cost")
    steps = f"{found['steps_trained']} steps" if "steps_trained" in found else "-"
    return (
        steps
        if cost is None
        else (
            f"{steps} of {cost['seconds_per_step']:.2f} s, {cost['kept_for_backward_bytes'] / 1e6:.0f} "
            "MB kept for the backward pass"
        )
    )


def readme_part(report: Mapping) -> str:
    """What stands between the README's markers."""
    return (
        "![Demo model: the same layouts by every method; boxes are green where the judge found what the caption "
        f"says](docs/images/demo_benchmark_sheet.png)\n\n{table(report)}"
    )


def page_part(report: Mapping) -> str:
    """What stands between the benchmark page's markers."""
    pictures = [
        f"![Demo model: {what}](images/demo_benchmark_{name}.png)"
        for name, what in (
            ("levels", "ISR by number of instances"),
            ("cost", "control against time"),
            ("losses", "training losses"),
            ("sheet", "contact sheet"),
        )
    ]
    return "\n\n".join([table(report), details(report), *ablations(report), *palettes(report), *pictures])


def _name(name: str, found: Mapping, report: Mapping) -> str:
    return found.get("title", name) + (" (no training)" if name in report["untrained"] else "")


def _rate(value: float) -> str:
    return f"{value:.3f}".lstrip("0") if value < 1 else f"{value:.2f}"


def between_markers(text: str, table: str) -> str:
    """The text with what is between the benchmark's two marker lines exchanged, as `pages.between_markers`."""
    return pages.between_markers(text, BEGIN, END, table)


def write_page(path: Path, table: str) -> None:
    path.write_text(between_markers(path.read_text(encoding="utf-8"), table), encoding="utf-8")
