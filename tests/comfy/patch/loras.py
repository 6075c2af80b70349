"""LoRA files for the tests' models: random, of the layers that a pattern names."""

from __future__ import annotations

import re
from collections.abc import Callable

import torch
from torch import Tensor

RANK = 4


def _lora(stem: str, out: int, inner: int, fill: Callable) -> dict[str, Tensor]:
    parts = {"lora_up.weight": fill(out, RANK), "lora_down.weight": fill(RANK, inner), "alpha": torch.tensor(2.0)}
    return {f"{stem}.{name}": tensor for name, tensor in parts.items()}


def _loha(stem: str, out: int, inner: int, fill: Callable) -> dict[str, Tensor]:
    sizes = {"w1_a": (out, RANK), "w1_b": (RANK, inner), "w2_a": (out, RANK), "w2_b": (RANK, inner)}
    return {f"{stem}.hada_{name}": 1.2 * fill(*size) for name, size in sizes.items()}


def _lokr(stem: str, out: int, inner: int, fill: Callable) -> dict[str, Tensor]:
    return {f"{stem}.lokr_w1": fill(4, 4), f"{stem}.lokr_w2": fill(out // 4, inner // 4)}


def _dora(stem: str, out: int, inner: int, fill: Callable) -> dict[str, Tensor]:
    return {**_lora(stem, out, inner, fill), f"{stem}.dora_scale": torch.ones(out, 1)}


KINDS = {"lora": _lora, "loha": _loha, "lokr": _lokr, "dora": _dora}


def tensors(weights: dict[str, Tensor], pattern: str, kind: str = "lora", seed: int = 0, prefix: str = "") -> dict:
    """Of the matrices in a state dict whose names a pattern finds; ``prefix`` before their names in the file."""
    generator, found = torch.Generator().manual_seed(seed), {}

    def fill(*size: int) -> Tensor:
        return torch.randn(*size, generator=generator) / size[-1] ** 0.5

    for name, weight in weights.items():
        if name.endswith(".weight") and weight.ndim > 1 and weight.shape[2:].numel() == 1 and re.search(pattern, name):
            stem = prefix + name.removesuffix(".weight")
            found.update(KINDS[kind](stem, weight.shape[0], weight.shape[1], fill))
    assert found
    return found


def text_encoder(weights: dict[str, Tensor], seed: int = 5) -> dict:
    """Of the queries and values of SD1.x's CLIP."""
    found = tensors(weights, r"self_attn\.[qv]_proj", seed=seed)
    return {
        "lora_te_" + name[name.index("text_model") :].split(".", 1)[0] + "_" + _joined(name): tensor
        for name, tensor in found.items()
    }


def _joined(name: str) -> str:
    """clip_l.transformer.text_model.encoder.layers.0.self_attn.q_proj.lora_up.weight: in a file, from its layers on."""
    layer, _, part = name[name.index("encoder") :].partition("_proj.")
    return layer.replace(".", "_") + "_proj." + part
