"""Tiny random transformers of every family that the running ComfyUI has, one of each for all tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from devtools.tiny_families import CROSS, JOINT, Tiny, here

# Of cosmos_predict2, kandinsky5_video, flux and wan21; the first is slow.
TWINS = ("anima", "kandinsky5", "flux_schnell", "wan21_i2v", "wan22_5b")


@pytest.fixture(autouse=True)
def no_gradients():
    """Nodes execute in inference mode."""
    with torch.inference_mode():
        yield


@pytest.fixture(scope="session")
def tiny(pack) -> Callable[[str], Tiny]:
    """tiny(name) -> the family's model, made once."""
    made: dict[str, Tiny] = {}

    def get(name: str) -> Tiny:
        if name not in made:
            with torch.inference_mode():
                made[name] = Tiny(name)
        return made[name]

    return get


@pytest.fixture(params=here((*CROSS, *JOINT)))
def every(request, tiny) -> Tiny:
    """Every family in turn."""
    return tiny(request.param)


@pytest.fixture(params=[name for name in here((*CROSS, *JOINT)) if name not in TWINS])
def family(request, tiny) -> Tiny:
    """Every family in turn, but one of those that differ in size or door alone."""
    return tiny(request.param)


@pytest.fixture(params=[name for name in here(CROSS) if name not in TWINS])
def cross(request, tiny) -> Tiny:
    """Those of them with text cross-attention."""
    return tiny(request.param)


@pytest.fixture(params=[name for name in here(JOINT) if name not in TWINS])
def joint(request, tiny) -> Tiny:
    """Those of them with joint attention."""
    return tiny(request.param)


@pytest.fixture(params=[name for name in here(JOINT) if name not in (*TWINS, "flux2")])
def short(request, tiny) -> Tiny:
    """Those whose texts are not filled up to 512 tokens, which a mask of tokens x tokens makes slow."""
    return tiny(request.param)
