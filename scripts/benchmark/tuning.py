"""Chooses a method's settings on the tuning layouts: one setting after the other,
each by climbing from where it stands.

Guidance comes last, since all methods have it. The best has the highest sum of ISR and mIoU,
the table's two figures for control.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .drawing import Bench, Job
from .methods import CFG, FIRST_CFG, METHODS
from .sampling import Sampler
from .scores import measures

SPLIT = "tuning"


def climb(values: Sequence, first: Any, score: Callable[[Any], float]) -> Any:
    """From `first` to the neighbour that is better, until none is; `values` in order, each scored at most once."""
    known: dict[int, float] = {}

    def at(index: int) -> float:
        if index not in known:
            known[index] = score(values[index])
        return known[index]

    here = values.index(first)
    while True:
        best = max((i for i in (here, here - 1, here + 1) if 0 <= i < len(values)), key=at)
        if best == here:
            return values[here]
        here = best


def tune(bench: Bench, name: str, layouts: int, sampler: Sampler, like: Mapping[str, Any] | None = None) -> dict:
    """{"settings", "isr", "miou", "layouts", "tried": [{"settings", "isr", "miou"}]} of a method.

    like: the settings of the method that it is like, from which it begins; it has no choices of its own but guidance.
    """
    method, tried = METHODS[name], []
    settings: dict[str, Any] = {**method.first, "cfg": FIRST_CFG, **(like or {})}

    def score(candidate: dict) -> tuple[float, float]:
        results = bench.complete(Job(name, candidate, SPLIT, sampler), [(n, n) for n in range(layouts)])
        rates = measures([record.marks for record in results.of(layouts)])
        found = round(rates["isr"].value, 4), round(rates["miou"].value, 4)
        entry = {"settings": candidate, "isr": found[0], "miou": found[1]}
        if entry not in tried:
            tried.append(entry)
        return found

    for setting, values in {**method.choices, "cfg": CFG}.items():
        settings[setting] = climb(
            values, settings[setting], lambda value, setting=setting: sum(score({**settings, setting: value}))
        )
    isr, miou = score(settings)
    bench.say(
        f"{name}: {settings}, ISR {isr:.3f}, mIoU {miou:.3f} on {layouts} tuning layouts, "
        f"of {len(tried)} settings tried"
    )
    return {"settings": settings, "isr": isr, "miou": miou, "layouts": layouts, "tried": tried}


def record_choice(path: Path, name: str, choice: dict) -> None:
    """Keeps every method's last choice, and what was tried, in one file to read."""
    known = json.loads(path.read_text()) if path.is_file() else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**known, name: choice}, indent=1))
