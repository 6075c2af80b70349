"""What a LoRA adds to a linear layer beside the layer's weights: y + (x A) B, or y + x W for one that is no product."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

Span = tuple[int, int]  # first, and how many


@dataclass(frozen=True, eq=False)
class Delta:
    """One file's part in one layer; the same only as itself.

    Attributes:
        scale: what it is multiplied by.
        factors: up `[o, r]` and down `[r, i]`; or None, and ``dense`` makes `[o, i]` float32 on a device.
        outputs, inputs: which of the layer's it is of; None: all (several projections share some models' layers).
    """

    scale: float
    factors: tuple[Tensor, Tensor] | None = None
    dense: Callable[[torch.device], Tensor] | None = None
    outputs: Span | None = None
    inputs: Span | None = None

    def placed(self, like: Tensor) -> tuple[Tensor, Tensor] | None:
        """The factors on a tensor's device in its dtype, the scale in them; None for one without."""
        if self.factors is None:
            return None
        up, down = (factor.to(like.device, torch.float32) for factor in self.factors)
        return (up * self.scale).to(like.dtype), down.to(like.dtype)

    def __call__(self, x: Tensor, placed: tuple[Tensor, Tensor] | None) -> Tensor:
        """`[..., o]` of the layer's input `[..., in]`."""
        x = x if self.inputs is None else x.narrow(-1, *self.inputs)
        if placed is not None:
            up, down = placed
            return (x @ down.T) @ up.T
        return x @ (self.dense(x.device) * self.scale).to(x.dtype).T


def added(
    y: Tensor,
    x: Tensor,
    deltas: Sequence[Delta],
    placed: Callable[[Delta], tuple[Tensor, Tensor] | None],
    mask: Tensor | None = None,
) -> Tensor:
    """A layer's output `[..., out]` with what the deltas add for its input `[..., in]`.

    mask: `[..., 1]`, how much of it each token gets; None: all.
    """
    for delta in deltas:
        more = delta(x, placed(delta))
        more = more if mask is None else more * mask.to(more.dtype)
        if delta.outputs is None:
            y = y + more
        else:
            y = y.clone()
            y.narrow(-1, *delta.outputs).add_(more)
    return y


@dataclass(frozen=True, eq=False)
class Deltas:
    """Of all layers of a model, by their names in it; the same only as itself."""

    by_layer: Mapping[str, tuple[Delta, ...]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.by_layer)

    def touches(self, module: str) -> bool:
        """Whether one of them is of the module of that name, or inside it."""
        return any(_is_inside(name, module) for name in self.by_layer)

    def inside(self, modules: Iterable[str]) -> Deltas:
        """Of these modules and what is inside them alone."""
        modules = tuple(modules)
        return self.of(lambda name: any(_is_inside(name, module) for module in modules))

    def of(self, takes: Callable[[str], bool]) -> Deltas:
        """Of those layers alone whose names are taken."""
        return Deltas({name: deltas for name, deltas in self.by_layer.items() if takes(name)})

    @classmethod
    def joined(cls, parts: Sequence[Deltas]) -> Deltas:
        """One after the other."""
        found: dict[str, tuple[Delta, ...]] = {}
        for part in parts:
            for name, deltas in part.by_layer.items():
                found[name] = (*found.get(name, ()), *deltas)
        return cls(found)


def _is_inside(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module}.")
