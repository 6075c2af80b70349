"""What the boxes cost: a whole SD1.5 UNet with 0, 1, 5 and 25 instances, against the same UNet
without the pack in the same run.

    python scripts/dev.py cost                          full size, 512 and 1024 px, CPU
    python scripts/dev.py cost --width 64 --sizes 512   a fifth of the width
    python scripts/dev.py cost --device cuda            the same on a GPU, in fp16
    python scripts/dev.py cost --device cuda --paper    the paper's setting: 1024 px, 25 boxes, 50 steps, CFG, fp16
    python scripts/dev.py cost --speeds --instances 5 25   speed exact, balanced and fast, as bench_speeds.py says
    python scripts/dev.py cost --adaptive                  with adaptive ROI size, beside --speeds as well
    python scripts/dev.py cost --method instancediffusion              InstanceDiffusion, its fusers on in every step
    python scripts/dev.py cost --method instancediffusion --mis 0.36   whole pictures of its sampler,
                                                                       without and with branches
    python scripts/dev.py cost --method roi_prompts     Apply ROI Prompts, which needs no adapter
    python scripts/dev.py cost --method eligen          Qwen-Image and FLUX.1 of a small width, as bench_eligen.py says

Weights are random: cost does not depend on them. One process per row. Time: the fastest sampling step after the first,
Euler with CFG, cond and uncond in one batch. FLOPs: of one steady step, counted; "required":
what the method's equations ask for, as a share of what the boxes added. Memory: the process's peak (CPU)
or the allocator's (CUDA), weights included.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from collections.abc import Callable
from typing import NamedTuple

from bench_unet import CAPTION_TOKENS, PAPER, WITH, build, peak_bytes, picture, random_layout, sampled

STEPS = (
    "| px | instances | s/step, plain | s/step | ratio | GFLOPs/step, plain | added | required | peak MB |\n"
    "|---|---|---|---|---|---|---|---|---|"
)
PICTURES = (
    "| px | instances | s, PLMS | s, Multi-Instance Sampler | ratio | TFLOPs, PLMS | TFLOPs, Multi-Instance Sampler |\n"
    "|---|---|---|---|---|---|---|"
)


class Table(NamedTuple):
    """Its head, its rows, what a row's process measures of one, and the line that is printed of that."""

    head: str
    rows: list[tuple]
    measure: Callable[..., dict]
    line: Callable[[tuple, dict], str]


def main() -> None:
    """All rows, each in a process of its own, as a table."""
    options = arguments()
    table = table_of(options)
    if options.row is not None:
        print(json.dumps(measured(options, table)))
        return
    print(
        f"{options.method}, {platform.machine()}, {options.device}, width {options.width}, {options.threads} "
        f"threads, {options.steps} steps{', adaptive ROI size' if options.adaptive else ''}"
    )
    print(f"PLMS, share {options.mis:g}\n{table.head}" if options.mis else table.head)
    for number, row in enumerate(table.rows):
        print(table.line(row, json.loads(in_a_process(number))), flush=True)


def table_of(options: argparse.Namespace) -> Table:
    """What the command line asks for."""
    if options.method == "eligen":
        import bench_eligen

        return Table(bench_eligen.HEAD, bench_eligen.rows(options), bench_eligen.measure, bench_eligen.as_line)
    rows = (
        [(PAPER["size"], PAPER["instances"])]
        if options.paper
        else [(size, count) for size in options.sizes for count in options.instances]
    )
    if options.speeds:
        import bench_speeds

        return Table(bench_speeds.HEAD, rows, bench_speeds.measure, bench_speeds.as_line)
    return Table(PICTURES, rows, measure_pictures, as_picture) if options.mis else Table(STEPS, rows, measure, as_line)


def measured(options: argparse.Namespace, table: Table) -> dict:
    """One row, in this process."""
    import torch

    from devtools.inprocess import start_comfyui

    torch.set_num_threads(options.threads)
    start_comfyui(cpu=options.device == "cpu")
    return table.measure(options, *table.rows[options.row])


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="dev.py cost", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024], help="pixels, square")
    parser.add_argument("--instances", type=int, nargs="+", help="0 1 5 25; of eligen 0 1 6")
    parser.add_argument("--width", type=int, help="the UNet's model channels, SD1.5's 320; of eligen's models 512")
    parser.add_argument("--steps", type=int, default=3, help="sampling steps per picture, 2 or more")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--paper", action="store_true", help="the paper's setting alone, and seconds per picture")
    parser.add_argument("--method", choices=[*WITH, "eligen"], default="roictrl")
    parser.add_argument(
        "--mis",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="of the steps, for InstanceDiffusion's Multi-Instance Sampler",
    )
    parser.add_argument("--adaptive", action="store_true", help="with Apply ROICtrl's adaptive ROI size")
    parser.add_argument("--speeds", action="store_true", help="what Apply ROICtrl's speeds cost")
    parser.add_argument("--rounds", type=int, default=3, help="with --speeds: rounds whose medians are taken")
    parser.add_argument("--whole", action="store_true", help="with --speeds: whole pictures as well, plain and fast")
    parser.add_argument("--row", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    eligen = options.method == "eligen"
    options.instances = options.instances or ([0, 1, 6] if eligen else [0, 1, 5, 25])
    options.width = options.width or (512 if eligen else 320)
    if options.mis and options.method != "instancediffusion":
        parser.error("--mis belongs to --method instancediffusion")
    if (options.adaptive or options.speeds) and options.method != "roictrl":
        parser.error("--adaptive and --speeds belong to --method roictrl")
    if eligen and (options.width % 128 or options.device != "cpu" or options.paper):
        parser.error("--method eligen takes multiples of 128 for --width, runs on the CPU, and has no --paper")
    if options.paper:
        options.steps = PAPER["steps"]
    return options


def in_a_process(row: int) -> str:
    """The last line that a child with the same options and the number of one row prints."""
    command = [sys.executable, __file__, *sys.argv[1:], "--row", str(row)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1]


def as_line(row: tuple[int, int], found: dict) -> str:
    """One row of the table; with --paper, seconds per picture as well."""
    share = f"{found['required'] / found['added']:.0%}" if found["required"] else "-"
    cells = [
        *row,
        f"{found['plain']:.2f}",
        f"{found['boxes']:.2f}",
        f"{found['boxes'] / found['plain']:.2f}",
        f"{found['plain_flops'] / 1e9:.0f}",
        f"{found['added'] / 1e9:.0f}",
        share,
        f"{found['peak'] / 1e6:.0f}",
    ]
    line = f"| {' | '.join(map(str, cells))} |"
    return (
        line
        if found["steps"] < PAPER["steps"]
        else (
            f"{line}\nA picture of {found['steps']} steps: {found['plain_picture']:.2f} s without, "
            f"{found['boxes_picture']:.2f} s with boxes."
        )
    )


def as_picture(row: tuple[int, int], found: dict) -> str:
    """One row of the table of whole pictures."""
    alone, branches = found["plms"], found["mis"]
    cells = [
        *row,
        f"{alone[0]:.1f}",
        f"{branches[0]:.1f}",
        f"{branches[0] / alone[0]:.2f}",
        f"{alone[1] / 1e12:.3g}",
        f"{branches[1] / 1e12:.3g}",
    ]
    return f"| {' | '.join(map(str, cells))} |"


def measure_pictures(options: argparse.Namespace, size: int, count: int) -> dict:
    """Whole pictures of the Multi-Instance Sampler, without and with branches."""
    import torch

    with torch.inference_mode():
        _, controlled, _, conds = build(options, size, count)
        shape = (1, 4, size // 8, size // 8)
        shares = {"plms": 0.0, "mis": options.mis}
        return {name: picture(controlled, conds, shape, options.steps, share) for name, share in shares.items()}


def measure(options: argparse.Namespace, size: int, count: int) -> dict:
    """Steps of both models in turn."""
    import torch

    with torch.inference_mode():
        model, controlled, config, conds = build(options, size, count)
        shape = (1, 4, size // 8, size // 8)
        plain, boxes = (sampled(m, conds, shape, options.steps) for m in (model, controlled))
    from devtools.flops import required_by_instance_diffusion, required_flops

    required = 0
    if count and options.method == "roictrl":
        places = [instance.box for instance in random_layout(size, count).instances]
        required = required_flops(config, 2, places, *shape[2:], CAPTION_TOKENS, options.adaptive)
    elif count and options.method == "instancediffusion":
        required = required_by_instance_diffusion(config, 2, *shape[2:])
    return {
        "plain": plain[0],
        "boxes": boxes[0],
        "plain_picture": plain[1],
        "boxes_picture": boxes[1],
        "steps": options.steps,
        "plain_flops": plain[2],
        "added": boxes[2] - plain[2],
        "required": required,
        "peak": peak_bytes(options.device),
    }


if __name__ == "__main__":
    main()
