"""Trains the demo model's VAE, TAESD's architecture with 4 channels, on crops of demo pictures.

    python scripts/demo_vae.py

Pictures alone teach it to string the hues up along one line of latents, neighbours half a deviation apart,
which no small UNet samples cleanly: parts of objects take a neighbouring hue.
So a second phase begins the latents anew on the features of the first: white (uncorrelated channels of deviation 1),
noisy, and with each cell's mean colour as a linear function of its latent, as in SD's VAE. That parts the hues;
the last phases bring the textures back with less noise.
Writes vae.safetensors, vae_log.csv and vae_statistics.json (mean and deviation of each latent channel)
into the cache folder. Resumes from its last checkpoint.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass

import numpy as np

from demo_common import CACHE, Log, device, save_array, start
from demo_world.world import SIZE, random_scene, render

start()
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from comfy.taesd.taesd import TAESD  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from roictrl_core.files import write_atomically  # noqa: E402

SEED = 10  # of the training scenes, (SEED, index)
PICTURES = 6000
CROP = 64  # px
BATCH = 16
LOG_EVERY, CHECKPOINT_EVERY = 25, 200  # steps


@dataclass(frozen=True)
class Phase:
    """Part of the training. Noises are in deviations of a latent channel: per cell, and of patches of some 20 px,
    over which a decoder could average the former away."""

    steps: int
    rate: float
    cell_noise: float
    patch_noise: float
    white: float  # weight of the loss that keeps the channels uncorrelated, with mean 0 and deviation 1
    colour: float  # weight of the loss that has each cell's mean colour be a linear function of its latent


PICTURES_ALONE = Phase(1700, 1e-3, cell_noise=0.05, patch_noise=0.0, white=0.0, colour=0.0)
COLOURS = Phase(750, 7e-4, cell_noise=0.25, patch_noise=0.25, white=0.1, colour=3.0)
TEXTURES = (
    Phase(1100, 1e-3, cell_noise=0.08, patch_noise=0.15, white=0.05, colour=1.0),
    Phase(550, 8e-4, cell_noise=0.05, patch_noise=0.1, white=0.05, colour=0.5),
)
PHASES = (PICTURES_ALONE, COLOURS, *TEXTURES)
STEPS = sum(phase.steps for phase in PHASES)


def pictures() -> np.ndarray:
    """uint8 [PICTURES, SIZE, SIZE, 3], drawn once and kept in the cache."""
    path = CACHE / "vae_pictures.npy"
    if not path.exists():
        drawn = np.stack([render(random_scene((SEED, index), 1 + index % 6)) for index in range(PICTURES)])
        write_atomically(path, lambda p: save_array(p, drawn))
    return np.load(path, mmap_mode="r")


def new_model() -> TAESD:
    """TAESD with torch's default initialisation (ComfyUI's layers start uninitialised)."""
    torch.manual_seed(SEED)
    model = TAESD()
    for layer in model.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.Conv2d.reset_parameters(layer)
    return model.requires_grad_(True)


def crops(source: np.ndarray, step: int) -> torch.Tensor:
    """The batch of a step, [BATCH, 3, CROP, CROP] in 0..1; depends on the step alone."""
    rng = np.random.default_rng((SEED, 1, step))
    index = rng.integers(len(source), size=BATCH)
    corner = rng.integers(SIZE - CROP + 1, size=(BATCH, 2))
    batch = np.stack([source[i, y : y + CROP, x : x + CROP] for i, (y, x) in zip(index, corner, strict=True)])
    return torch.from_numpy(batch).permute(0, 3, 1, 2).float() / 255


def phase_of(step: int) -> tuple[Phase, int]:
    """The phase that a step belongs to, and its place in there."""
    for phase in PHASES:
        if step < phase.steps:
            return phase, step
        step -= phase.steps
    raise IndexError("a step after the last phase")


def learning_rate(phase: Phase, step: int) -> float:
    return phase.rate * min(1.0, (step + 1) / 50) * (0.01 + 0.99 * (1 + math.cos(math.pi * step / phase.steps)) / 2)


def disturbance(phase: Phase, z: torch.Tensor) -> torch.Tensor:
    """Noise for latents [B, 4, h, w]; each picture has its own amount of it, up to the phase's."""
    amount = torch.rand(2, len(z), 1, 1, 1, device=z.device)
    patches = F.interpolate(torch.randn(len(z), z.shape[1], 3, 3, device=z.device), z.shape[-2:], mode="bilinear")
    relative = (
        phase.cell_noise * amount[0] * torch.randn(z.shape, device=z.device) + phase.patch_noise * amount[1] * patches
    )
    return relative * z.detach().float().std((0, 2, 3), keepdim=True)


def unlike_white(z: torch.Tensor) -> torch.Tensor:
    """How far latents [B, 4, h, w] are from mean 0 and covariance 1."""
    cells = z.float().permute(0, 2, 3, 1).flatten(0, 2)
    return (
        cells.mean(0).square().sum() + (torch.cov(cells.T) - torch.eye(cells.shape[1], device=z.device)).square().sum()
    )


class Run:
    """Model, optimizer and step, with their checkpoint."""

    def __init__(self) -> None:
        self.model = new_model().to(device(), memory_format=torch.channels_last)
        self.colours = torch.nn.Conv2d(4, 3, 1).to(device())  # reads a latent's mean colour; not part of the VAE
        learned = [*self.model.parameters(), *self.colours.parameters()]
        self.optimizer = torch.optim.AdamW(learned, PHASES[0].rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
        self.parts = {"model": self.model, "colours": self.colours, "optimizer": self.optimizer}
        self.checkpoint, self.step = CACHE / "vae_checkpoint.pt", 0
        if self.checkpoint.exists():
            state = torch.load(self.checkpoint, weights_only=True)
            for name, part in self.parts.items():
                part.load_state_dict(state[name])
            self.step = state["step"]

    def save(self) -> None:
        state = {**{name: part.state_dict() for name, part in self.parts.items()}, "step": self.step}
        write_atomically(self.checkpoint, lambda p: torch.save(state, p))

    def losses(self, phase: Phase, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(what is minimised, the pictures' squared error, the mean colours'); x [B, 3, h, w] in 0..1."""
        with torch.autocast(device().type, torch.bfloat16):
            z = self.model.taesd_encoder(x)
            noisy = z + disturbance(phase, z)
            y = self.model.taesd_decoder(noisy).float()
        squared = (y - x).square().mean()
        colour = (self.colours(noisy.float()) - F.avg_pool2d(x, 8)).square().mean()
        loss = (
            squared * 5
            + (y - x).abs().mean()
            + 1e-4 * z.float().square().mean()
            + phase.white * unlike_white(z)
            + phase.colour * colour
        )
        return loss, squared, colour

    def advance(self, x: torch.Tensor) -> dict[str, float]:
        """One step."""
        phase, at = phase_of(self.step)
        if phase is COLOURS and at == 0:  # new layers on both sides of the latents
            torch.nn.Conv2d.reset_parameters(self.model.taesd_encoder[-1])
            torch.nn.Conv2d.reset_parameters(self.model.taesd_decoder[1])
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(phase, at)
        loss, squared, colour = self.losses(phase, x.to(device(), memory_format=torch.channels_last))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        return {"loss": loss.item(), "squared": squared.item(), "colour": colour.item()}


def train() -> TAESD:
    run, source, recent = Run(), pictures(), []
    log = Log(CACHE / "vae_log.csv", ("step", "loss", "psnr", "colour"), STEPS, run.step)
    while run.step < STEPS:
        recent.append(run.advance(crops(source, run.step)))
        if run.step % LOG_EVERY == 0:
            mean = {name: float(np.mean([found[name] for found in recent])) for name in recent[0]}
            log.row(
                run.step,
                step=run.step,
                loss=mean["loss"],
                psnr=-10 * math.log10(mean["squared"]),
                colour=mean["colour"],
            )
            recent = []
        if run.step % CHECKPOINT_EVERY == 0 or run.step == STEPS:
            run.save()
    return run.model


@torch.no_grad()
def statistics(model: TAESD) -> dict[str, list[float]]:
    """Mean and deviation of each latent channel over 512 pictures."""
    sums = []
    for first in range(0, 512, 16):
        x = torch.from_numpy(np.ascontiguousarray(pictures()[first : first + 16])).permute(0, 3, 1, 2).float() / 255
        sums.append(model.taesd_encoder(x.to(device())).float().cpu())
    latents = torch.cat(sums)
    return {"mean": latents.mean((0, 2, 3)).tolist(), "std": latents.std((0, 2, 3)).tolist()}


def main() -> None:
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    model = train().eval().float()
    write_atomically(CACHE / "vae_statistics.json", lambda p: p.write_text(json.dumps(statistics(model))))
    weights = {k: v.contiguous() for k, v in model.state_dict().items()}
    write_atomically(CACHE / "vae.safetensors", lambda p: save_file(weights, p))


if __name__ == "__main__":
    main()
