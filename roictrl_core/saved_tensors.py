"""Tensors as torch's pickles describe them: which storage, which part of it; their values stay in the file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from math import prod
from typing import TypeVar

import torch

from .pickle_policy import foreign_among
from .pickles import MAX_NAME, Damaged, Machine, Name, Placeholder, entries

MAX_ENTRIES = 100_000  # of a file's nested dictionaries, each counted as often as it is reached
MAX_DEPTH = 32
MAX_TENSORS = 20_000  # SDXL's whole checkpoint has 2,600
MAX_NAMES = 2**21  # characters of all names together; SDXL's have 0.2 million
MAX_BELOW = 2 * MAX_NAME  # characters of a dictionary's name that are kept: what is longer names no tensor
MAX_RANK = 16  # dimensions of a tensor
MAX_NUMBER = 2**48  # elements

DTYPES: dict[str, torch.dtype | None] = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
    "UntypedStorage": None,
}

Value = TypeVar("Value")


@dataclass(frozen=True)
class Storage:
    """Where values lie: `key` names the place in the file, `size` elements of `dtype`; None: bytes without a type."""

    key: str
    dtype: torch.dtype | None
    size: int


@dataclass(frozen=True)
class SavedTensor:
    """A part of a storage; offset and strides in elements of `dtype`."""

    storage: Storage
    dtype: torch.dtype
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of its values when they are read."""
        return prod(self.shape) * self.dtype.itemsize

    @property
    def span(self) -> int:
        """Elements from its first to its last one in the storage."""
        return (
            1 + sum((size - 1) * step for size, step in zip(self.shape, self.stride, strict=True))
            if prod(self.shape)
            else 0
        )


@dataclass(frozen=True)
class Contents:
    """What a torch pickle holds: nested dictionaries with SavedTensors, every storage
    by its key, and every name in it."""

    tree: object
    storages: dict[str, Storage]
    names: frozenset[Name]

    @property
    def foreign(self) -> list[str]:
        """Classes and functions that are no part of weights, in alphabetical order."""
        return foreign_among(self.names, BUILDERS, DTYPES)


def read_contents(stream) -> Contents:
    """The next pickle of a stream as torch writes them. Raises Damaged."""
    storages: dict[str, Storage] = {}

    def storage(description: object) -> Storage:
        found = _storage(description)
        return storages.setdefault(found.key, found)

    machine = Machine(BUILDERS, storage)
    return Contents(machine.read(stream), storages, frozenset(machine.names))


def tensors_of(tree: object) -> Iterator[tuple[str, SavedTensor]]:
    """All tensors of nested dictionaries by their keys joined with dots. Raises Damaged where these have no end."""
    return with_names_checked(_tensors_below(tree, "", 0, count(1)))


def with_names_checked(tensors: Iterable[tuple[str, Value]]) -> Iterator[tuple[str, Value]]:
    """The same (name, tensor) pairs, one by one; Damaged at the first name that no tensor has, or that is one too many:
    names go into patterns and sentences."""
    total = 0
    for number, (name, tensor) in enumerate(tensors, 1):
        total += len(name)
        if number > MAX_TENSORS:
            raise Damaged(f"it has more than {MAX_TENSORS} tensors")
        if len(name) > MAX_NAME or not name.isprintable():
            raise Damaged(f"a tensor has a name of {len(name)} characters that cannot be one")
        if total > MAX_NAMES:
            raise Damaged(f"its tensors' names have more than {MAX_NAMES} characters together")
        yield name, tensor


def _tensors_below(node: object, name: str, depth: int, reached: Iterator[int]) -> Iterator[tuple[str, SavedTensor]]:
    if isinstance(node, SavedTensor):
        yield name or "tensor", node
    if not isinstance(node, dict):
        return
    if depth == MAX_DEPTH:
        raise Damaged(f"its dictionaries are nested more than {MAX_DEPTH} deep")
    for key, value in node.items():
        if next(reached) > MAX_ENTRIES:
            raise Damaged(f"its dictionaries have more than {MAX_ENTRIES} entries")
        below = f"{name}.{key}" if depth else str(key)
        yield from _tensors_below(value, below[:MAX_BELOW], depth + 1, reached)


def _is_number(value: object) -> bool:
    return type(value) is int and 0 <= value < MAX_NUMBER


def _storage(description: object) -> Storage:
    """Of torch's persistent id: ("storage", type, key, device, size), and in old versions
    a view, which has to be None."""
    fields = description if isinstance(description, tuple) and len(description) in (5, 6) else (None,) * 5
    what, kind, key, _, size = fields[:5]
    known = what == "storage" and isinstance(kind, Name) and kind.name in DTYPES and fields[5:] in ((), (None,))
    if not known or not isinstance(key, str) or not _is_number(size):
        raise Damaged("it describes a tensor's storage otherwise than torch does")
    return Storage(key, DTYPES[kind.name], size)


def _tensor(arguments: tuple, dtype: torch.dtype | None = None) -> SavedTensor:
    """Of (storage, offset, shape, stride, ...)."""
    storage, offset, shape, stride = arguments[:4] if len(arguments) >= 4 else (None,) * 4
    dtype = dtype or getattr(storage, "dtype", None)
    sized = isinstance(shape, tuple) and isinstance(stride, tuple) and len(shape) == len(stride) <= MAX_RANK
    if (
        not isinstance(storage, Storage)
        or dtype is None
        or not sized
        or not all(map(_is_number, (offset, *shape, *stride)))
    ):
        raise Damaged("it describes a tensor otherwise than torch does")
    return SavedTensor(storage, dtype, offset, shape, stride)


def _tensor_of_type(arguments: tuple) -> SavedTensor:
    """As `_tensor`, with the dtype as the seventh argument: of types that have no storage class of their own."""
    name = arguments[6] if len(arguments) > 6 else None
    dtype = getattr(torch, name.name, None) if isinstance(name, Name) else None
    if not isinstance(dtype, torch.dtype):
        raise Damaged("it describes a tensor's type otherwise than torch does")
    return _tensor(arguments, dtype)


def _ordered(arguments: tuple) -> dict:
    """OrderedDict(), or of a list of pairs, as Python 2 wrote it."""
    pairs = arguments[0] if arguments and isinstance(arguments[0], list) else []
    made = entries(pair for pair in pairs if isinstance(pair, (list, tuple)) and len(pair) == 2)
    pairs.clear()  # it belongs to this call; read in many, a hostile file's would be work without a bound
    return made


def _first(arguments: tuple) -> object:
    return arguments[0] if arguments else Placeholder()


BUILDERS: dict[str, Callable[[tuple], object]] = {
    "collections.OrderedDict": _ordered,
    "collections.defaultdict": lambda arguments: {},
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor_of_type,
    "torch._utils._rebuild_parameter": _first,
    "torch._utils._rebuild_parameter_with_state": _first,
    "torch.Size": _first,
}
