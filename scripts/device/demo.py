"""The demo model with and without its boxes, and what the judge sees in them."""

from __future__ import annotations

import time
from argparse import Namespace

from demo_world.judge import judge, summarise
from devtools.pack import ROOT

from .stages import Wrong
from .start import start, synchronise

DEMO = ROOT / "demo_model"
LAYOUTS, STEPS, CFG = 20, 20, 2.0
SMALL = {"layouts": 1, "steps": 8}
OBEYED = 0.8  # of the boxes, at the least; on a CPU it is .96, without control under .01 (the demo benchmark)


def run(options: Namespace) -> None:
    """A row each without control and at every speed: boxes that hold what they say, time per picture."""
    start(options.device)
    from roictrl_pack.nodes.demo_model.files import load_demo
    from roictrl_pack.nodes.patch.control import PROMPT

    from benchmark import prepare, sampling
    from benchmark.layouts import case_of

    layouts, steps = (SMALL["layouts"], SMALL["steps"]) if options.small else (LAYOUTS, STEPS)
    cases = [case_of("tuning", number) for number in range(layouts)]
    seeds, sampler = [case.number for case in cases], sampling.Sampler(steps)
    parts = prepare.with_adapter(prepare.Parts(*load_demo(DEMO)), DEMO / "adapter.safetensors")
    wanted = [(case.boxes, case.wanted) for case in cases]
    count = sum(len(boxes) for boxes, _ in wanted)
    print(f"{layouts} layouts with {count} boxes in one batch, {steps} steps, guidance {CFG:g}.")
    print("The first row's time includes what a device prepares once.\n")
    print("| | boxes obeyed | mean IoU | s/picture |\n|---|---|---|---|")
    obeyed = {}
    for name in ("without control", "exact", "balanced", "fast"):
        settings = {"uncond_boxes": PROMPT, "speed": name}
        prepared = prepare.global_prompts if name == "without control" else prepare.roictrl_rows
        began = time.perf_counter()
        conditioned = prepared(parts, cases, settings)
        pictures = sampling.sample(parts.vae, conditioned, cases[0].size, CFG, sampler, seeds)
        synchronise(options.device)
        seconds = (time.perf_counter() - began) / layouts
        found = summarise([v for picture, of in zip(pictures, wanted, strict=True) for v in judge(picture, *of)])
        obeyed[name] = found["isr"]
        print(f"| {name} | {found['isr']:.0%} | {found['iou']:.2f} | {seconds:.2f} |", flush=True)
    if any(share < OBEYED for name, share in obeyed.items() if name != "without control"):
        raise Wrong(f"fewer than {OBEYED:.0%} of the boxes hold what they say.")
