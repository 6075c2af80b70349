"""Whether the pack computes right on a GPU, and what it costs there: one command, under 8 minutes.

    python scripts/device_check.py --device cuda --log FILE    a page for docs/, written line by line
    python scripts/device_check.py --device cpu --small        the same stages on small models, here
    python scripts/device_check.py --stages goldens paper      some of them

The environment; the golden files in fp32, fp16 and bf16; the demo model with its judge; what boxes cost in a step; the
paper's setting (1024 px, 25 boxes, 50 steps, CFG) at every speed, and masked attention beside it; training at SD1.5's
size; loading with little memory. Weights are the demo model's, the golden files', or random.

Needs ComfyUI at COMFYUI_PATH and a Python with torch and what ComfyUI imports; installs nothing, uses no network. Every
stage is a process with a time limit of its own: one that runs out is said, and the next goes on.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from device.stages import SMALL_LIMIT, STAGES, Log, Stage, command_of, run_here, run_stage


def main(arguments: list[str] | None = None) -> int:
    """All stages; 0 where each came to a good end."""
    options = parse(arguments)
    if options.stage:
        return run_here(options.stage, options)
    if options.device == "cpu":  # two threads on a busy machine wait for each other most of the time
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    log, began, good = Log(options.log), time.monotonic(), []
    log.add("# Device check")
    log.add(f"\n`python scripts/device_check.py --device {options.device}{' --small' * options.small}`")
    for name in options.stages:
        stage = STAGES[name]
        if options.small:
            stage = Stage(stage.title, SMALL_LIMIT, stage.packages)
        good.append(run_stage(stage, command_of(__file__, name, options), log))
        if name == "environment" and not good[-1]:
            log.add("\nNothing else was run.")
            break
    log.add(f"\n{sum(good)} of {len(options.stages)} stages came to a good end, in {time.monotonic() - began:.0f} s.")
    return int(sum(good) < len(options.stages))


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda")
    parser.add_argument("--small", action="store_true", help="small models and few steps")
    parser.add_argument("--log", type=Path, metavar="FILE", help="also write everything to a file")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES), metavar="STAGE")
    parser.add_argument("--stage", choices=STAGES, help=argparse.SUPPRESS)  # a child
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
