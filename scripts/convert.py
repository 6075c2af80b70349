"""Converts ROICtrl, InstanceDiffusion or EliGen weights to one safetensors file, or says what a file is.

    python scripts/convert.py ROICtrl_sdv14_30K.safetensors                 # what is it?
    python scripts/convert.py diffusion_pytorch_model.bin adapter.safetensors --dtype float16
    python scripts/convert.py instancediffusion_sd15.pth instancediffusion_sd15.safetensors --dtype float16

EliGen: its LoRA for FLUX in the trainer's own names, written in ComfyUI's.
InstanceDiffusion: the official checkpoint, or any one of the community's three files with the others beside it.
Tensors are read one by one, so the 13.6 GB file needs memory for its 1.5 GB of trained parts only.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from devtools.pack import register_core

register_core()

from roictrl_core import eligen  # noqa: E402
from roictrl_core.checkpoint import DTYPES, AdapterFile, read_adapter, save_adapter  # noqa: E402
from roictrl_core.files import write_atomically  # noqa: E402
from roictrl_core.instance_diffusion import checkpoint as instance_diffusion  # noqa: E402

DTYPE_NAMES = {str(dtype).removeprefix("torch."): dtype for dtype in DTYPES}


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "source", type=Path, help="adapter or whole diffusers UNet: .safetensors, .bin, .pt, .pth, .ckpt"
    )
    parser.add_argument(
        "target", type=Path, nargs="?", help="file to write, .safetensors; without it nothing is written"
    )
    parser.add_argument("--dtype", choices=DTYPE_NAMES, help="dtype of the weights written (default: as they are)")
    parser.add_argument(
        "--heads",
        type=int,
        help="attention heads per block, where the UNet is neither SD1.x nor has 64 channels per head",
    )
    parser.add_argument("--force", action="store_true", help="overwrite an existing target")
    return parser.parse_args(arguments)


def check_target(options: argparse.Namespace) -> None:
    """Raises ValueError with a sentence where the target must not be written."""
    if options.target.suffix != ".safetensors":
        raise ValueError(f"{options.target.name} must end in .safetensors.")
    if options.target.exists() and not options.force:
        raise ValueError(f"{options.target} exists. Choose another name, or add --force to overwrite it.")


def convert(adapter: AdapterFile, options: argparse.Namespace) -> None:
    """Writes the target; raises ValueError with a sentence where it must not or cannot."""
    check_target(options)
    weights = adapter.weights
    if options.dtype:
        weights = {key: tensor.to(DTYPE_NAMES[options.dtype]) for key, tensor in weights.items()}
    save_adapter(options.target, adapter.config, weights, adapter.metadata)


def is_instance_diffusion(source: Path) -> bool:
    try:
        return bool(instance_diffusion.open_weights(source))
    except ValueError:
        return False


def convert_instance_diffusion(options: argparse.Namespace) -> None:
    """Says what the file is, and writes the target if there is one; raises as `convert`."""
    parts = instance_diffusion.gather(options.source)
    instance_diffusion.merge(parts)
    print(
        f"{options.source.name}: InstanceDiffusion's {parts[0].form if len(parts) == 1 else 'weights in three files'}."
    )
    if options.target:
        check_target(options)
        instance_diffusion.convert(options.source, options.target, DTYPE_NAMES.get(options.dtype))


def is_raw_eligen(source: Path) -> bool:
    if source.suffix != ".safetensors":
        return False
    try:
        with safe_open(source, "pt") as file:
            return eligen.is_raw_flux(dict.fromkeys(file.keys()))
    except (SafetensorError, OSError):
        return False  # the readers below say what is wrong with it


def convert_eligen(options: argparse.Namespace) -> None:
    """Says what the file is, and writes the target if there is one; raises as `convert`."""
    tensors = eligen.native_lora(load_file(options.source))
    print(f"{options.source.name}: EliGen's LoRA for FLUX in the trainer's own names, {len(tensors)} tensors.")
    if options.target:
        check_target(options)
        dtype = DTYPE_NAMES.get(options.dtype)
        tensors = {key: t if dtype is None else t.to(dtype) for key, t in tensors.items()}
        write_atomically(options.target, lambda partial: save_file(tensors, partial))


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    try:
        if is_instance_diffusion(options.source):
            convert_instance_diffusion(options)
        elif is_raw_eligen(options.source):
            convert_eligen(options)
        else:
            adapter = read_adapter(options.source, heads=options.heads)
            print(f"{options.source.name}: {adapter.description}")
            if options.target:
                convert(adapter, options)
        if options.target:
            print(f"Wrote {options.target} ({options.target.stat().st_size / 1e6:.1f} MB).")
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
