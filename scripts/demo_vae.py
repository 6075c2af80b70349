"""Trains the demo model's VAE, TAESD's architecture with 4 channels, on crops of demo pictures.

    python scripts/demo_vae.py [--steps 1300]

Writes vae.safetensors, vae_log.csv and vae_statistics.json (mean and deviation of each latent channel) into the cache folder.
Resumes from its last checkpoint.
"""
from __future__ import annotations

import argparse
import json
import math

import numpy as np

from demo_common import CACHE, Log, device, save_atomically, start

start()
import torch
from comfy.taesd.taesd import TAESD
from safetensors.torch import save_file

from roictrl_core.demo.world import SIZE, random_scene, render

SEED = 10                   # of the training scenes, (SEED, index)
PICTURES = 6000
CROP = 64                   # px
BATCH = 16
LEARNING_RATE = 1e-3
LATENT_NOISE = 0.05         # of each channel's deviation, so that the decoder forgives small errors of the UNet


def pictures() -> np.ndarray:
    """uint8 [PICTURES, SIZE, SIZE, 3], drawn once and kept in the cache."""
    path = CACHE / "vae_pictures.npy"
    if not path.exists():
        drawn = np.stack([render(random_scene((SEED, index), 1 + index % 6)) for index in range(PICTURES)])
        save_atomically(lambda p: np.save(open(p, "wb"), drawn), path)
    return np.load(path, mmap_mode="r")


def new_model() -> TAESD:
    """TAESD with torch's default initialisation (ComfyUI's layers start uninitialised)."""
    torch.manual_seed(SEED)
    model = TAESD()
    for layer in model.modules():
        if isinstance(layer, torch.nn.Conv2d):
            _default_init(layer)
    return model.requires_grad_(True)


def _default_init(layer: torch.nn.Conv2d) -> None:
    torch.nn.init.kaiming_uniform_(layer.weight, a=math.sqrt(5))
    if layer.bias is not None:
        bound = 1 / math.sqrt(layer.weight[0].numel())
        torch.nn.init.uniform_(layer.bias, -bound, bound)


def crops(source: np.ndarray, step: int) -> torch.Tensor:
    """The batch of a step, [BATCH, 3, CROP, CROP] in 0..1; depends on the step alone."""
    rng = np.random.default_rng((SEED, 1, step))
    index = rng.integers(len(source), size=BATCH)
    corner = rng.integers(SIZE - CROP + 1, size=(BATCH, 2))
    batch = np.stack([source[i, y:y + CROP, x:x + CROP] for i, (y, x) in zip(index, corner)])
    return torch.from_numpy(batch).permute(0, 3, 1, 2).float() / 255


def learning_rate(step: int, steps: int) -> float:
    return LEARNING_RATE * min(1.0, (step + 1) / 50) * (0.01 + 0.99 * (1 + math.cos(math.pi * step / steps)) / 2)


def train(steps: int) -> TAESD:
    model = new_model().to(device(), memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    checkpoint, first = CACHE / "vae_checkpoint.pt", 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]
    source = pictures()
    log = Log(CACHE / "vae_log.csv", ("step", "loss", "psnr"), steps, first)
    recent = []
    for step in range(first, steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps)
        x = crops(source, step).to(device(), memory_format=torch.channels_last)
        with torch.autocast(device().type, torch.bfloat16):
            z = model.taesd_encoder(x)
            noise = LATENT_NOISE * z.detach().float().std((0, 2, 3), keepdim=True) * torch.randn(z.shape, device=z.device)
            y = model.taesd_decoder(z + noise)
        squared = (y.float() - x).square().mean()
        loss = squared * 5 + (y.float() - x).abs().mean() + 1e-4 * z.float().square().mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        recent.append(squared.item())
        if (step + 1) % 25 == 0:
            mean = float(np.mean(recent))
            log.row(step + 1, step=step + 1, loss=loss.item(), psnr=-10 * math.log10(mean))
            recent = []
        if (step + 1) % 200 == 0 or step + 1 == steps:
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1}
            save_atomically(lambda p: torch.save(state, p), checkpoint)
    return model


@torch.no_grad()
def statistics(model: TAESD) -> dict[str, list[float]]:
    """Mean and deviation of each latent channel over 512 pictures."""
    sums = []
    for start in range(0, 512, 16):
        x = torch.from_numpy(np.ascontiguousarray(pictures()[start:start + 16])).permute(0, 3, 1, 2).float() / 255
        sums.append(model.taesd_encoder(x.to(device())).float().cpu())
    latents = torch.cat(sums)
    return {"mean": latents.mean((0, 2, 3)).tolist(), "std": latents.std((0, 2, 3)).tolist()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=1300)
    model = train(parser.parse_args().steps).eval().float()
    save_atomically(lambda p: p.write_text(json.dumps(statistics(model))), CACHE / "vae_statistics.json")
    weights = {k: v.contiguous() for k, v in model.state_dict().items()}
    save_atomically(lambda p: save_file(weights, p), CACHE / "vae.safetensors")


if __name__ == "__main__":
    main()
