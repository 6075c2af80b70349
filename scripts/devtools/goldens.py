"""The golden files in tests/golden, and what both the tests and the device check make of them. Needs no pytest."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import torch
from safetensors import safe_open
from torch import Tensor, nn

from .pack import ROOT, register_core

register_core()

from roictrl_core.blending import AttentionBlending  # noqa: E402
from roictrl_core.instance_diffusion.grounding import Grounding  # noqa: E402
from roictrl_core.plan import LevelPlan  # noqa: E402
from roictrl_core.roi import Taps  # noqa: E402

GOLDEN = ROOT / "tests" / "golden"
GRIDS = {8: 25, 16: 19, 32: 13, 64: 7}  # ROI bins by the level's stride
GROUNDING = {
    "boxes": "boxes",
    "used": "masks",
    "text": "text_embeddings",
    "points": "points",
    "scribbles": "scribbles",
    "polygons": "polygons",
    "masks": "segs",
}


def tensors_of(path: Path) -> dict[str, Tensor]:
    """Tensors, float16 ones as float32 (every stored value is float16-exact)."""
    with safe_open(path, "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - safe_open is no mapping
    return {key: t.float() if t.is_floating_point() else t for key, t in tensors.items()}


def metadata_of(path: Path) -> dict:
    """What a file of ROICtrl's says of itself; each value is JSON."""
    with safe_open(path, "pt") as file:
        return {key: json.loads(value) for key, value in (file.metadata() or {}).items()}


def part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors under a prefix, without it."""
    return {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}


def load_hashfill() -> ModuleType:
    """InstanceDiffusion's golden weights: the module that makes them from the keys' names."""
    spec = importlib.util.spec_from_file_location("hashfill", GOLDEN / "instancediffusion" / "hashfill.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Attn2(nn.Module):
    """A cross-attention with diffusers' and ComfyUI's names."""

    def __init__(self, channels: int, text: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(channels, channels, bias=False)
        self.to_k, self.to_v = (nn.Linear(text, channels, bias=False) for _ in range(2))
        self.to_out = nn.Sequential(nn.Linear(channels, channels), nn.Dropout(0.0))


def attn2_of(tensors: dict[str, Tensor]) -> Attn2:
    """The block's own attention."""
    channels, text = tensors["attn2.to_k.weight"].shape
    module = Attn2(channels, text, 8)
    module.load_state_dict(part(tensors, "attn2."))
    return module


def blending_of(tensors: dict[str, Tensor]) -> AttentionBlending:
    """The blending with the file's weights."""
    weights = part(tensors, "w.")
    module = AttentionBlending(
        weights["channel_reduction.weight"].shape[1], weights["channel_gate.mlp.0.weight"].shape[0] - 1
    )
    module.load_state_dict(weights)
    return module


def plan_of_maps(foreground: Tensor) -> LevelPlan:
    """A plan for slots that are whole maps already: `[B, S, H, W]` bool; ROI bin i is cell i."""
    batch, _, height, width = foreground.shape
    pairs = foreground.flatten(2).any(2).nonzero()  # [A, 2]
    shown = foreground[pairs[:, 0], pairs[:, 1]].flatten(1)  # [A, T]
    by_row = torch.stack([(pairs[:, 0] == row)[:, None] & shown for row in range(batch)])  # [B, A, T]
    by_cell = by_row.transpose(1, 2).flatten(0, 1)  # [B * T, A]
    cells = by_cell.any(1).nonzero().flatten()
    cell_pair = [by_cell[cell].nonzero().flatten() for cell in cells]
    table = nn.utils.rnn.pad_sequence(cell_pair, batch_first=True, padding_value=len(pairs))  # [N, K]
    index = table.clamp(max=len(pairs) - 1) * height * width + (cells % (height * width))[:, None]
    padding = [torch.zeros_like(table, dtype=torch.bool)] * 3
    weight = torch.stack([table < len(pairs), *padding], dim=-1).float()
    none = Taps(torch.zeros(0, 16, device=table.device), torch.zeros(0, 16, device=table.device))
    unpool = Taps(index[..., None].expand(-1, -1, 4).int(), weight)
    return LevelPlan(
        batch,
        height,
        width,
        (),
        tuple(range(len(pairs))),
        pairs[:, 0],
        pairs[:, 1],
        none,
        cells,
        table,
        unpool,
        shown.all(1),
    )


def grounding_of(tensors: dict[str, Tensor]) -> Grounding:
    """What an InstanceDiffusion file gives its UniFusion."""
    return Grounding(**{ours: tensors[f"in.{theirs}"].float() for ours, theirs in GROUNDING.items()})
