"""LoRA files as ComfyUI reads them, for a model's layers and for a text encoder; and layers under them for a while.

Names and kinds (LoRA, LoHa, LoKr, differences) are core's: `comfy.lora` and its weight adapters.  No weight is patched
in a diffusion model: a layer's forward is swapped for the time of a call, so quantised and offloaded weights stay as
they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import comfy.lora
import comfy.lora_convert
import torch
from comfy.weight_adapter import WeightAdapterBase
from comfy.weight_adapter.loha import LoHaAdapter
from comfy.weight_adapter.lokr import LoKrAdapter
from comfy.weight_adapter.lora import LoRAAdapter
from torch import Tensor

from ....roictrl_core.low_rank import Delta, Deltas, added
from ..memo import Memo
from ..points import Reading, Size
from .swap import Swap, marked, swapped

PREFIX, WEIGHT = "diffusion_model.", ".weight"
_DORA = {LoRAAdapter: 4, LoHaAdapter: 7, LoKrAdapter: 8}  # where a DoRA's scale is among an adapter's weights
_CONVOLUTIONS = (torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)


@dataclass(frozen=True)
class InModel:
    """A file's part in a diffusion model.

    ``left``: names of layers of the model that the file changes otherwise than token by token; ``unfit``: of those that
    have other sizes than in the file.
    """

    deltas: Deltas
    left: tuple[str, ...] = ()
    unfit: tuple[str, ...] = ()


class _Place(NamedTuple):
    """Where core's table says that a patch belongs: a weight's key, a part of it, and what is done to it first."""

    key: str
    part: tuple[int, int, int] | None = None
    function: Callable | None = None


def in_model(model, tensors: Mapping[str, Tensor], strength: float) -> InModel:
    """What a LoRA file adds to the layers of ``model`` (a BaseModel)."""
    modules, found, left, unfit = dict(model.diffusion_model.named_modules()), {}, [], []
    fits = _Fits()
    for target, patch in _loaded(tensors, comfy.lora.model_lora_keys_unet(model, {})).items():
        place = _Place(target) if isinstance(target, str) else _Place(*target)
        name = place.key.removeprefix(PREFIX).removesuffix(WEIGHT)
        shape = _shape(modules.get(name))
        delta = None
        if shape is not None and place.function is None and place.key.endswith(WEIGHT):
            delta = _delta(patch, place, shape, strength)
        if delta is None:
            left.append(name)
        elif not fits(patch, delta, shape):
            unfit.append(name)
        else:
            found[name] = (*found.get(name, ()), delta)
    return InModel(Deltas(found), tuple(left), tuple(unfit))


def text_encoder_with(clip, files: Sequence[tuple[Mapping[str, Tensor], float]]) -> tuple[object, list[int]]:
    """A CLIP under LoRA files with their strengths, as core's loader makes it; and how many weights each changes."""
    changed, counts = clip.clone(), []
    for tensors, strength in files:
        patches = _loaded(tensors, comfy.lora.model_lora_keys_clip(clip.cond_stage_model, {}))
        counts.append(len(changed.add_patches(patches, strength)))
    return changed, counts


def _loaded(tensors: Mapping[str, Tensor], names: dict) -> dict:
    return comfy.lora.load_lora(comfy.lora_convert.convert_lora(dict(tensors)), names, log_missing=False)


def _shape(module: torch.nn.Module | None) -> tuple[int, int] | None:
    """Outputs and inputs of a layer that acts on each token alone; None for any other."""
    if isinstance(module, torch.nn.Linear):
        return module.out_features, module.in_features
    if isinstance(module, _CONVOLUTIONS) and set(module.kernel_size) == {1} and module.groups == 1:
        return module.out_channels, module.in_channels
    return None


def _delta(patch, place: _Place, shape: tuple[int, int], strength: float) -> Delta | None:
    """What is added to a layer of ``shape``; None where that depends on its weights."""
    spans: list[tuple[int, int] | None] = [None, None]
    if place.part is not None:
        axis, first, count = place.part
        spans[axis] = (first, count)
        shape = tuple(count if i == axis else size for i, size in enumerate(shape))
    where = {"outputs": spans[0], "inputs": spans[1]}
    if not isinstance(patch, WeightAdapterBase):
        kind, values = patch
        whole = values[0].flatten(1) if kind == "diff" and values[0].ndim > 1 else None
        return None if whole is None else Delta(strength, dense=lambda device: whole.to(device, torch.float32), **where)
    at = _DORA.get(type(patch))
    if at is None or patch.weights[at] is not None:
        return None
    if type(patch) is LoRAAdapter and patch.weights[3] is None and patch.weights[5] is None:
        up, down, alpha, *_ = patch.weights
        up, down = up.flatten(1), down.flatten(1)
        return Delta(strength * (1.0 if alpha is None else alpha / down.shape[0]), factors=(up, down), **where)

    def make(device: torch.device) -> Tensor:
        """As core adds it to a weight of zeros."""
        return comfy.lora.calculate_weight(
            [(1.0, patch, 1.0, None, None)], torch.zeros(shape, device=device), place.key
        )

    return Delta(strength, dense=make, **where)


class _Fits:
    """Whether deltas have their layers' sizes; of those that core computes one of each kind and size is tried."""

    def __init__(self) -> None:
        self.tried: dict[tuple, bool] = {}

    def __call__(self, patch, delta: Delta, shape: tuple[int, int]) -> bool:
        wanted = tuple(
            size if span is None else span[1] for size, span in zip(shape, (delta.outputs, delta.inputs), strict=True)
        )
        if delta.factors is not None:
            up, down = delta.factors
            return (up.shape[0], down.shape[1]) == wanted and up.shape[1] == down.shape[0]
        if not isinstance(patch, WeightAdapterBase):
            return tuple(delta.dense(torch.device("cpu")).shape) == wanted
        key = (type(patch), wanted, *(tuple(w.shape) if torch.is_tensor(w) else None for w in patch.weights))
        if key not in self.tried:
            self.tried[key] = _can_be_added(patch, wanted)
        return self.tried[key]


def _can_be_added(patch: WeightAdapterBase, shape: tuple[int, int]) -> bool:
    """Core only logs where it cannot, and adds nothing then: no product of weights of ones is nothing."""
    ones = tuple(torch.ones_like(w) if torch.is_tensor(w) else w for w in patch.weights)
    trial = type(patch)(patch.loaded_keys, ones)
    return bool(comfy.lora.calculate_weight([(1.0, trial, 1.0, None, None)], torch.zeros(shape), "a trial").any())


# --- layers under LoRAs ---


def under(module: torch.nn.Module, name: str, deltas: Deltas, memo: Memo) -> AbstractContextManager[None]:
    """A context in which the layers of a module, ``name`` in the model, have what LoRAs add to them."""
    return swapped(_swaps(module, name, deltas, memo))


def _swaps(module: torch.nn.Module, name: str, deltas: Deltas, memo: Memo) -> Iterator[Swap]:
    for inner, layer in module.named_modules():
        own = deltas.by_layer.get(".".join(filter(None, (name, inner))))
        if own:
            yield layer, partial(_changed, own, memo)


def _changed(deltas: Sequence[Delta], memo: Memo, previous: Callable) -> Callable:
    def forward(x: Tensor, *args, **kwargs) -> Tensor:
        return added(previous(x, *args, **kwargs), x, deltas, partial(placed, memo, x))

    return marked(forward, previous)


def placed(memo: Memo, like: Tensor, delta: Delta) -> tuple[Tensor, Tensor] | None:
    """A delta's factors where a tensor is, once per run."""
    return memo.make(("delta", id(delta), like.dtype, like.device), lambda: delta.placed(like))


class UnderLoRAs:
    """A block's own cross-attention (`InstanceAttention`) in which each ROI reads under its box's LoRAs.

    ``module`` is that of the model that the block reads text by, ``name`` its name there.
    """

    def __init__(self, attention, module: torch.nn.Module, name: str, reading: Reading) -> None:
        self.attention, self.module, self.name, self.reading = attention, module, name, reading

    @classmethod
    def around(cls, attention, module: torch.nn.Module, name: str, reading: Reading):
        """The attention itself where none of its texts is read under a LoRA."""
        return cls(attention, module, name, reading) if any(text.lora for text in reading.texts) else attention

    def attend(self, rois: Tensor, pairs: Sequence[int], grid: Size) -> Tensor:
        return self._by_lora(self.attention.attend, rois, pairs, grid)

    def project_queries(self, n: Tensor) -> Tensor | None:
        if any(text.lora and text.lora.touches(f"{self.name}.to_q") for text in self.reading.texts):
            return None  # each ROI has queries of its own
        return self.attention.project_queries(n)

    def attend_queries(self, queries: Tensor, pairs: Sequence[int], grid: Size) -> Tensor:
        return self._by_lora(self.attention.attend_queries, queries, pairs, grid)

    def _by_lora(self, read: Callable[..., Tensor], x: Tensor, pairs: Sequence[int], grid: Size) -> Tensor:
        groups: dict[int, list[int]] = {}
        for position, pair in enumerate(pairs):
            groups.setdefault(id(self.reading.texts[pair].lora), []).append(position)
        parts = []
        for group in groups.values():
            deltas = self.reading.texts[pairs[group[0]]].lora or Deltas()
            with under(self.module, self.name, deltas, self.reading.memo):
                parts.append(read(x[group], [pairs[i] for i in group], grid))
        if len(parts) == 1:
            return parts[0]
        members = torch.tensor([position for group in groups.values() for position in group], device=x.device)
        return torch.cat(parts)[members.argsort()]
