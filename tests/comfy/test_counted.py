"""What the equations require is what runs, to the operation; counted on the meta device."""

from __future__ import annotations

BOXES = [(0.0, 0.0, 1.0, 1.0), (0.1, 0.2, 0.45, 0.9), (0.5, 0.5, 0.51, 0.51), (0.6, 0.1, 0.9, 0.3)]  # one fills no cell


def test_operations_required_are_those_that_run(pack):
    """Of two Applies, the second with adaptive ROI size."""
    from bench_unet import unet_config
    from devtools.weightless import WeightlessUNet

    unet = WeightlessUNet(unet_config(32))
    required = [unet.required(128, BOXES), unet.required(128, BOXES, adaptive=True)]
    applies = [(unet.roictrl(adaptive), BOXES) for adaptive in (False, True)]
    assert unet.flops(128, *applies) == unet.flops(128) + sum(required)
    assert 0 < required[1] < required[0]
