"""InstanceDiffusion's weights on disk: recognised by keys, read by parts, written as one safetensors.

Names and forms: docs/instance_diffusion.md section 9.

Every form is brought to the official names (`position_net.*`, `*.transformer_blocks.0.fuser.*`, `scaleu_*`); the base
UNet, EMA bookkeeping, optimizer, text encoder and VAE of the official file are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from ..files import write_atomically
from ..finite import all_finite
from ..notes import quote
from ..recognise import UNKNOWN, OtherKind
from ..recognise import recognise as kind_of
from ..saved_tensors import SavedTensor
from ..torch_file import TorchFile
from ..weights_file import SUFFIXES, WeightsFile, check_is_weights
from ..weights_file import open_weights as open_file
from .config import InstanceDiffusionConfig
from .model import InstanceDiffusion

CONFIG_KEY = "instance_diffusion"  # in our files' metadata: the config as JSON
_SECTIONS = ("input_blocks", "middle_block", "output_blocks")
DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
_SPLIT_PARTS = ("position_net", "fusers", "scaleu")


@dataclass(frozen=True)
class Weights:
    """Tensors of one file under official names, each read when called for.

    form: "official checkpoint", "one file", or the community split's "position_net", "fusers" or "scaleu".
    """

    path: Path
    form: str
    shapes: Mapping[str, tuple[int, ...]]
    read: Callable[[str], Tensor]
    config: InstanceDiffusionConfig | None = None

    @property
    def is_part(self) -> bool:
        return self.form in _SPLIT_PARTS


def open_weights(path: str | Path) -> Weights:
    """Recognise one file by its keys. Raises ValueError, naming the file and what it is instead,
    when it is none of ours; OtherKind, which leaves what to do to the caller, where it is known what it is."""
    path = Path(path)
    check_is_weights(path)
    if path.suffix.lower() == ".safetensors":
        return _open_safetensors(path)
    file = TorchFile(path)
    form, named = recognise(file, str(path))
    wrong = next((key for key, value in named.items() if not isinstance(value, SavedTensor)), None)
    if wrong is not None:
        raise ValueError(
            f"{path} holds something else than a tensor at {quote(wrong)}. The file is damaged "
            "or hostile; download it again."
        )
    return Weights(path, form, {key: tensor.shape for key, tensor in named.items()}, lambda key: file.read(named[key]))


def recognise(file: TorchFile, source: str) -> tuple[str, dict[str, object]]:
    """Which form a checkpoint's content has, and its InstanceDiffusion tensors under official names.

    Raises ValueError naming `source` for anything else.
    """
    tree = file.tree if isinstance(file.tree, dict) else {}
    keys = {str(key) for key in tree}
    for group in ("ema", "model"):
        if _is_position_net(_below(tree, group), "position_net."):
            return "official checkpoint", _wanted(tree[group])
    if _is_position_net(keys, "position_net."):
        return "one file", _wanted(tree)
    if _is_position_net(keys, ""):
        return "position_net", {f"position_net.{key}": value for key, value in tree.items()}
    if keys and keys <= set(_SECTIONS):
        return "fusers", _split_fusers(tree, source)
    if keys and all(key.isdecimal() for key in keys):
        return "scaleu", _split_scaleu(tree, source)
    raise _refusal(source, file.tensors)


def gather(path: str | Path) -> list[Weights]:
    """The file, or when it is one third of the community split, all three: from its folder or the folders beside it.

    Raises ValueError naming what is missing or there twice.
    """
    first = open_weights(path)
    if not first.is_part:
        return [first]
    found = {first.form: first}
    for nearby in (_files(first.path.parent), _files(*_folders_beside(first.path.parent))):
        candidates: dict[str, list[Weights]] = {}
        for file in nearby:
            with suppress(ValueError):
                part = open_weights(file)
                if part.is_part and part.form not in found:
                    candidates.setdefault(part.form, []).append(part)
        for form, parts in candidates.items():
            if len(parts) > 1:
                names = " and ".join(str(part.path) for part in parts)
                raise ValueError(
                    f"{first.path} is InstanceDiffusion's {first.form}; its {form} is there twice: {names}. Remove one."
                )
            found[form] = parts[0]
    missing = [form for form in _SPLIT_PARTS if form not in found]
    if missing:
        raise ValueError(
            f"{first.path} is only InstanceDiffusion's {first.form}. Put the other parts ({', '.join(missing)}) "
            "into the same folder."
        )
    return [found[form] for form in _SPLIT_PARTS]


def merge(parts: Sequence[Weights]) -> tuple[InstanceDiffusionConfig, dict[str, Callable[[], Tensor]]]:
    """All tensors of a complete model, each behind a call that reads it, and its config.

    Raises ValueError when a tensor is missing or has another shape than the model's.
    """
    shapes = {key: shape for part in parts for key, shape in part.shapes.items()}
    names = ", ".join(str(part.path) for part in parts)
    try:
        config = parts[0].config or InstanceDiffusionConfig.from_shapes(shapes)
    except ValueError as error:
        raise ValueError(f"{names}: {error}") from error
    expected = {key: tuple(t.shape) for key, t in InstanceDiffusion(config, device="meta").state_dict().items()}
    wrong = [key for key, shape in expected.items() if shapes.get(key) != shape]
    if wrong:
        raise ValueError(
            f"{names}: {len(wrong)} of InstanceDiffusion's {len(expected)} tensors are missing or have another shape, "
            f"the first being {wrong[0]}. The file is damaged or of another model; download it again."
        )
    readers = {key: part.read for part in parts for key in part.shapes}
    return config, {key: lambda key=key: readers[key](key) for key in expected}


def load(path: str | Path, dtype: torch.dtype | None = None) -> tuple[InstanceDiffusionConfig, dict[str, Tensor]]:
    """Config and state dict of a model in any recognised form; floats cast to `dtype` when one is given."""
    config, readers = merge(gather(path))
    return config, {key: _cast(key, read(), dtype) for key, read in readers.items()}


def convert(
    source: str | Path | Iterable[str | Path],
    target: str | Path,
    dtype: torch.dtype | None = torch.float16,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write any recognised form as one safetensors with official names; returns its path.

    source: a file (with the split, any of the three), or the three files. dtype None keeps the source's.
    progress gets (tensors done, all). Tensors are read one at a time, so memory holds the result and not the source;
    the target appears only when complete. Raises ValueError as `open_weights`, `gather` and `merge` do,
    or when the target is no .safetensors.
    """
    target = Path(target)
    if target.suffix != ".safetensors":
        raise ValueError(f"{target}: InstanceDiffusion is written as safetensors; give the file that ending.")
    parts = gather(source) if isinstance(source, (str, Path)) else [open_weights(path) for path in source]
    config, readers = merge(parts)
    tensors = {}
    for done, (key, read) in enumerate(readers.items(), 1):
        tensors[key] = _cast(key, read(), dtype).contiguous()
        if progress is not None:
            progress(done, len(readers))
    metadata = {"format": "pt", CONFIG_KEY: config.to_json(), "converted_from": parts[0].form}
    write_atomically(target, lambda partial: save_file(tensors, partial, metadata))
    return target


def _open_safetensors(path: Path) -> Weights:
    file = open_file(path)
    if not _is_position_net(file.shapes, "position_net."):
        raise _refusal(path, file.shapes)
    return Weights(path, "one file", _wanted(file.shapes), lambda key: file.tensors([key])[key], _config_of(file))


def _config_of(file: WeightsFile) -> InstanceDiffusionConfig | None:
    """What our own files say of themselves. Raises ValueError, naming the file, where that cannot be."""
    if CONFIG_KEY not in file.metadata:
        return None
    try:
        return InstanceDiffusionConfig.from_json(file.metadata[CONFIG_KEY])
    except ValueError as error:
        raise ValueError(
            f"{file.path} has a config that cannot be read ({str(error).rstrip('.')}). The file is damaged or hostile; "
            "download or convert it again."
        ) from None


def _below(tree: Mapping, key: object) -> Mapping:
    """The dictionary under a key; empty where there is none."""
    found = tree.get(key)
    return found if isinstance(found, Mapping) else {}


def _wanted(named: Mapping) -> dict:
    """The trained parts of a state dict; the base UNet stays out."""

    def ours(key: object) -> bool:
        return isinstance(key, str) and (key.startswith(("position_net.", "scaleu_")) or ".fuser." in key)

    return {key: value for key, value in named.items() if ours(key)}


def _is_position_net(keys: Iterable[str], prefix: str) -> bool:
    """docs/instance_diffusion.md section 9.3: five token MLPs and a polygon null; GLIGEN has neither."""
    return {f"{prefix}linears_list.4.4.weight", f"{prefix}null_polygon_feature"} <= set(keys)


def _split_fusers(tree: Mapping, source: str) -> dict[str, object]:
    """Section -> block number -> {params, state}, in any order (docs/instance_diffusion.md section 9.2)."""
    named = {}
    for section in _SECTIONS:
        for number, block in _below(tree, section).items():
            state = _below(block, "state") if isinstance(block, Mapping) else {}
            if not state or not str(number).isdecimal():
                raise ValueError(
                    f"{source} looks like InstanceDiffusion's fusers, but {section} "
                    f"{quote(str(number))} holds no weights."
                )
            place = section + (".1" if section == "middle_block" else f".{number}.1")
            named.update({f"{place}.transformer_blocks.0.fuser.{key}": value for key, value in state.items()})
    if not named:
        raise ValueError(f"{source} looks like InstanceDiffusion's fusers, but holds no weights.")
    return named


def _split_scaleu(tree: Mapping, source: str) -> dict[str, object]:
    named = {}
    for number, gains in tree.items():
        if not isinstance(gains, Mapping) or not {"scaleu_b", "scaleu_s"} <= set(gains):
            raise ValueError(f"{source} looks like InstanceDiffusion's ScaleU, but entry {number} holds no gains.")
        named.update({f"{name}_{number}": gains[name] for name in ("scaleu_b", "scaleu_s")})
    return named


def _refusal(source: str | Path, keys: Iterable[str]) -> ValueError:
    said, kind = f"{source} is not an InstanceDiffusion file: it", kind_of(keys)
    if kind is not UNKNOWN:
        return OtherKind(f"{said} is {kind.name}.", kind)
    shown = ", ".join(sorted(keys)[:3]) or "nothing"
    return ValueError(
        f"{said} holds {shown}. Choose a converted safetensors, the official checkpoint or the community split."
    )


def _files(*folders: Path) -> list[Path]:
    return sorted(file for folder in folders for file in _inside(folder) if file.suffix in SUFFIXES and file.is_file())


def _folders_beside(folder: Path) -> list[Path]:
    """The split's read-me puts each third into a folder of its own."""
    return [other for other in _inside(folder.parent) if other.is_dir() and other != folder]


def _inside(folder: Path) -> list[Path]:
    """Of folders that may not be read, nothing: whatever lies beside the weights is no reason to refuse them."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _cast(key: str, tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    if tensor.dtype not in DTYPES:
        names = ", ".join(str(kind).removeprefix("torch.") for kind in DTYPES)
        raise ValueError(
            f"InstanceDiffusion: {key} is stored as {str(tensor.dtype).removeprefix('torch.')}. "
            f"Weights are read as {names}."
        )
    tensor = tensor if dtype is None else tensor.to(dtype)
    if not all_finite(tensor):
        raise ValueError(
            f"InstanceDiffusion: {key} holds NaN or infinite values in {tensor.dtype}. The file is damaged, or "
            "its values do not fit that dtype."
        )
    return tensor
