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

Weights are random: cost does not depend on them. One process per row. Time: the fastest sampling step after the first,
Euler with CFG, cond and uncond in one batch. FLOPs: of one steady step, counted; "required":
what the method's equations ask for, as a share of what the boxes added. Memory: the process's peak (CPU)
or the allocator's (CUDA), weights included.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

CAPTION_TOKENS = 77
PAPER = {"size": 1024, "instances": 25, "steps": 50}


def main() -> None:
    """All rows, each in a process of its own, as a table."""
    options = arguments()
    if options.row:
        print(json.dumps(measure(options, *options.row)))
        return
    rows = (
        [(PAPER["size"], PAPER["instances"])]
        if options.paper
        else [(size, count) for size in options.sizes for count in options.instances]
    )
    print(
        f"{options.method}, {platform.machine()}, {options.device}, width {options.width}, {options.threads} "
        f"threads, {options.steps} steps{', adaptive ROI size' if options.adaptive else ''}"
    )
    if options.mis:
        print(
            f"PLMS, share {options.mis:g}\n| px | instances | s, PLMS | s, Multi-Instance Sampler | ratio | TFLOPs, "
            "PLMS | TFLOPs, Multi-Instance Sampler |\n|---|---|---|---|---|---|---|"
        )
        for row in rows:
            print(as_picture(row, json.loads(in_a_process(row))), flush=True)
        return
    if options.speeds:
        import bench_speeds

        print(bench_speeds.HEAD)
        for row in rows:
            print(bench_speeds.as_line(row, json.loads(in_a_process(row))), flush=True)
        return
    print("| px | instances | s/step, plain | s/step | ratio | GFLOPs/step, plain | added | required | peak MB |")
    print("|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        print(as_line(row, json.loads(in_a_process(row))), flush=True)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="dev.py cost", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024], help="pixels, square")
    parser.add_argument("--instances", type=int, nargs="+", default=[0, 1, 5, 25])
    parser.add_argument("--width", type=int, default=320, help="the UNet's model channels; 320 is SD1.5")
    parser.add_argument("--steps", type=int, default=3, help="sampling steps per picture, 2 or more")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--paper", action="store_true", help="the paper's setting alone, and seconds per picture")
    parser.add_argument("--method", choices=["roictrl", "instancediffusion"], default="roictrl")
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
    parser.add_argument("--row", type=int, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.mis and options.method != "instancediffusion":
        parser.error("--mis belongs to --method instancediffusion")
    if options.adaptive and options.method != "roictrl":
        parser.error("--adaptive belongs to --method roictrl")
    if options.paper:
        options.steps = PAPER["steps"]
    return options


def in_a_process(row: tuple[int, int]) -> str:
    """The last line that a child with the same options and one row prints."""
    command = [sys.executable, __file__, *sys.argv[1:], "--row", *map(str, row)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1]


def as_line(row: tuple[int, int], found: dict) -> str:
    """One row of the table; with --paper, seconds per picture as well."""
    share = f"{found['required'] / found['added']:.0%}" if found["added"] else "-"
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


def measure(options: argparse.Namespace, size: int, count: int) -> dict:
    """One row: both models sampled in turn in this process."""
    import torch

    from devtools.inprocess import start_comfyui

    torch.set_num_threads(options.threads)
    start_comfyui(cpu=options.device == "cpu")
    if options.speeds:
        import bench_speeds

        return bench_speeds.measure(options, size, count)
    with torch.inference_mode():
        model, controlled, config, conds = build(options, size, count)
        shape = (1, 4, size // 8, size // 8)
        if options.mis:
            return {
                name: picture(controlled, conds, shape, options.steps, share)
                for name, share in (("plms", 0.0), ("mis", options.mis))
            }
        plain, boxes = (sampled(m, conds, shape, options.steps) for m in (model, controlled))
    from devtools.flops import required_by_instance_diffusion, required_flops

    required = 0
    if count and options.method == "roictrl":
        places = [instance.box for instance in random_layout(size, count).instances]
        required = required_flops(config, 2, places, *shape[2:], CAPTION_TOKENS, options.adaptive)
    elif count:
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


def build(options: argparse.Namespace, size: int, count: int, model=None, **settings) -> tuple:
    """The plain model, the same with a random adapter and boxes, the adapter's config, and (positive, negative).

    ``model``: one that is there already; ``settings``: of the Apply node.
    """
    import torch

    from devtools import tiny_models

    unet = unet_config(options.width)
    dtype = torch.float16 if options.device == "cuda" else torch.float32
    model = model or tiny_models.patcher(tiny_models.sd15_model(unet, dtype=dtype), options.device)
    clip = tiny_models.clip(768)
    if options.adaptive:
        settings["adaptive_roi_size"] = True
    controlled, config = (with_roictrl if options.method == "roictrl" else with_instance_diffusion)(
        model, clip, unet, dtype, random_layout(size, count), **settings
    )
    conds = tuple(clip.encode_from_tokens_scheduled(clip.tokenize(text)) for text in ("a photo", "blurry"))
    return model, controlled, config, conds


def unet_config(width: int) -> dict:
    """SD1.5's with that many model channels; 320 is its own."""
    from devtools import tiny_models

    return {**tiny_models.SD15, "model_channels": width, "channel_mult": [1, 2, 4, 4], "context_dim": 768}


def with_roictrl(model, clip, unet: dict, dtype, layout, **settings) -> tuple:
    """(the model with a random ROICtrl adapter and the layout, the adapter's config)."""
    from devtools.pack import pack_module

    adapter = random_adapter(unet, dtype)
    patched = pack_module("nodes.apply").ApplyROICtrl.execute(model, adapter, clip, layout, **settings)[0]
    return patched, adapter.model.config


def random_adapter(unet: dict, dtype, *network):
    """ROICTRL for the UNet; ``network``: a variant of the class."""
    from devtools import tiny_models
    from devtools.pack import pack_module

    config = pack_module("roictrl_core.config").AdapterConfig.for_unet(unet)
    weights = tiny_models.randomize(
        pack_module("roictrl_core.adapter").ROICtrlAdapter(config, dtype=dtype)
    ).state_dict()
    file = pack_module("roictrl_core.checkpoint").AdapterFile(config, weights, {}, "random")
    return pack_module("nodes.weights").adapter_patcher(file, *network)


def with_instance_diffusion(model, clip, unet: dict, dtype, layout, **settings) -> tuple:
    """(the model with random InstanceDiffusion weights and the layout, their config)."""
    from devtools import tiny_models
    from devtools.pack import pack_module

    full, width = (
        pack_module("roictrl_core.instance_diffusion.config").InstanceDiffusionConfig(),
        unet["model_channels"],
    )
    config = type(full)(
        fusers=tuple((name, channels * width // 320) for name, channels in full.fusers),
        scaleu=tuple(c * width // 320 for c in full.scaleu),
    )
    network = pack_module("roictrl_core.instance_diffusion.model").InstanceDiffusion(config, dtype=dtype)
    weights = pack_module("nodes.weights").instance_diffusion_patcher(
        config, tiny_models.randomize(network).state_dict()
    )
    return pack_module("nodes.instance_diffusion").ApplyInstanceDiffusion.execute(
        model, weights, clip, layout, alpha=1.0, **settings
    )[0], config


def random_layout(size: int, count: int):
    """Boxes with sides of a fifth to a half of the picture, the same on every machine,
    each with a caption of its own."""
    from devtools.pack import pack_module

    module, draw = pack_module("roictrl_core.layout"), random.Random(0)
    instances = []
    for number in range(count):
        width, height = draw.uniform(0.2, 0.5), draw.uniform(0.2, 0.5)
        x, y = draw.uniform(0, 1 - width), draw.uniform(0, 1 - height)
        instances.append(module.Instance(box=(x, y, x + width, y + height), caption=f"thing number {number}"))
    return module.Layout(width=size, height=size, instances=tuple(instances))


def sampled(model, conds: tuple, shape: tuple, steps: int) -> tuple[float, float, int]:
    """(seconds of the fastest step after the first, seconds of the whole picture's sampling,
    FLOPs of the second step)."""
    from devtools.flops import check_attention_is_counted, flop_counter

    check_attention_is_counted()
    counter, times = flop_counter(), [synchronised()]

    def after_step(step: int, *_) -> None:
        # Captions' keys and values are cached by the second step. Counting slows that one on a GPU:
        # the fastest is another.
        times.append(synchronised())
        if step == 0:
            counter.__enter__()
        elif step == 1:
            counter.__exit__(None, None, None)

    sample(model, conds, shape, steps, after_step)
    return (
        min(after - before for before, after in pairwise(times[1:])),
        times[-1] - times[0],
        counter.get_total_flops(),
    )


def sample(model, conds: tuple, shape: tuple, steps: int, callback) -> None:
    """ComfyUI's own sampling: Euler, CFG 7.5."""
    import comfy.sample
    import torch

    latent = torch.zeros(shape)
    noise = comfy.sample.prepare_noise(latent, 0)
    comfy.sample.sample(
        model, noise, steps, 7.5, "euler", "normal", *conds, latent, callback=callback, disable_pbar=True, seed=0
    )


def picture(model, conds: tuple, shape: tuple, steps: int, share: float) -> tuple[float, int]:
    """(seconds, FLOPs) of a picture by PLMS, the Multi-Instance Sampler on for that share of the steps;
    the first run warms up."""
    import torch

    from devtools.flops import flop_counter
    from devtools.pack import pack_module

    nodes = pack_module("nodes.instance_diffusion_sampling")
    latent = {"samples": torch.zeros(shape)}
    with flop_counter() as counter:
        nodes.InstanceDiffusionSampler.execute(model, *conds, latent, 0, steps, 7.5, share)
    began = synchronised()
    nodes.InstanceDiffusionSampler.execute(model, *conds, latent, 0, steps, 7.5, share)
    return synchronised() - began, counter.get_total_flops()


def synchronised() -> float:
    """The clock, after the device has finished."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def peak_bytes(device: str) -> int:
    """The allocator's peak on CUDA, else the process's peak resident memory."""
    import torch

    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
