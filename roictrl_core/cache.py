"""Keys and values that stay the same from step to step, kept by the identity of the tensors that they were made of."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

DEFAULT_MAX_BYTES = 1 << 30  # 30 captions in SD1.5's 16 blocks are 231 MB in float32, and rows of both roles come by


@dataclass(frozen=True)
class _Entry:
    sources: tuple[Tensor, ...]  # held, so that no other tensor can get their identity
    versions: tuple[Hashable, ...]
    keys: Tensor
    values: Tensor

    @property
    def nbytes(self) -> int:
        return self.keys.nbytes + self.values.nbytes


class KeyValueCache:
    """Belongs to one sampling run. Entries are dropped when a source tensor or the weights change,
    oldest first when full.

    Nothing is kept or read while gradients are on: such keys and values belong to one backward pass.
    """

    def __init__(self, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self.max_bytes = max_bytes
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()

    @property
    def nbytes(self) -> int:
        """Bytes of the keys and values held."""
        return sum(entry.nbytes for entry in self._entries.values())

    def get(
        self,
        key: Hashable,
        sources: Sequence[Tensor],
        weights_version: Hashable,
        compute: Callable[[], tuple[Tensor, Tensor]],
    ) -> tuple[Tensor, Tensor]:
        """The keys and values of `sources`, computed unless `key` holds them for these very tensors and weights."""
        if torch.is_grad_enabled():
            return compute()
        key = (key, *map(id, sources))
        versions = (weights_version, *map(_version, sources))
        entry = self._entries.get(key)
        if entry is None or entry.versions != versions:
            entry = _Entry(tuple(sources), versions, *compute())
            self._entries[key] = entry
            self._evict()
        self._entries.move_to_end(key)
        return entry.keys, entry.values

    def _evict(self) -> None:
        while len(self._entries) > 1 and self.nbytes > self.max_bytes:
            self._entries.popitem(last=False)


def _version(tensor: Tensor) -> int | None:
    """Counts in-place changes; tensors of inference mode do not count theirs."""
    return None if tensor.is_inference() else tensor._version
