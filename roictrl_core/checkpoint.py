"""ROICtrl weights: recognised by their keys, checked, and written as one safetensors file with the config inside.

The published file is a diffusers UNet's keys containing `roifuser` or `position_net`. Read as well:
the whole UNet around them, any prefix in front of them, and PyTorch files, of which nothing is ever run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from .adapter import ROICtrlAdapter
from .config import AdapterConfig, BlockConfig
from .files import write_atomically
from .finite import all_finite
from .notes import quote
from .recognise import ROICTRL, UNKNOWN, OtherKind, recognise
from .weights_file import WeightsFile, open_weights

CONFIG_KEY = "roictrl_config"  # our metadata: the adapter's config as JSON
ADAPTER_KEY = re.compile(
    r"^(?P<prefix>(?:.*\.)?)"
    r"(?P<key>(?:(?:down_blocks|up_blocks)\.\d+|mid_block)\.attentions\..+\.roifuser\..+|position_net\..+)$"
)
DTYPES = (torch.float32, torch.float16, torch.bfloat16)


@dataclass(frozen=True)
class AdapterFile:
    """A recognised and checked adapter.

    Attributes:
        config: from the file's metadata, or recognised from its keys.
        weights: by published key, in the file's dtype, on the CPU.
        metadata: the file's other metadata (how it was trained and the like).
        description: one sentence for the user: what the file is.
    """

    config: AdapterConfig
    weights: Mapping[str, Tensor]
    metadata: Mapping[str, str]
    description: str

    @property
    def training_steps(self) -> int:
        """Optimiser steps of its training; 0 where the file does not say."""
        steps = self.metadata.get("training_steps", "")
        return int(steps) if steps.isdecimal() and len(steps) < 19 else 0


def read_adapter(path: str | Path, *, heads: int | None = None) -> AdapterFile:
    """Reads an adapter file.

    Args:
        path: `.safetensors`, `.bin`, `.pt`, `.pth` or `.ckpt`.
        heads: head count, which weights do not show; None takes the metadata's, or the rule
            of `AdapterConfig.from_state_dict`.

    Raises:
        ValueError: a sentence that names the file, what it is, and what to do.
        OtherKind: a ValueError that leaves what to do to the caller.
    """
    file = open_weights(path)
    names = _adapter_keys(file)
    shapes = {key: file.shapes[full] for key, full in names.items()}
    config = _read_config(file, shapes, heads)
    _check_shapes(file.path.name, config, shapes)
    full_weights = file.tensors(names.values())
    weights = {key: full_weights[full] for key, full in names.items()}
    _check_values(file.path.name, weights)
    metadata = {key: value for key, value in file.metadata.items() if key not in (CONFIG_KEY, "format")}
    return AdapterFile(config, weights, metadata, _describe(file, config, names, weights))


def save_adapter(
    path: str | Path, config: AdapterConfig, weights: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Writes one safetensors file: published keys, the config in its metadata; the old file
    stays until the new one is whole.

    Raises:
        ValueError: weights that do not fit the config, or that hold NaN or infinite values.
    """
    path = Path(path)
    _check_shapes(path.name, config, {key: tuple(t.shape) for key, t in weights.items()})
    _check_values(path.name, weights)
    tensors = {key: t.detach().to("cpu").contiguous().clone() for key, t in weights.items()}
    text = {"format": "pt", **(metadata or {}), CONFIG_KEY: config.to_json()}
    write_atomically(path, lambda partial: save_file(tensors, partial, metadata=text))


def _adapter_keys(file: WeightsFile) -> dict[str, str]:
    """Published key to the file's key; refuses files that hold no adapter, or several."""
    kind, name = recognise(file.shapes), file.path.name
    if kind is UNKNOWN:
        first = next(iter(file.shapes), None)
        found = f"its {len(file.shapes)} tensors begin with {quote(first)}" if first else "it holds no tensors"
        raise ValueError(
            f"{name} is not a ROICtrl adapter: no key contains 'roifuser' ({found}). "
            "Check that it is the file you meant."
        )
    if kind is not ROICTRL:
        raise OtherKind(f"{name} is {kind.name}, not a ROICtrl adapter.", kind)
    matches = [m for m in map(ADAPTER_KEY.match, file.shapes) if m]
    prefixes = sorted({m["prefix"] for m in matches if ".roifuser." in m["key"]})
    if not prefixes:
        key = next(key for key in file.shapes if ".roifuser." in key)
        raise ValueError(
            f"{name} has ROICtrl keys in an unknown naming ({quote(key)}). Use diffusers' names, "
            "as in the published file."
        )
    if len(prefixes) > 1:
        listed = _some([quote(prefix) for prefix in prefixes])
        raise ValueError(
            f"{name} holds {len(prefixes)} ROICtrl adapters, under the prefixes {listed}. "
            "Save one of them to a file of its own."
        )
    return {m["key"]: m.string for m in matches if m["prefix"] == prefixes[0]}


def _read_config(file: WeightsFile, shapes: Mapping[str, tuple[int, ...]], heads: int | None) -> AdapterConfig:
    name = file.path.name
    if CONFIG_KEY in file.metadata:
        try:
            return AdapterConfig.from_json(file.metadata[CONFIG_KEY])
        except ValueError as error:
            raise ValueError(
                f"{name} has an adapter config that cannot be read ({_inside(error)}). "
                "It was written by another version, or edited."
            ) from None
    try:
        config = AdapterConfig.from_state_dict(shapes, heads)
    except KeyError as error:
        raise ValueError(
            f"{name} is an incomplete ROICtrl adapter: {error.args[0]} is missing. Download or convert it again."
        ) from None
    except ValueError as error:
        raise ValueError(
            f"{name} holds ROICtrl blocks that no adapter can be built from ({_inside(error)}). "
            "The file is damaged or was edited."
        ) from None
    lost = {b.name for b in AdapterConfig.sd15().blocks} - {b.name for b in config.blocks}
    if lost and len(lost) + len(config.blocks) == len(AdapterConfig.sd15().blocks):
        raise ValueError(
            f"{name} is an incomplete ROICtrl adapter: of SD1.x's blocks, {_some(sorted(lost))} missing. "
            "Download or convert it again."
        )
    return config


def _inside(error: ValueError) -> str:
    """A sentence, to stand in brackets."""
    return str(error).rstrip(".")


def _check_shapes(name: str, config: AdapterConfig, shapes: Mapping[str, tuple[int, ...]]) -> None:
    expected = set(_expected(config, config.blocks))
    missing, unexpected = sorted(expected - shapes.keys()), sorted(shapes.keys() - expected)
    if missing:
        raise ValueError(
            f"{name} is an incomplete ROICtrl adapter: {_some(missing)} missing. Download or convert it again."
        )
    if unexpected:
        raise ValueError(
            f"{name} is a ROICtrl adapter with keys that this version does not know: {_some(unexpected)}. "
            "Use a version of this pack that knows them."
        )
    for channels in dict.fromkeys(block.channels for block in config.blocks):
        for key, shape in _expected(config, [block for block in config.blocks if block.channels == channels]).items():
            if tuple(shapes[key]) != shape:
                raise ValueError(
                    f"{name} does not fit its own blocks: {key} has the shape {list(shapes[key])} instead of "
                    f"{list(shape)}. The file is damaged or was edited."
                )


def _expected(config: AdapterConfig, blocks: Sequence[BlockConfig]) -> dict[str, tuple[int, ...]]:
    """Shapes by key of an adapter with these blocks, which are taken to be as wide as the first:
    only that one is built. Building takes milliseconds a block, and a small file may name a thousand."""
    adapter = ROICtrlAdapter(replace(config, blocks=tuple(blocks[:1])), device="meta")
    shapes = {key: tuple(tensor.shape) for key, tensor in adapter.state_dict().items()}
    return shapes | {
        key.replace(blocks[0].name, block.name, 1): shape for block in blocks[1:] for key, shape in shapes.items()
    }


def _some(keys: list[str]) -> str:
    shown = ", ".join(keys[:3])
    return shown if len(keys) <= 3 else f"{shown} and {len(keys) - 3} more"


def _check_values(name: str, weights: Mapping[str, Tensor]) -> None:
    for key, tensor in weights.items():
        if tensor.dtype not in DTYPES:
            dtypes = ", ".join(str(d).removeprefix("torch.") for d in DTYPES)
            raise ValueError(
                f"{name} stores {key} as {str(tensor.dtype).removeprefix('torch.')}. Adapters are read as {dtypes}."
            )
        if not all_finite(tensor):
            raise ValueError(
                f"{name} holds NaN or infinite values in {key}. The file is damaged, or was converted to float16 "
                "with values out of its range."
            )


def _describe(file: WeightsFile, config: AdapterConfig, names: Mapping[str, str], weights: Mapping[str, Tensor]) -> str:
    parameters = sum(t.numel() for t in weights.values())
    dtypes = "/".join(sorted({str(t.dtype).removeprefix("torch.") for t in weights.values()}))
    widths = "/".join(str(w) for w in sorted({b.channels for b in config.blocks}))
    text = (
        f"ROICtrl adapter for {_unet_name(config)}: {len(config.blocks)} blocks of {widths} channels, "
        f"{config.slots} boxes at most, {parameters / 1e6:.1f} M parameters in {dtypes}"
    )
    others = len(file.shapes) - len(names)
    prefix = next(iter(names.values()))[: -len(next(iter(names)))]
    text += f", under the prefix '{prefix}'" if prefix else ""
    return text + (f", beside {others} other tensors that are not used." if others else ".")


def _unet_name(config: AdapterConfig) -> str:
    names = [b.name for b in config.blocks]
    if names == [b.name for b in AdapterConfig.sd15().blocks]:
        first = config.blocks[0].channels
        return "SD1.x" if first == 320 else f"a UNet of SD1.x's shape, width {first}"
    return "another UNet"
