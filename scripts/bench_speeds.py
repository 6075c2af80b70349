"""What the speeds of Apply ROICtrl cost: `dev.py cost --speeds`, a row of whose table is measured here, in one process.

A computed and a reused step are timed in turn with the plain UNet's, round by round, and the medians weighted by the
share of a picture's steps that a speed computes.  FLOPs are counted of the same steps.
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict
from contextlib import nullcontext

from bench_unet import build, sample, synchronised
from devtools.pack import pack_module

PICTURE = 20  # steps of the picture whose steps are weighted
TURN = {"speed": "balanced", "computed_share": 0.0, "compute_every": 2}  # computed, reused, computed
KINDS = {"exact": ("negative prompt", False), "balanced": ("negative prompt", True), "fast": ("off", True)}
HEAD = (
    "| px | boxes | s/step, plain | exact | balanced | fast | GFLOPs/step, plain | exact | balanced | fast |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)


def measure(options: argparse.Namespace, size: int, count: int) -> dict:
    """{"plain": [seconds, FLOPs], "exact", "balanced", "fast": the same, a step of each on average; "computed": how
    many of a picture's steps balanced and fast compute; "whole": seconds of whole pictures, plain and fast}."""
    import torch

    with torch.inference_mode():
        model, _, _, conds = build(options, size, count)
        shape = (1, 4, size // 8, size // 8)
        models = {"plain": model} | {
            uncond: build(options, size, count, model, uncond_boxes=uncond, **TURN)[1]
            for uncond in ("negative prompt", "off")
        }
        seconds, flops = defaultdict(list), {}
        for number in range(options.rounds):
            for name, patched in models.items():
                times, counts = steps(patched, conds, shape, 2 if name == "plain" else 3, counted=number == 0)
                for step, kind in enumerate(("reused", "computed"), 1) if name != "plain" else [(1, "plain")]:
                    seconds[name, kind].append(times[step])
                    if counts:
                        flops[name, kind] = counts[step]
        speed = pack_module("nodes.speed")
        computed = computed_steps(model, speed.SHARE, speed.EVERY)
        found = {"plain": [statistics.median(seconds["plain", "plain"]), flops["plain", "plain"]], "computed": computed}
        for speed, (uncond, reuses) in KINDS.items():
            share = computed / PICTURE if reuses else 1.0
            found[speed] = [
                share * of[uncond, "computed"] + (1 - share) * of[uncond, "reused"]
                for of in ({key: statistics.median(taken) for key, taken in seconds.items()}, flops)
            ]
        if options.whole:
            found["whole"] = whole(model, build(options, size, count, model, speed="fast")[1], conds, shape)
    return found


def whole(model, fast, conds: tuple, shape: tuple) -> list[float]:
    """Seconds of the steps of a whole plain and a whole fast picture, a plain step after each fast one: whatever else
    the machine does meets both."""
    plain, taken, clock = [], [], [synchronised()]

    def after_step(*_) -> None:
        now = synchronised()
        taken.append(now - clock[0])
        patcher = model.model.current_patcher  # which the end of another sampling takes away
        plain.append(steps(model, conds, shape, 1)[0][0])
        model.model.current_patcher = patcher
        clock[0] = synchronised()

    sample(fast, conds, shape, PICTURE, after_step)
    return [sum(plain), sum(taken)]


def steps(model, conds: tuple, shape: tuple, count: int, counted: bool = False) -> tuple[list[float], list[int]]:
    """(seconds, FLOPs where ``counted``) of each step of one picture."""
    from devtools.flops import check_attention_is_counted, flop_counter

    if counted:
        check_attention_is_counted()
    clock, totals, counter = [synchronised()], [0], flop_counter()

    def after_step(*_) -> None:
        clock.append(synchronised())
        totals.append(counter.get_total_flops() if counted else 0)

    with counter if counted else nullcontext():
        sample(model, conds, shape, count, after_step)
    taken = [after - before for before, after in zip(clock[:-1], clock[1:], strict=True)]
    return taken, [after - before for before, after in zip(totals[:-1], totals[1:], strict=True)] if counted else []


def computed_steps(model, share: float, every: int) -> int:
    """How many of a picture's steps are computed on the "normal" schedule."""
    import comfy.samplers

    serving_step = pack_module("roictrl_core.steps").serving_step
    sampling = model.get_model_object("model_sampling")
    sigmas = comfy.samplers.calculate_sigmas(sampling, "normal", PICTURE).tolist()[:-1]
    full = sum(sigma > sampling.percent_to_sigma(share) for sigma in sigmas)
    return len({serving_step(step, full, every) for step in range(PICTURE)})


def as_line(row: tuple[int, int], found: dict) -> str:
    """One row of the table; ratios to the plain step, of time and of FLOPs."""
    times, counts = ({kind: found[kind][which] for kind in ("plain", *KINDS)} for which in (0, 1))
    ratios = [[f"{of[kind] / of['plain']:.2f}" for kind in KINDS] for of in (times, counts)]
    cells = [*row, f"{times['plain']:.2f}", *ratios[0], f"{counts['plain'] / 1e9:.0f}", *ratios[1]]
    line = f"| {' | '.join(map(str, cells))} |"
    if "whole" in found:
        plain, fast = found["whole"]
        line += f"\nA picture of {PICTURE} steps: {plain:.1f} s plain, {fast:.1f} s fast, {fast / plain:.2f} times."
    return line
