"""The most memory that tensors held at one time, counted: a CPU has no allocator to ask."""

from __future__ import annotations

import weakref

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class PeakMemory(TorchDispatchMode):
    """Inside, `now` and `peak` are the bytes of all tensors made since it was entered, every storage once.

    On CUDA the allocator is asked instead: it knows what kernels use in passing as well.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = self._before = 0
        self._alive: dict[int, weakref.finalize] = {}

    def __enter__(self) -> PeakMemory:
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
            self._before = torch.cuda.memory_allocated()
        return super().__enter__()

    def __exit__(self, *error) -> None:
        super().__exit__(*error)
        if torch.cuda.is_available():
            self.peak = torch.cuda.max_memory_allocated() - self._before

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        given = {_key(leaf) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)}
        out = function(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if (
                isinstance(leaf, torch.Tensor) and _key(leaf) not in given
            ):  # views and in-place results are no new memory
                self._count(leaf.untyped_storage())
        return out

    def _count(self, storage: torch.UntypedStorage) -> None:
        if storage._cdata in self._alive:
            return
        size, key = storage.nbytes(), storage._cdata
        self.now += size
        self.peak = max(self.peak, self.now)
        self._alive[key] = weakref.finalize(storage, self._free, key, size)

    def _free(self, key: int, size: int) -> None:
        self.now -= size
        del self._alive[key]


def _key(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage()._cdata
