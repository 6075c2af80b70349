"""Half precision, manual casting and low-VRAM loading."""

from __future__ import annotations

import pytest
import torch
from comfy.patcher_extension import WrappersMP

from devtools import tiny_models


@pytest.mark.parametrize(
    "dtype, cast, limit",
    [(torch.float16, None, 0.02), (torch.bfloat16, None, 0.1), (torch.float16, torch.float32, 0.01)],
)
def test_half_precision_models(model, base, apply, two_boxes, one_call, prompts, dtype, cast, limit):
    """One UNet evaluation against float32's; the effect of the boxes is several times the rounding."""
    half = tiny_models.sd15_model(dtype=dtype, manual_cast=cast)
    half.diffusion_model.load_state_dict(base.weights)
    half = tiny_models.patcher(half)
    x = torch.randn(1, 4, 16, 24, generator=torch.Generator().manual_seed(5))
    exact, plain = one_call(apply(model, two_boxes), x, 500, prompts[0]), one_call(model, x, 500, prompts[0])
    got = one_call(apply(half, two_boxes), x, 500, prompts[0])
    assert got.dtype == (cast or dtype)
    error, effect = (got.float() - exact).norm() / exact.norm(), (plain - exact).norm() / exact.norm()
    assert error < limit < effect


def test_a_half_precision_adapter_on_a_full_precision_model(pack, model, adapter, apply, two_boxes, one_call, prompts):
    file = pack.module("roictrl_core.checkpoint").AdapterFile(
        adapter.model.config, {key: t.half() for key, t in adapter.model.state_dict().items()}, {}, "half"
    )
    half = pack.module("nodes.weights").adapter_patcher(file)
    half.model.half()  # on a CPU ComfyUI would store float32
    x = torch.randn(1, 4, 16, 24, generator=torch.Generator().manual_seed(5))
    exact, plain = one_call(apply(model, two_boxes), x, 500, prompts[0]), one_call(model, x, 500, prompts[0])
    got = one_call(apply(model, two_boxes, adapter=half), x, 500, prompts[0])
    assert (
        got.dtype == torch.float32
        and (got - exact).norm() / exact.norm() < 0.01 < (plain - exact).norm() / exact.norm()
    )


def test_low_vram(base, model, apply, two_boxes, sample):
    """Weights that stay where they are and are cast in forward, a LoRA among them, in model and adapter."""
    name = "input_blocks.1.1.transformer_blocks.0.attn2.to_v.weight"
    lora = {f"diffusion_model.{name}": ("diff", (base.weights[name].roll(1, 0),))}
    fresh, lazy = tiny_models.patcher(tiny_models.sd15_model(weights=base.weights)), []
    without = sample(apply(model, two_boxes))
    for patched in (model, fresh):
        patched.add_patches(lora)
    expected, low = sample(apply(model, two_boxes)), apply(fresh, two_boxes)
    assert not torch.allclose(expected, without, atol=1e-2)

    def load_little(executor, model, *args, **kwargs):
        result = executor(model, *args, **kwargs)
        for one in (model, *model.get_nested_additional_models()):
            one.unpatch_model(unpatch_weights=True)
            one.load(torch.device("cpu"), lowvram_model_memory=64)
            lazy.append(sum(getattr(module, "comfy_cast_weights", False) for module in one.model.modules()))
        return result

    low.add_wrapper_with_key(WrappersMP.PREPARE_SAMPLING, "test.lowvram", load_little)
    assert torch.allclose(sample(low), expected, atol=1e-3, rtol=1e-5)
    assert len(lazy) == 2 and all(count > 50 for count in lazy)
