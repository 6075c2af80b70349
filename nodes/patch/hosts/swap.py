"""A module's forward, another one for the time of a call of the model.

The families beyond the UNet have no patches where methods act, so their modules' `forward` is swapped by the
APPLY_MODEL wrapper that the ModelPatcher holds, and put back when the call ends: each device swaps its own modules,
and nothing stays behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch

Forward = Callable[..., object]
Swap = tuple[torch.nn.Module, Callable[[Forward], Forward]]  # a module, and what makes its new forward of the old one

_PREVIOUS = "_roictrl_previous"  # on a forward of ours: the one that it stands in for


def marked(forward: Forward, previous: Forward) -> Forward:
    """``forward``, known as ours."""
    setattr(forward, _PREVIOUS, previous)
    return forward


def base_of(forward: Forward) -> Forward:
    """What was there before any Apply's: own calls go there, past every Apply."""
    while hasattr(forward, _PREVIOUS):
        forward = getattr(forward, _PREVIOUS)
    return forward


def unwrapped(module: torch.nn.Module) -> torch.nn.Module:
    """The module itself where torch.compile wrapped it."""
    return getattr(module, "_orig_mod", module)


@contextmanager
def swapped(changes: Iterable[Swap]) -> Iterator[None]:
    """Each module's forward is what its function makes of the one that was there: core's, or another pack's."""
    before = []
    try:
        for module, make in changes:
            forward, found = make(module.forward), module.__dict__.get("forward")
            before.append((module, found))
            module.forward = forward
        yield
    finally:
        for module, forward in reversed(before):
            if forward is None:
                del module.forward
            else:
                module.forward = forward


def class_of(module: torch.nn.Module) -> str:
    """A module's exact class, by its place in ComfyUI's models: a subclass may differ in what matters here."""
    kind = type(unwrapped(module))
    return f"{kind.__module__}.{kind.__qualname__}".removeprefix("comfy.ldm.")
