"""Weights in fp8, weights that are brought for each layer, and two devices that share a guided pair."""

from __future__ import annotations

import pytest
import torch
from comfy.patcher_extension import WrappersMP

from devtools import tiny_dits
from devtools.tiny_families import error, here, left

SOME = here(["wan21", "kandinsky5_video", "qwen_image", "z_image", "sd3"])


@pytest.fixture(params=SOME)
def some(request, tiny):
    """Families of both kinds."""
    return tiny(request.param)


def test_weights_in_fp8(some):
    """As core's options for fp8 have them: every layer casts its own."""
    model = tiny_dits.build(some.name, dtype=torch.float8_e4m3fn, compute=torch.float32)
    rounded = tiny_dits.build(some.name)
    rounded.model.diffusion_model.load_state_dict(
        {key: tensor.float() for key, tensor in model.model.diffusion_model.state_dict().items()}
    )
    got, want = some.sample(some.apply(model=model)), some.sample(some.apply(model=rounded))
    assert error(got, want) < 1e-5 and error(got, some.sample(model)) > 1e-3


def test_low_vram(some):
    """Weights that stay where they are, a LoRA's among them, are added up in each layer's forward."""
    block = some.host.blocks[0].name.partition(".")[0]
    key = next(key for key, t in some.weights.items() if key.startswith(block) and t.ndim == 2 and "att" in key)
    lora = {f"diffusion_model.{key}": ("diff", (0.5 * some.weights[key].roll(1, 0),))}
    whole, little, casting = tiny_dits.build(some.name), tiny_dits.build(some.name), []
    for model in (whole, little):
        assert model.add_patches(lora)

    def load_little(executor, model, *args, **kwargs):
        result = executor(model, *args, **kwargs)
        model.unpatch_model(unpatch_weights=True)
        model.load(torch.device("cpu"), lowvram_model_memory=64)
        casting.append(sum(getattr(module, "comfy_cast_weights", False) for module in model.model.modules()))
        return result

    low = some.apply(model=little)
    low.add_wrapper_with_key(WrappersMP.PREPARE_SAMPLING, "test.lowvram", load_little)
    got, want = some.sample(low), some.sample(some.apply(model=whole))
    assert casting and casting[0] > 10 and error(got, want) < 1e-5
    assert error(want, some.sample(some.apply())) > 1e-3


@pytest.mark.parametrize("after", [True, False])
def test_two_devices(some, after):
    """Core's MultiGPU: the positive's call and the negative's run in threads, each on a model of its own.

    The boxes come after its node, or before it.
    """
    if not hasattr(some.patcher, "deepclone_multigpu"):
        pytest.skip("this ComfyUI has no such node")
    model = some.patcher.clone()
    model.cached_patcher_init = (tiny_dits.build, (some.name,))
    model = doubled(model) if after else model
    patched = some.apply(model=model)
    threads = set()
    patched.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "test.devices", noting(threads))
    patched = patched if after else doubled(patched)
    got = some.sample(patched)
    assert len(threads) == 2 and error(got, some.sample(some.apply())) < 1e-6
    assert not left(some.module)


def doubled(model):
    """As core's node does it, with a second name of this device."""
    model = model.clone()
    other = model.deepclone_multigpu(new_load_device=torch.device("cpu", 0))
    other.is_multigpu_base_clone = True
    model.set_additional_models("multigpu", [other])
    return model


def noting(devices: set):
    def wrapper(executor, *args, **kwargs):
        devices.add(id(executor.class_obj))
        return executor(*args, **kwargs)

    return wrapper
