"""Makes the demo model from nothing: pictures, VAE, latents, base, adapter, evaluation. One command, on a CPU or a GPU.

    python scripts/demo_train.py [--adapter-steps 5000] [--until STAGE]

Every stage keeps its checkpoints in the cache folder; what is finished is not done again,
and a killed run goes on where it was when the command is given again. `--publish` copies the weights into demo_model.
On a CPU there is one process per core.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from demo_common import CACHE
from devtools.pack import ROOT

SCRIPTS = Path(__file__).resolve().parent
ADAPTER = {  # train.py's options; cells across the latents' levels are 16, 8, 4, 2
    "--grids": ("8", "6", "4", "2"),
    "--slots": ("10",),
    "--dropout": ("0",),
    "--lr": ("1e-3",),
    "--gate-lr": ("5e-3",),
    "--warmup": ("100",),
    "--decay-from": ("0.6",),
    "--ema": ("0.998",),
    "--flip": ("0",),
    "--box-dropout": ("0.1",),
    "--caption-dropout": ("0.5",),
    "--instance-caption-dropout": ("0.1",),
    "--regulariser": ("0.01",),
    "--seed": ("50",),
    "--save-every": ("200",),
    "--samples": ("0",),
    "--sample-every": ("1000",),
}
GLOBAL_BATCH = 32


def processes() -> int:
    """Two on a CPU (one thread each beats one process with two), one on a GPU."""
    import torch

    return 1 if torch.cuda.is_available() else min(2, os.cpu_count() or 1)


def run(*command) -> None:
    print("$", " ".join(str(part) for part in command), flush=True)
    subprocess.run([str(part) for part in command], check=True, cwd=SCRIPTS)


def script(name: str, *arguments) -> None:
    run(sys.executable, SCRIPTS / name, *arguments)


def train_adapter(steps: int) -> None:
    count = processes()
    options = [word for name, values in ADAPTER.items() for word in (name, *values)]
    launcher = (
        [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", count] if count > 1 else [sys.executable]
    )
    run(
        *launcher,
        SCRIPTS / "train.py",
        "--demo",
        CACHE / "model",
        "--cache",
        CACHE / "adapter_cache",
        "--out",
        CACHE / "adapter",
        "--steps",
        steps,
        "--batch-size",
        GLOBAL_BATCH // count,
        *options,
    )


def stages(adapter_steps: int) -> dict:
    """Name -> what it does, in order."""
    cache = CACHE / "adapter_cache"
    return {
        "tokenizer": lambda: script("demo_tokenizer.py"),
        "vae": lambda: (CACHE / "vae.safetensors").exists() or script("demo_vae.py"),
        "data": lambda: script("demo_data.py", "small", "train"),
        "base": lambda: [
            script("demo_base.py", stage, "--processes", processes()) for stage in ("small", "train", "crowded")
        ],
        "pack": lambda: script("demo_pack.py"),
        "cache": lambda: (cache / "manifest.json").exists() or script("demo_cache.py", "train", "--out", cache),
        "adapter": lambda: train_adapter(adapter_steps),
        "evaluate": lambda: script(
            "demo_evaluate.py", "--folder", CACHE / "model", "--adapter", CACHE / "adapter" / "adapter.safetensors"
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--adapter-steps", type=int, default=5000)
    parser.add_argument("--from", dest="first", default="tokenizer", help="the stage to begin with")
    parser.add_argument("--until", default="evaluate", help="the last stage")
    parser.add_argument("--publish", action="store_true", help="write the weights into demo_model when all is done")
    a = parser.parse_args()
    todo = stages(a.adapter_steps)
    names = list(todo)
    for name in names[names.index(a.first) : names.index(a.until) + 1]:
        started = time.time()
        print(f"== {name}", flush=True)
        todo[name]()
        print(f"== {name}: {(time.time() - started) / 60:.1f} minutes", flush=True)
    if a.publish:
        script("demo_pack.py", ROOT / "demo_model", "--adapter", CACHE / "adapter" / "adapter.safetensors")


if __name__ == "__main__":
    main()
