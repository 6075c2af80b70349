"""Core's own TorchCompileModel: its compiled UNet does not look at transformer_options again.

Boxes come and go all the same.  A UNet with one transformer block, because tracing takes most of the time; the backend
is eager, which needs no compiler.
"""

from __future__ import annotations

import pytest
import torch

from devtools import tiny_models

SMALL = {
    **tiny_models.SD15,
    "channel_mult": [1],
    "num_res_blocks": [1],
    "transformer_depth": [1],
    "transformer_depth_output": [0, 0],
    "transformer_depth_middle": -1,
}


@pytest.fixture(autouse=True)
def nothing_compiled():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.fixture(scope="module")
def small():
    return tiny_models.patcher(tiny_models.sd15_model(SMALL))


@pytest.fixture
def compiled(small):
    """The small model behind the node, as a graph has it: the Apply nodes follow."""
    from comfy_extras.nodes_torch_compile import TorchCompileModel

    return TorchCompileModel.execute(small, "eager")[0]


@pytest.fixture(scope="module")
def boxes(apply, adapter_for):
    """Apply ROICtrl for the small model."""
    adapter = adapter_for(SMALL)
    return lambda model, layout, **settings: apply(model, layout, adapter=adapter, **settings)


@pytest.fixture(scope="module")
def grounded(pack, base, small):
    """Apply InstanceDiffusion for the small model: random, with open gates."""
    core = pack.module("roictrl_core.instance_diffusion.model")
    blocks = pack.module("nodes.patch.hosts").host_of(small).blocks
    config = pack.module("roictrl_core.instance_diffusion.config").InstanceDiffusionConfig(
        fusers=tuple((block.official.removesuffix(".transformer_blocks.0"), block.channels) for block in blocks),
        heads=8,
        scaleu=(32, 32),
        text_width=64,
        token_width=64,
        hidden_width=32,
    )
    state = tiny_models.randomize(core.InstanceDiffusion(config)).state_dict()
    state.update({key: torch.full_like(value, 0.8) for key, value in state.items() if "alpha" in key})
    trained = pack.module("nodes.weights").instance_diffusion_patcher(config, state)
    node = pack.module("nodes.instance_diffusion").ApplyInstanceDiffusion
    return lambda model, layout: node.execute(model, trained, base.clip, layout)[0]


@pytest.fixture(scope="module")
def one_box(layout):
    return layout(((0.1, 0.1, 0.4, 0.4), "a stone"))


def test_boxes_after_a_picture_without(small, compiled, boxes, two_boxes, one_box, sample):
    plain = sample(compiled)
    assert torch.allclose(plain, sample(small), atol=1e-4)
    for put in (lambda model: boxes(model, two_boxes), lambda model: boxes(boxes(model, two_boxes), one_box)):
        expected = sample(put(small))
        assert torch.allclose(sample(put(compiled)), expected, atol=1e-4) and not torch.allclose(
            expected, plain, atol=0.01
        )
    assert torch.allclose(sample(compiled), plain, atol=1e-4)


def test_boxes_that_begin_later(small, compiled, boxes, two_boxes, sample):
    """From the second of three steps on."""
    expected = sample(boxes(small, two_boxes, start_percent=0.1), steps=3)
    assert not torch.allclose(expected, sample(small, steps=3), atol=1e-2)
    assert torch.allclose(sample(boxes(compiled, two_boxes, start_percent=0.1), steps=3), expected, atol=1e-4)


def test_instance_diffusion_after_a_picture_without(small, compiled, grounded, boxes, two_boxes, one_box, sample):
    """Two steps at alpha .8: instances in the first, ScaleU alone in the second."""
    plain = sample(compiled)
    for put in (lambda model: grounded(model, two_boxes), lambda model: boxes(grounded(model, two_boxes), one_box)):
        expected = sample(put(small))
        assert torch.allclose(sample(put(compiled)), expected, atol=1e-4) and not torch.allclose(
            expected, plain, atol=0.01
        )
