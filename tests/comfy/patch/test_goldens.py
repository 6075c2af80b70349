"""The whole small UNet against the published modules' output.

It is hosted in ComfyUI's own UNetModel through the real hooks.
"""

from __future__ import annotations

from functools import partial

import pytest
import torch

from devtools import golden_unets, tiny_models

REL, MAX = 1e-5, 1e-4  # the noise floor of a ComfyUI host is 3e-6 / 1e-5
NAMES = (*golden_unets.ROICTRL, "unet_p3_wide_5", "unet_p5_small_trace")


def assert_close(got: torch.Tensor, want: torch.Tensor) -> None:
    error = got.float() - want
    assert float(error.norm() / want.norm()) < REL
    assert float(error.abs().max()) < MAX


@pytest.fixture(scope="module")
def golden_model(golden):
    return tiny_models.patcher(
        tiny_models.sd15_model(golden.metadata("unet_ldm_smallA")["unet_config"], golden.load("unet_ldm_smallA"))
    )


@pytest.fixture(scope="module")
def golden_adapter(pack, golden):
    file = pack.module("roictrl_core.checkpoint").read_adapter(golden.file("adapter_smallA"))
    return pack.module("nodes.weights").adapter_patcher(file)


@pytest.fixture(scope="module")
def forward(pack, golden_model, golden_adapter):
    """The trainer's forward on one golden file."""
    unet = pack.module("nodes.training.adapted_unet").AdaptedUNet(golden_model.model, golden_adapter.model)
    return partial(golden_unets.evaluate, unet)


@pytest.mark.parametrize("name", NAMES)
def test_the_whole_network(forward, golden, name):
    case = golden.load(name)
    output, blocks = forward(case)
    assert len(blocks) == 16
    assert_close(output, case["eps"])


def test_a_sampler_sees_the_golden(pack, golden, golden_model, golden_adapter, one_call):
    """Apply ROICtrl with a conditioning per instance, then a guider."""
    case, module = golden.load(NAMES[0]), pack.module("roictrl_core.layout")
    instances = tuple(
        module.Instance(box=tuple(box.tolist()), conditioning=[[text[None], {}]])
        for box, text in zip(case["boxes"][0], case["instance_embeddings"][0], strict=True)
    )
    node = pack.module("nodes.apply").ApplyROICtrl
    patched = node.execute(golden_model, golden_adapter, tiny_models.clip(), module.Layout(instances=instances))[0]
    positive = [[case["context"], {}]]
    assert_close(one_call(patched, case["x"], case["t"][0], positive), case["eps"])
    assert_close(one_call(golden_model, case["x"], case["t"][0], positive), case["eps_base"])


def test_a_guided_pair(pack, golden, golden_model, golden_adapter, one_call):
    """Uncond and cond in one batch, each row its own text in the boxes: rows are chunk-major, the negative's first."""
    case, control, hooks = (
        golden.load(NAMES[1]),
        pack.module("nodes.patch.control"),
        pack.module("nodes.patch.hooks"),
    )
    negatives, captions = case["instance_embeddings"]
    slots = tuple(
        control.Slot(
            f"box {i}", tuple(box.tolist()), 1.0, (0.0, 1.0), True, control.Text(caption), control.Text(negative)
        )
        for i, (box, caption, negative) in enumerate(zip(case["boxes"][0], captions, negatives, strict=True))
    )
    method = pack.module("nodes.patch.methods.roictrl").ROICtrl(golden_adapter.model, golden_adapter)
    patched = hooks.attach(golden_model, control.Control("test", slots), method)
    output = one_call(patched, case["x"], case["t"][0], [[case["context"][1:], {}]], [[case["context"][:1], {}]])
    assert output.shape[0] == 4  # negative with x0, x1, then positive with x0, x1
    assert_close(output[[0, 3]], case["eps"])
