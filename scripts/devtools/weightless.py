"""A UNet of any size on the meta device, where nothing is computed and everything can be counted.

Needs `start_comfyui`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from .flops import flop_counter, required_flops
from .pack import pack_module

TEXT = 77  # tokens of a caption


class WeightlessUNet:
    """SD1.x's UNet of a config, and a ROICtrl adapter for it, without weights."""

    def __init__(self, unet: dict) -> None:
        import comfy.ops
        from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

        self.text_width = unet["context_dim"]
        module = UNetModel(**unet, dtype=torch.float32, device="meta", operations=comfy.ops.disable_weight_init)
        self.host = pack_module("nodes.patch.hosts.unet").UNet(module.eval().requires_grad_(False))
        self.config = pack_module("roictrl_core.config").AdapterConfig.for_unet(unet)
        self.adapter = pack_module("roictrl_core.adapter").ROICtrlAdapter(self.config, device="meta").eval()
        # Boxes are on the CPU, where plans are made of them, and so are the few weights of their tokens.
        self.adapter.position_net.to_empty(device="cpu")
        self.adapter.position_net.register_forward_hook(lambda _, given, tokens: tokens.to("meta"))

    def flops(self, pixels: int, *applies: tuple) -> int:
        """Of a steady call with a prompt and a negative one, keys and values of captions kept from the call before.

        applies: (method, boxes) of each Apply, one after the other.
        """
        options: dict = {"cond_or_uncond": [0, 1]}
        for number, (method, boxes) in enumerate(applies):
            options = self._installed(f"counted.{number}", options, method, boxes, pixels)
        x, context = (
            torch.zeros(2, *size, device="meta") for size in ((4, *self._side(pixels)), (TEXT, self.text_width))
        )
        with torch.inference_mode():
            for _ in range(2):
                with flop_counter() as counter:
                    self.host.module(x, torch.zeros(2, device="meta"), context=context, transformer_options=options)
        return counter.get_total_flops()

    def required(self, pixels: int, boxes: Sequence[tuple], adaptive: bool = False) -> int:
        """What one Apply ROICtrl adds, by the method's equations."""
        return required_flops(self.config, 2, boxes, *self._side(pixels), TEXT, adaptive)

    def roictrl(self, adaptive: bool = False):
        """The method of Apply ROICtrl."""
        return pack_module("nodes.patch.methods.roictrl").ROICtrl(self.adapter, adaptive=adaptive)

    @staticmethod
    def _side(pixels: int) -> tuple[int, int]:
        return pixels // 8, pixels // 8

    def _installed(self, key: str, options: dict, method, boxes: Sequence[tuple], pixels: int) -> dict:
        """The call's options with an Apply: every box has a caption of its own, and the negative prompt is one text."""
        rows, points, memos = (pack_module(f"nodes.patch.{name}") for name in ("rows", "points", "memo"))
        roles, cache = pack_module("nodes.patch.roles"), pack_module("roictrl_core.cache").KeyValueCache()
        instances = pack_module("roictrl_core.instances").InstanceBatch.from_boxes(
            torch.tensor([boxes] * 2), slots=method.slot_count(len(boxes))
        )
        tokens = torch.zeros(len(boxes) + 1, TEXT, self.text_width, device="meta").unbind(0)
        *captions, negative = map(pack_module("nodes.patch.control").Text, tokens)
        size = (2, *self._side(pixels))
        both = rows.Rows((rows.Chunk(0, roles.CAPTION), rows.Chunk(1, roles.NEGATIVE)), 1, size)
        own = [pair.row == 1 for pair in instances.pairs]
        reading = points.Reading(both, instances.pairs, [*captions, *[negative] * len(boxes)], own, cache)
        fuse = method.fuse(instances, reading, lambda block: None)
        after = points.Points(after=lambda h, a, n, spot: fuse(h, a, n, spot) - h)
        return self.host.patching(key)(self.host, options, after, size, memos.Memo(), reading.say)
