"""Draws the demo model's training pictures and encodes them with its VAE.

    python scripts/demo_data.py NAME [NAME ...] [--vae FILE] [--processes N]

Writes, for each data set of `DATA_SETS`, NAME_latents.npy (float16 [n, 4, h, w], as the VAE gives them)
and NAME_captions.jsonl (per picture its global captions, and its instances' boxes and captions) into the cache folder.
Nothing is drawn twice.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch

from demo_common import CACHE, Log, device, save_array, start
from demo_world.data_sets import DATA_SETS, DataSet, drawn

BATCH = {"cpu": 4, "cuda": 64}  # 4 fit a processor's cache; larger ones are slower there


def batches(data: DataSet, size: int, processes: int) -> Iterator[tuple[np.ndarray, list[dict]]]:
    """Pictures and rows in order; drawn in this process, or in several where the encoder is faster than one draws."""
    parts = [range(first, min(first + size, data.count)) for first in range(0, data.count, size)]
    if processes == 1:
        yield from map(partial(drawn, data), parts)
        return
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(partial(drawn, data), parts)


class Encoder:
    """Pictures -> latents."""

    def __init__(self, vae_file: Path) -> None:
        from comfy.taesd.taesd import TAESD
        from safetensors.torch import load_file

        vae = TAESD()
        vae.load_state_dict(load_file(vae_file))
        self.vae = vae.to(device(), memory_format=torch.channels_last).eval()

    @torch.no_grad()
    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """uint8 [n, size, size, 3] -> float32 [n, 4, size / 8, size / 8]."""
        x = torch.from_numpy(pictures).to(device()).permute(0, 3, 1, 2).float().div(255)
        # On processors without instructions for it bfloat16 is ten to a hundred times slower.
        with torch.autocast(device().type, torch.bfloat16, enabled=device().type == "cuda"):
            return self.vae.taesd_encoder(x.contiguous(memory_format=torch.channels_last)).float().cpu().numpy()


def make(names: Sequence[str], vae_file: Path, processes: int = 1) -> None:
    """Where ComfyUI is started."""
    for name in names:
        if not (CACHE / f"{name}_latents.npy").exists():
            make_one(name, Encoder(vae_file), processes)


def make_one(name: str, encode: Encoder, processes: int) -> None:
    from roictrl_core.files import write_atomically

    data, path = DATA_SETS[name], CACHE / f"{name}_latents.npy"
    latents = np.zeros((data.count, 4, data.size // 8, data.size // 8), np.float16)
    digest, log, done = hashlib.sha256(), Log(CACHE / f"{name}_data_log.csv", ("pictures",), data.count), 0
    with open(CACHE / f"{name}_captions.jsonl", "w") as file:
        for pictures, rows in batches(data, BATCH[device().type], processes):
            digest.update(pictures.tobytes())
            latents[done : done + len(rows)] = encode(pictures)
            file.writelines(json.dumps(row) + "\n" for row in rows)
            if done // 2000 < (done + len(rows)) // 2000:
                log.row(done + len(rows), pictures=done + len(rows))
            done += len(rows)
    write_atomically(CACHE / f"{name}_sha256.txt", lambda p: p.write_text(digest.hexdigest()))
    write_atomically(path, lambda p: save_array(p, latents))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="+", choices=list(DATA_SETS))
    parser.add_argument("--vae", type=Path, default=CACHE / "vae.safetensors", help="what encodes the pictures")
    parser.add_argument("--processes", type=int, default=1, help="that draw; on a GPU one per core")
    options = parser.parse_args()
    start()
    make(options.names, options.vae, options.processes)


if __name__ == "__main__":
    main()
