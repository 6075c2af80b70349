"""What people put under an adapter: a base fine-tuned to a palette of its own, and a LoRA.
Import after the pack is loaded.

Both are trained with demo_base.py's loss on pictures of another palette and know nothing of the adapter,
nor it of them. Started again, a run goes on from its last checkpoint.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from roictrl_pack.nodes.demo_model.files import load_vae_file
from roictrl_pack.nodes.demo_model.tokenizer import DemoTokenizer
from roictrl_pack.nodes.patch.hosts.unet import UNet
from roictrl_pack.roictrl_core.files import write_atomically
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization

from demo_base import Base, loss_of, noise_levels
from demo_common import device
from demo_world.captions import global_caption
from demo_world.world import MAX_INSTANCES, random_scene, render

from .palettes import PALETTES, described, recoloured_scene
from .places import BASE, digest

SEED = 90  # of their scenes
BATCH, RANK = 32, 8
CHECKPOINT_EVERY, LOG_EVERY = 50, 20  # steps
RATES = {"community": 3e-4, "lora": 1e-3}
CAPTION_DROPOUT = 0.1


def train_addon(
    name: str, demo: Path, out: Path, steps: int, pictures: int, say: Callable[[str], None] = print
) -> Path:
    """The fine-tuned base, or the LoRA, on top of a demo model; returns its file."""
    out = out / name
    target = out / ("base.safetensors" if name == "community" else "weights.safetensors")
    about = {
        "training_steps": str(steps),
        "palette": described(PALETTES[name]),
        BASE: digest(demo / "base.safetensors"),
    }
    checkpoint = out / f"checkpoint-{'-'.join((about[BASE], *map('_'.join, PALETTES[name].items())))}.pt"
    if target.is_file() and made_with(target, about):
        say(f"{name}: trained already ({target})")
        return target
    out.mkdir(parents=True, exist_ok=True)
    model = Base()
    model.load_state_dict({key: tensor.float() for key, tensor in load_file(demo / "base.safetensors").items()})
    model.requires_grad_(False).to(device())
    trained = (
        list(add_lora(model).parameters()) if name == "lora" else list(model.unet.requires_grad_(True).parameters())
    )
    _train(name, model, trained, _data(name, demo, out, pictures), steps, checkpoint, say)
    if name == "lora":
        write_atomically(target, lambda file: save_file(lora_weights(model), file, about))
    else:
        shutil.copyfile(demo / "vae.safetensors", out / "vae.safetensors")
        weights = {
            key: tensor.detach().to(torch.float16).contiguous().cpu() for key, tensor in model.state_dict().items()
        }
        write_atomically(target, lambda file: save_file(weights, file, {"format": "pt", **about}))
    return target


def made_with(path: Path, about: dict[str, str]) -> bool:
    with safe_open(path, "pt") as file:
        return about.items() <= (file.metadata() or {}).items()


def _train(
    name: str, model: Base, trained: list[nn.Parameter], data: tuple, steps: int, checkpoint: Path, say: Callable
) -> None:
    optimizer, levels, first, losses = (
        torch.optim.AdamW(trained, RATES[name], weight_decay=0.0),
        noise_levels().to(device()),
        0,
        [],
    )
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True, map_location=device())
        with torch.no_grad():
            for parameter, value in zip(trained, state["trained"], strict=True):
                parameter.copy_(value)
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]
        say(f"{name}: going on from step {first}")
    for step in range(first, steps):
        rng = np.random.default_rng((SEED, 2, step))
        loss = loss_of(levels, model, _batch(data, rng), rng)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        if (step + 1) % LOG_EVERY == 0 or step + 1 == steps:
            say(f"{name}: step {step + 1}/{steps}  loss {np.mean(losses):.5f}")
            losses = []
        if (step + 1) % CHECKPOINT_EVERY == 0 or step + 1 == steps:
            state = {"trained": [p.detach() for p in trained], "optimizer": optimizer.state_dict(), "step": step + 1}
            write_atomically(checkpoint, lambda p, state=state: torch.save(state, p))


@torch.no_grad()
def _data(name: str, demo: Path, out: Path, pictures: int) -> tuple[Tensor, Tensor, Tensor]:
    """Normalised latents [n, 4, h, w] of pictures in the palette, their captions' tokens [n, 77],
    and those of no caption [77]."""
    vae, statistics = load_vae_file(demo / "vae.safetensors")
    mean, std = (torch.tensor(statistics[key]).view(1, 4, 1, 1) for key in ("mean", "std"))
    tokenizer, latents, texts = DemoTokenizer(), [], []
    for index in range(pictures):
        scene = random_scene((SEED, index), 1 + index % MAX_INSTANCES)
        picture = torch.from_numpy(render(recoloured_scene(scene, PALETTES[name]))).float()[None] / 255
        latents.append((vae.encode(picture).cpu() - mean) / std)
        texts.append(global_caption(scene, np.random.default_rng((SEED, 1, index))))
    tokens = torch.tensor([[token for token, _ in tokenizer.tokenize_with_weights(text)[0]] for text in ("", *texts)])
    return torch.cat(latents).float(), tokens[1:], tokens[0]


def _batch(data: tuple, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    latents, tokens, empty = data
    index = torch.from_numpy(rng.integers(len(latents), size=BATCH))
    dropped = torch.from_numpy(rng.uniform(size=BATCH) < CAPTION_DROPOUT)
    return latents[index].to(device()), torch.where(dropped[:, None], empty, tokens[index]).to(device())


# ---- LoRA ------------------------------------------------------------------------------------------------------------
class LowRank(nn.Module):
    """weight -> weight + up @ down; zero at creation."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.up, self.down = (
            nn.Parameter(torch.zeros(weight.shape[0], RANK)),
            nn.Parameter(torch.randn(RANK, weight.shape[1]) / RANK),
        )

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.up @ self.down


def add_lora(model: Base) -> nn.ModuleList:
    """A low-rank term on every projection of the UNet's cross-attention; returns the terms."""
    torch.manual_seed(SEED)
    terms = nn.ModuleList()
    for block in UNet(model.unet).blocks:
        attn2 = block.module.attn2
        for layer in (attn2.to_q, attn2.to_k, attn2.to_v, attn2.to_out[0]):
            terms.append(LowRank(layer.weight).to(layer.weight.device))
            register_parametrization(layer, "weight", terms[-1])
    return terms


def lora_weights(model: Base) -> dict[str, Tensor]:
    """The terms as a LoRA file that ComfyUI reads."""
    weights = {}
    for name, module in model.unet.named_modules():
        if isinstance(module, LowRank):
            layer = name.removesuffix(".parametrizations.weight.0")
            weights[f"diffusion_model.{layer}.lora_up.weight"] = module.up.detach().contiguous().cpu()
            weights[f"diffusion_model.{layer}.lora_down.weight"] = module.down.detach().contiguous().cpu()
    return weights
