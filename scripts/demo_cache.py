"""Makes the trainer's cache (latents and text embeddings) from the demo data, for `train.py --demo ... --cache ...`.

    python scripts/demo_cache.py NAME [NAME ...] [--demo FOLDER] [--out FOLDER]

The latents are those of demo_data.py; the texts are encoded with the packed base (demo_pack.py).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from demo_common import CACHE, start
from devtools.pack import pack_module

start()


def rows_of(name: str):
    """(latents, boxes, one global caption, instance captions) of each picture."""
    latents = np.load(CACHE / f"{name}_latents.npy", mmap_mode="r")
    with open(CACHE / f"{name}_captions.jsonl") as file:
        for index, line in enumerate(file):
            row = json.loads(line)
            boxes = np.array([i["box"] for i in row["instances"]], np.float32)
            yield (
                torch.from_numpy(latents[index].copy()),
                boxes,
                row["captions"][:1],
                [i["caption"] for i in row["instances"]],
            )


@torch.no_grad()
def make(names: list[str], demo: Path, out: Path) -> None:
    cache = pack_module("roictrl_core.training.cache")
    clip = pack_module("nodes.demo_model.files").load_demo(demo).clip
    writer = cache.CacheWriter(out, {"data": names})
    for name in names:
        for row in rows_of(name):
            writer.add(*row)
    text_model = clip.cond_stage_model.clip_l

    def encode(texts):
        tokens = [[token for token, _ in clip.tokenize(text)["l"][0]] for text in texts]
        return [cache.Embedding(embedding) for embedding in text_model(tokens)[0]]

    writer.finish(
        encode,
        batch=256,
        progress=lambda done, total: print(f"{done}/{total} texts", flush=True) if done % 4096 == 0 else None,
    )
    print(f"{out}: {len(cache.TrainingCache(out))} pictures")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="+")
    parser.add_argument(
        "--demo", type=Path, default=CACHE / "model", help="folder of the demo model that encodes the texts"
    )
    parser.add_argument("--out", type=Path, default=CACHE / "adapter_cache")
    options = parser.parse_args()
    make(options.names, options.demo, options.out)


if __name__ == "__main__":
    main()
