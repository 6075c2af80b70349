"""Several layouts in one sampler call, a row of the batch each, which costs less than half of one call each.

The pack's own hooks and fusers; only the placing differs: a node gives every row of a batch the same boxes. Pictures equal those
of the nodes up to the rounding of larger matrix products (tests/comfy/benchmark). Import after the pack is loaded.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from functools import partial

import torch
from roictrl_pack.nodes.patch.call import Chunk, place_instances
from roictrl_pack.nodes.patch.captions import CaptionEncoder, make_slots
from roictrl_pack.nodes.patch.control import NONE, PROMPT, Control, Slot, Window, usable_instances
from roictrl_pack.nodes.patch.hooks import NAME, make_patches, register, with_patches
from roictrl_pack.nodes.patch.methods import Method
from roictrl_pack.nodes.patch.run import Run, inside
from roictrl_pack.roictrl_core.instances import InstanceBatch
from roictrl_pack.roictrl_core.layout import Layout

NODE = "benchmark"


class RowsRun(Run):
    """A sampling run in which row r has the boxes of ``controls[r]``; all have the same window, and all slots are on."""

    def __init__(self, controls: Sequence[Control], method: Method, guider, latent_shape: Sequence[int]) -> None:
        super().__init__(controls[0], method, guider, latent_shape)
        self.controls = controls

    def active(self, sigma: float) -> tuple[bool, ...]:
        return (inside(sigma, self.window),)

    def place(self, active: Sequence[bool], chunks: Sequence[Chunk], rows: int, device: torch.device) -> InstanceBatch:
        slots = max(self.method.slot_count(control) for control in self.controls)
        placed = [
            place_instances(c.slots, [True] * len(c.slots), chunks, 1, slots, c.uncond == NONE, device)
            for c in self.controls
        ]
        names = ("boxes", "roi_mask", "token_mask", "strength")
        # Chunk-major, as core puts rows together: [chunks, R, ...] -> [chunks * R, ...].
        return InstanceBatch(*(torch.stack([getattr(one, name) for one in placed], 1).flatten(0, 1) for name in names))

    def slot(self, row: int, slot: int) -> Slot:
        return self.controls[row].slots[slot]


def apply_rows(
    model, clip, layouts: Sequence[Layout], method: Method, window: Window = (0.0, 1.0), uncond: str = PROMPT
):
    """What an Apply node returns, for a batch of as many rows as there are layouts."""
    encoder, patched = CaptionEncoder(clip, NODE), model.clone()
    controls = [
        Control(NODE, make_slots(usable_instances(layout, None, NODE)[0], encoder), window=window, uncond=uncond)
        for layout in layouts
    ]
    key = f"{NAME}.{uuid.uuid4().hex}"
    patches = make_patches(key, method)
    register(
        patched,
        key,
        partial(RowsRun, controls, method),
        lambda options, call: with_patches(options, patches),
        method.models(),
    )
    return patched
