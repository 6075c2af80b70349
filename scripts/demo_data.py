"""Draws the demo model's training pictures and encodes them with its VAE.

    python scripts/demo_data.py NAME [NAME ...] [--vae FILE]

Writes, for each data set of `DATA_SETS`, NAME_latents.npy (float16 [n, 4, h, w], as the VAE gives them)
and NAME_captions.jsonl (per picture its global captions, and its instances' boxes and captions) into the cache folder.
Nothing is drawn twice.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from demo_common import CACHE, Log, device, save_array, start
from demo_world.captions import global_caption, instance_caption
from demo_world.world import MAX_INSTANCES, SIZE, normalised_boxes, random_scene, render

start()
from comfy.taesd.taesd import TAESD  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

from roictrl_core.files import write_atomically  # noqa: E402

BATCH = 4  # fits the processor's cache; larger ones are slower on a CPU


@dataclass(frozen=True)
class DataSet:
    """Scenes (seed, index): `count` of them, with that many instances (None: 1..6 in turn)."""

    seed: int
    count: int
    size: int
    instances: int | None
    captions: int  # wordings of the global caption per picture


DATA_SETS = {
    "small": DataSet(seed=20, count=20000, size=64, instances=1, captions=2),  # single objects, a quarter of the cost
    "train": DataSet(seed=30, count=30000, size=SIZE, instances=None, captions=2),
}


def scene_of(data: DataSet, index: int):
    count = data.instances or 1 + index % MAX_INSTANCES
    return random_scene((data.seed, index), count, data.size)


def describe(data: DataSet, index: int, scene) -> dict:
    """The row of a picture: two wordings of each text, drawn from the picture's own seed."""
    rng = np.random.default_rng((data.seed, index, 1))
    return {
        "captions": [global_caption(scene, rng) for _ in range(data.captions)],
        "instances": [
            {"box": [round(side, 6) for side in box], "caption": instance_caption(thing.attributes, rng)}
            for thing, box in zip(scene.things, normalised_boxes(scene), strict=True)
        ],
    }


@torch.no_grad()
def make(name: str, vae_file: Path) -> None:
    data, path = DATA_SETS[name], CACHE / f"{name}_latents.npy"
    if path.exists():
        return
    vae = TAESD()
    vae.load_state_dict(load_file(vae_file))
    vae = vae.to(device(), memory_format=torch.channels_last).eval()
    latents = np.zeros((data.count, 4, data.size // 8, data.size // 8), np.float16)
    digest, log = hashlib.sha256(), Log(CACHE / f"{name}_data_log.csv", ("pictures",), data.count)
    with open(CACHE / f"{name}_captions.jsonl", "w") as rows:
        for first in range(0, data.count, BATCH):
            scenes = [scene_of(data, index) for index in range(first, min(first + BATCH, data.count))]
            pictures = np.stack([render(scene) for scene in scenes])
            digest.update(pictures.tobytes())
            x = (
                torch.from_numpy(pictures)
                .to(device())
                .permute(0, 3, 1, 2)
                .float()
                .div(255)
                .contiguous(memory_format=torch.channels_last)
            )
            # On processors without instructions for it bfloat16 is ten to a hundred times slower.
            with torch.autocast(device().type, torch.bfloat16, enabled=device().type == "cuda"):
                latents[first : first + len(scenes)] = vae.taesd_encoder(x).float().cpu().numpy()
            for index, scene in enumerate(scenes, first):
                rows.write(json.dumps(describe(data, index, scene)) + "\n")
            if first % 2000 == 0:
                log.row(first + len(scenes), pictures=first + len(scenes))
    write_atomically(CACHE / f"{name}_sha256.txt", lambda p: p.write_text(digest.hexdigest()))
    write_atomically(path, lambda p: save_array(p, latents))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="+", choices=list(DATA_SETS))
    parser.add_argument("--vae", type=Path, default=CACHE / "vae.safetensors", help="what encodes the pictures")
    options = parser.parse_args()
    for name in options.names:
        make(name, options.vae)


if __name__ == "__main__":
    main()
