"""The options of train.py."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options out of a command line, this process's unless given; ends the process with
    a sentence where they are wrong."""
    parser = argparse.ArgumentParser(
        description="Train a ROICtrl adapter on a frozen base (docs/training.md).",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    _base(parser.add_argument_group("base: one of --checkpoint, --unet, --demo"))
    _data(parser.add_argument_group("data: one of --data, --coco, or a --cache that exists"))
    _adapter(parser.add_argument_group("adapter"))
    _training(parser.add_argument_group("training"))
    _output(parser.add_argument_group("output"))
    options = parser.parse_args(arguments)
    _check(parser, options)
    return options


def _base(group) -> None:
    group.add_argument("--checkpoint", type=Path, metavar="FILE", help="checkpoint with UNet, CLIP and VAE")
    group.add_argument("--unet", type=Path, metavar="FILE", help="diffusion model alone")
    group.add_argument("--clip", type=Path, metavar="FILE", nargs="+", help="text encoders, for --unet")
    group.add_argument(
        "--clip-type", default="stable_diffusion", help="kind of text encoder, as in ComfyUI's Load CLIP"
    )
    group.add_argument("--vae", type=Path, metavar="FILE", help="VAE, for --unet, or instead of the checkpoint's")
    group.add_argument("--demo", type=Path, metavar="FOLDER", help="the demo model's weights")


def _data(group) -> None:
    group.add_argument("--data", type=Path, metavar="FOLDER", help="pictures with a metadata.jsonl")
    group.add_argument(
        "--coco",
        type=Path,
        nargs=3,
        metavar=("INSTANCES", "CAPTIONS", "IMAGES"),
        help="COCO's two JSON files and the picture folder",
    )
    group.add_argument(
        "--cache", type=Path, metavar="FOLDER", help="latents and text embeddings; made once (default: OUT/cache)"
    )
    group.add_argument(
        "--size", type=_size, metavar="WxH", help="training pictures, pixels (default: 512x512, or the cache's)"
    )
    group.add_argument(
        "--bad-rows", choices=("refuse", "skip"), default="refuse", help="what to do about bad rows; both list them"
    )
    group.add_argument("--flip", type=float, default=0.5, help="probability of mirroring a picture and its boxes")
    group.add_argument("--box-dropout", type=float, default=0.1, help="probability of leaving a box out")
    group.add_argument("--caption-dropout", type=float, default=0.5, help="probability of an empty global caption")
    group.add_argument(
        "--instance-caption-dropout", type=float, default=0.0, help="probability of an empty instance caption"
    )
    group.add_argument(
        "--fixed-slots", action="store_true", help="instances keep the first slots instead of random ones"
    )


def _adapter(group) -> None:
    group.add_argument(
        "--grids", type=int, nargs="+", default=[25, 19, 13, 7], metavar="P", help="ROI grid side per U-Net level"
    )
    group.add_argument("--slots", type=int, default=30, help="most instances per picture")
    group.add_argument("--dropout", type=float, default=0.2, help="inside the fusers, in training only")
    group.add_argument(
        "--start-from", type=Path, metavar="FILE", help="adapter to go on from, instead of fresh weights"
    )


def _training(group) -> None:
    group.add_argument("--steps", type=int, default=30_000, help="optimiser steps")
    group.add_argument("--batch-size", type=int, default=4, help="pictures per process and forward pass")
    group.add_argument("--accumulation", type=int, default=1, help="forward passes per optimiser step")
    group.add_argument("--lr", type=float, default=5e-5, help="learning rate")
    group.add_argument("--gate-lr", type=float, help="learning rate of the tanh gates (default: --lr)")
    group.add_argument("--warmup", type=int, default=100, help="steps of linear warm-up")
    group.add_argument(
        "--decay-from",
        type=float,
        default=1.0,
        help="share of the run after which the rate falls as a cosine; 1 = never",
    )
    group.add_argument("--weight-decay", type=float, default=0.01)
    group.add_argument("--clip-norm", type=float, default=1.0, help="largest gradient norm")
    group.add_argument(
        "--regulariser", type=float, default=0.01, help="weight of the global slot's blending weight in the loss"
    )
    group.add_argument(
        "--ema",
        type=float,
        default=0.999,
        help="decay of the weights' moving average, which is what gets saved; 0 = none",
    )
    group.add_argument(
        "--precision", choices=("fp32", "bf16", "fp16"), default="fp32", help="of the forward pass; weights stay fp32"
    )
    group.add_argument("--gradient-checkpointing", action="store_true", help="less memory, a third to a half more time")
    group.add_argument("--seed", type=int, default=0)


def _output(group) -> None:
    group.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="checkpoints, log, plots; a run there is resumed"
    )
    group.add_argument("--save-every", type=int, default=500, metavar="STEPS", help="checkpoint: what a kill can cost")
    group.add_argument("--keep", type=int, default=2, help="checkpoints to keep")
    group.add_argument("--log-every", type=int, default=50, metavar="STEPS", help="CSV row and line of progress")
    group.add_argument(
        "--sample-every",
        type=int,
        default=1000,
        metavar="STEPS",
        help="loss plot, and sample grid where there is a VAE",
    )
    group.add_argument("--samples", type=int, default=4, help="pictures in the sample grid; 0 = no grid")
    group.add_argument("--sample-steps", type=int, default=20)
    group.add_argument("--guidance", type=float, default=4.0, help="of the sample grid")


def _size(text: str) -> tuple[int, int]:
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not WIDTHxHEIGHT, such as 512x512") from None
    if width % 8 or height % 8 or min(width, height) <= 0:
        raise argparse.ArgumentTypeError(f"{text}: both sides must be multiples of 8 pixels")
    return width, height


LEAST = {
    "steps": 1,
    "batch_size": 1,
    "accumulation": 1,
    "slots": 1,
    "save_every": 1,
    "log_every": 1,
    "sample_every": 1,
    "keep": 1,
    "warmup": 0,
    "samples": 0,
    "sample_steps": 1,
    "seed": 0,
}
SHARES = ("flip", "box_dropout", "caption_dropout", "instance_caption_dropout", "dropout", "decay_from", "ema")
ABOVE_ZERO = ("lr", "gate_lr", "clip_norm")


def _check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Everything that would otherwise be found out after hours."""
    if sum(bool(source) for source in (options.checkpoint, options.unet, options.demo)) != 1:
        parser.error("name one base: --checkpoint, --unet or --demo")
    if options.data and options.coco:
        parser.error("name one data set: --data or --coco")
    options.cache = options.cache or options.out / "cache"
    if not (options.data or options.coco) and not _is_file(options.cache / "manifest.json"):
        parser.error(f"there is no data: name --data or --coco, or a --cache that is finished ({options.cache} is not)")
    wrong = [(name, "is too small") for name, least in LEAST.items() if getattr(options, name) < least]
    wrong += [(name, "is not in 0..1") for name in SHARES if not 0 <= getattr(options, name) <= 1]
    wrong += [
        (name, "is not a number above 0")
        for name in ABOVE_ZERO
        if getattr(options, name) is not None and not 0 < getattr(options, name) < math.inf
    ]
    wrong += [("seed", "is too large")] if options.seed >= 1 << 63 else []
    wrong += [("grids", "holds a grid below 1")] if min(options.grids) < 1 else []
    for name, problem in wrong[:1]:
        parser.error(f"--{name.replace('_', '-')} {problem}")


def _is_file(path: Path) -> bool:
    """False as well for a name that is too long for a file."""
    try:
        return path.is_file()
    except OSError:
        return False
