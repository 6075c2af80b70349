"""Puts the demo model's parts into a folder as `Load ROICtrl Demo Model` reads them: float16 safetensors.

    python scripts/demo_pack.py [FOLDER] [--base crowded] [--adapter FILE]

FOLDER is the cache's `model` folder unless named; `demo_model` is the pack's own.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from demo_common import CACHE, start

start()
from safetensors.torch import load_file, save_file  # noqa: E402

from roictrl_core.checkpoint import read_adapter, save_adapter  # noqa: E402
from roictrl_core.files import write_atomically  # noqa: E402


def preview_factors() -> dict:
    """The linear map from normalised latents to RGB in -1..1 that fits 256 pictures best,
    for previews while sampling."""
    from demo_world.data_sets import DATA_SETS, scene_of
    from demo_world.world import render

    statistics = json.loads((CACHE / "vae_statistics.json").read_text())
    mean, std = (np.array(statistics[k])[None, :, None, None] for k in ("mean", "std"))
    latents = (np.load(CACHE / "train_latents.npy", mmap_mode="r")[:256] - mean) / std  # [256, 4, 16, 16]
    pictures = np.stack([render(scene_of(DATA_SETS["train"], i)) for i in range(256)]) / 127.5 - 1  # [256, 128, 128, 3]
    cells = pictures.reshape(256, 16, 8, 16, 8, 3).mean((2, 4)).reshape(-1, 3)
    inputs = np.concatenate([latents.transpose(0, 2, 3, 1).reshape(-1, 4), np.ones((len(cells), 1))], 1)
    factors = np.linalg.lstsq(inputs, cells, rcond=None)[0]
    return {**statistics, "rgb_factors": factors[:4].round(4).tolist(), "rgb_bias": factors[4].round(4).tolist()}


def half(weights: dict) -> dict:
    return {key: tensor.to(torch.float16).contiguous() for key, tensor in weights.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=CACHE / "model")
    parser.add_argument("--base", default="crowded", help="stage of demo_base.py")
    parser.add_argument("--adapter", type=Path)
    a = parser.parse_args()
    a.folder.mkdir(parents=True, exist_ok=True)
    write_atomically(
        a.folder / "base.safetensors",
        lambda p: save_file(half(load_file(CACHE / f"base_{a.base}.safetensors")), p, {"format": "pt"}),
    )
    vae = half(load_file(CACHE / "vae.safetensors"))
    write_atomically(
        a.folder / "vae.safetensors",
        lambda p: save_file(vae, p, {"format": "pt", "latents": json.dumps(preview_factors())}),
    )
    if a.adapter:
        file = read_adapter(a.adapter)
        save_adapter(a.folder / "adapter.safetensors", file.config, half(dict(file.weights)), dict(file.metadata))
    for path in sorted(a.folder.glob("*.safetensors")):
        print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
