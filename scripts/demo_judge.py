"""Measures the judge itself: on drawn pictures, on their VAE round trips, by object size,
and with another layout's captions.

python scripts/demo_judge.py [--folder demo_model] [--pictures 300]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from demo_common import start
from demo_world.judge import judge, summarise
from demo_world.world import normalised_boxes, random_scene, render
from devtools.pack import ROOT, pack_module

start()

SEED = 800
SIZES = (20, 24, 28, 32, 36, 44)  # px, shortest side; up to two more


def round_trips(vae, pictures: np.ndarray) -> np.ndarray:
    """uint8 [n, H, W, 3] through the VAE."""
    with torch.no_grad():
        out = [
            vae.decode(vae.encode(torch.from_numpy(part).float() / 255))
            for part in np.array_split(pictures, max(1, len(pictures) // 16))
        ]
    return (torch.cat(out).clamp(0, 1) * 255 + 0.5).byte().cpu().numpy()


def rates(pictures: np.ndarray, scenes: list, wanted: list | None = None) -> dict:
    """wanted: scenes whose attributes are asked for, when not the pictures' own (as many instances each)."""
    verdicts = []
    for picture, scene, other in zip(pictures, scenes, wanted or scenes, strict=True):
        verdicts += judge(picture, normalised_boxes(scene), [thing.attributes for thing in other.things])
    return {name: round(value, 3) for name, value in summarise(verdicts).items()} | {"instances": len(verdicts)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--folder", type=Path, default=ROOT / "demo_model")
    parser.add_argument("--pictures", type=int, default=300)
    a = parser.parse_args()
    vae = pack_module("nodes.demo_model.files").load_vae_file(a.folder / "vae.safetensors")[0]
    scenes = [random_scene((SEED, index), 1 + index % 6) for index in range(a.pictures)]
    pictures = np.stack([render(scene) for scene in scenes])
    decoded = round_trips(vae, pictures)
    print("drawn", rates(pictures, scenes))
    print("round trip", rates(decoded, scenes))
    print("round trip, another layout's captions", rates(decoded, scenes, scenes[6:] + scenes[:6]))
    error = np.square(decoded.astype(np.float32) - pictures).mean()
    print(f"round trip PSNR {10 * np.log10(255**2 / error):.2f} dB")
    for size in SIZES:
        small = [
            random_scene((SEED + 1, index), 1, shortest=size, longest=size + 2) for index in range(a.pictures // 2)
        ]
        print(f"round trip, {size} px", rates(round_trips(vae, np.stack([render(scene) for scene in small])), small))


if __name__ == "__main__":
    main()
