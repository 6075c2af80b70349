"""Trains the benchmark's other rows: the GLIGEN-style baseline, the ablations, and the add-ons under the adapter.

    python scripts/dev.py bench-train NAME [NAME ...]    gligen, roictrl_short, no_self_attention, no_regulariser,
                                                         no_box_tokens, masked_attention, community, lora; or all

gligen has ROICtrl's own budget (the steps that its file names); the ablations, and a ROICtrl beside them, SHORT steps;
all with ROICtrl's options, data and batch (demo_train.py); the pictures are drawn first where they are not there yet.
community and lora tune the base a little on a palette of their own. Weights, log and cost go to a folder per name;
a killed run goes on where it was. One process each, so on a CPU run two names side by side.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from demo_common import CACHE, start
from devtools.pack import ROOT

SHORT = 400  # optimiser steps of the ablations
ADDON_STEPS, ADDON_PICTURES = 300, 1200
ADDONS = ("community", "lora")
TRAINED = CACHE / "benchmark" / "trained"


def main(arguments: list[str] | None = None) -> None:
    start()
    from devtools.pack import load_pack

    load_pack()
    from benchmark.variants import VARIANTS

    options = parse(list(VARIANTS), arguments)
    for name in options.names:
        if name in ADDONS:
            train_addon(name, options)
        else:
            train(name, VARIANTS[name], options)


def parse(variants: list[str], arguments: list[str] | None) -> argparse.Namespace:
    names = [*variants, *ADDONS]
    parser = argparse.ArgumentParser(
        prog="dev.py bench-train", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="+", choices=[*names, "all"], metavar="NAME")
    parser.add_argument(
        "--steps",
        type=int,
        help=f"optimiser steps (default: gligen ROICtrl's, ablations {SHORT}, add-ons {ADDON_STEPS})",
    )
    parser.add_argument("--demo", type=Path, default=ROOT / "demo_model", help="folder of the demo model")
    parser.add_argument("--adapter", type=Path, help="another ROICtrl than the folder's, for its budget")
    parser.add_argument(
        "--cache", type=Path, default=CACHE / "adapter_cache", help="the training cache; made where there is none"
    )
    parser.add_argument("--trained", type=Path, default=TRAINED, help="a folder per name goes there")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--pictures", type=int, default=ADDON_PICTURES, help="pictures of the add-ons' palettes")
    options = parser.parse_args(arguments)
    options.names = names if "all" in options.names else options.names
    options.adapter = options.adapter or options.demo / "adapter.safetensors"
    return options


def train(name: str, variant, options: argparse.Namespace) -> None:
    from benchmark.training import options_of, train_variant

    make_cache(options.cache, options.demo)
    steps = options.steps or (budget_of(options.adapter) if variant.full else SHORT)
    run = options_of(options.demo, options.cache, options.trained, steps, options.batch_size)
    print(f"{variant.title}: {train_variant(name, variant, run)}", flush=True)


def make_cache(cache: Path, demo: Path) -> None:
    """ROICtrl's training pictures, encoded with the demo model: drawn where no cache is there yet."""
    from roictrl_pack.roictrl_core.training.cache import MANIFEST

    if not (cache / MANIFEST).is_file():
        import demo_cache
        import demo_data

        demo_data.make(["train"], demo / "vae.safetensors")
        demo_cache.make(["train"], demo, cache)


def train_addon(name: str, options: argparse.Namespace) -> None:
    from benchmark import addons

    print(
        (
            f"{name}: "
            f"{addons.train_addon(name, options.demo, options.trained, options.steps or ADDON_STEPS, options.pictures)}"
        ),
        flush=True,
    )


def budget_of(adapter: Path) -> int:
    """The optimiser steps of ROICtrl's own run."""
    from roictrl_pack.roictrl_core.checkpoint import read_adapter

    steps = read_adapter(adapter).training_steps
    if not steps:
        raise ValueError(f"{adapter} does not say for how many steps it was trained: give --steps")
    return steps


if __name__ == "__main__":
    try:
        main()
    except ValueError as error:
        sys.exit(f"bench_train.py: {error}")
