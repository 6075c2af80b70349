"""How well the base model draws single objects: the judge's accuracy on the largest object of each picture.

    python scripts/demo_probe.py [base_small.safetensors] [--count 48] [--side 64] [--steps 20] [--cfg 2]

Reads the weights from the cache folder, samples through ComfyUI, appends a row to probe_log.csv
there and writes probe.png.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from demo_common import CACHE, start
from demo_world.captions import instance_caption
from demo_world.judge import Reading
from demo_world.world import Attributes, random_scene
from devtools.pack import pack_module

start()
import comfy.sample  # noqa: E402
import comfy.sd  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

SEED = 900  # of the probe's scenes; none is trained on


def load(name: str):
    """MODEL, CLIP, VAE from the cache."""
    files = pack_module("nodes.demo_model.files")
    weights = load_file(CACHE / name)
    statistics = json.loads((CACHE / "vae_statistics.json").read_text())
    return (
        files.load_model(files.part_of(weights, "unet"), statistics),
        files.load_clip(files.part_of(weights, "text")),
        comfy.sd.VAE(sd=load_file(CACHE / "vae.safetensors")),
    )


@torch.no_grad()
def draw(
    model, clip, vae, captions: list[str], side: int, steps: int, cfg: float, sampler: str, scheduler: str, seed: int
) -> np.ndarray:
    """One picture per caption, uint8 [B, side, side, 3], in one batch."""
    embeddings = torch.cat([clip.encode_from_tokens(clip.tokenize(text)) for text in captions])
    empty = clip.encode_from_tokens(clip.tokenize(""))
    latent = torch.zeros(len(captions), 4, side // 8, side // 8)
    noise = comfy.sample.prepare_noise(latent, seed)
    out = comfy.sample.sample(
        model,
        noise,
        steps,
        cfg,
        sampler,
        scheduler,
        [[embeddings, {}]],
        [[empty.repeat(len(captions), 1, 1), {}]],
        latent,
        seed=seed,
        disable_pbar=True,
    )
    return (vae.decode(out).clamp(0, 1) * 255 + 0.5).byte().cpu().numpy()


def rates_of(pictures: np.ndarray, wanted: list[Attributes]) -> dict[str, float]:
    """How often the judge reads the wanted shape, colour and texture, and all three."""
    pairs = list(zip([Reading(picture).largest_object() for picture in pictures], wanted, strict=True))
    rates = {
        name: float(np.mean([found is not None and getattr(found, name) == getattr(w, name) for found, w in pairs]))
        for name in ("shape", "colour", "texture")
    }
    return {**rates, "all": float(np.mean([found == w for found, w in pairs]))}


def append_row(path: Path, row: dict) -> None:
    """One more row of a CSV file, which is begun where there is none."""
    fresh = not path.exists()
    with open(path, "a", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if fresh:
            writer.writeheader()
        writer.writerow(row)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("weights", nargs="?", default="base_small.safetensors")
    for name, default in (("count", 48), ("side", 64), ("steps", 20), ("cfg", 2.0)):
        parser.add_argument(f"--{name}", type=type(default), default=default)
    parser.add_argument("--sampler", default="euler")
    parser.add_argument("--scheduler", default="normal")
    a = parser.parse_args()
    wanted = [random_scene((SEED, i), 1).things[0].attributes for i in range(a.count)]
    pictures = draw(
        *load(a.weights), [instance_caption(w) for w in wanted], a.side, a.steps, a.cfg, a.sampler, a.scheduler, SEED
    )
    row = {
        "time": time.strftime("%H:%M:%S", time.gmtime()),
        "weights": a.weights,
        "side": a.side,
        "steps": a.steps,
        "cfg": a.cfg,
        "sampler": a.sampler,
        **{name: round(rate, 3) for name, rate in rates_of(pictures, wanted).items()},
    }
    print(row, flush=True)
    append_row(CACHE / "probe_log.csv", row)
    sheet = np.concatenate([np.concatenate(list(pictures[i : i + 8]), 1) for i in range(0, len(pictures) // 8 * 8, 8)])
    Image.fromarray(sheet).save(CACHE / "probe.png")


if __name__ == "__main__":
    main()
