"""Converts ROICtrl weights to one safetensors file with the adapter's config inside, or says what a file is.

    python scripts/convert.py ROICtrl_sdv14_30K.safetensors                 # what is it?
    python scripts/convert.py diffusion_pytorch_model.bin adapter.safetensors --dtype float16
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from devtools.pack import register_core

register_core()

from roictrl_core.checkpoint import AdapterFile, DTYPES, read_adapter, save_adapter  # noqa: E402

DTYPE_NAMES = {str(dtype).removeprefix("torch."): dtype for dtype in DTYPES}


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="adapter or whole diffusers UNet: .safetensors, .bin, .pt, .pth, .ckpt")
    parser.add_argument("target", type=Path, nargs="?", help="file to write, .safetensors; without it nothing is written")
    parser.add_argument("--dtype", choices=DTYPE_NAMES, help="dtype of the weights written (default: as they are)")
    parser.add_argument("--heads", type=int, help="attention heads per block, where the UNet is neither SD1.x nor has 64 channels per head")
    parser.add_argument("--force", action="store_true", help="overwrite an existing target")
    return parser.parse_args(arguments)


def convert(adapter: AdapterFile, options: argparse.Namespace) -> None:
    """Writes the target; raises ValueError with a sentence where it must not or cannot."""
    if options.target.suffix != ".safetensors":
        raise ValueError(f"{options.target.name} must end in .safetensors.")
    if options.target.exists() and not options.force:
        raise ValueError(f"{options.target} exists. Choose another name, or add --force to overwrite it.")
    weights = adapter.weights
    if options.dtype:
        weights = {key: tensor.to(DTYPE_NAMES[options.dtype]) for key, tensor in weights.items()}
    save_adapter(options.target, adapter.config, weights, adapter.metadata)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    try:
        adapter = read_adapter(options.source, heads=options.heads)
        print(f"{options.source.name}: {adapter.description}")
        if options.target:
            convert(adapter, options)
            print(f"Wrote {options.target} ({options.target.stat().st_size / 1e6:.1f} MB).")
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
