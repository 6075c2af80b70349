"""ROICtrl: the adapter's fuser of each block (docs/roictrl.md section 2)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import Tensor

from ....roictrl_core.adapter import ROICtrlAdapter
from ....roictrl_core.config import AdapterConfig, in_words
from ....roictrl_core.fuser import Record
from ....roictrl_core.instances import InstanceBatch
from ....roictrl_core.plan import LevelPlan
from ....roictrl_core.sampling import weighted_rows, working_dtype
from ..hosts import Host
from ..points import AFTER, STATE, Reading, Spot
from ..run import Run
from .captioned import CaptionedSession, Fuse, Order


class ROICtrl:
    """``patcher`` is the ModelPatcher around the adapter, where ComfyUI is to load it; ``adaptive``: small boxes have
    grids of their own size."""

    title, trained_for = "ROICtrl", ("SD1.x",)
    acts = (frozenset({AFTER, STATE}),)

    def __init__(self, adapter: ROICtrlAdapter, patcher=None, adaptive: bool = False) -> None:
        self.adapter, self.models, self.adaptive = adapter, [] if patcher is None else [patcher], adaptive

    def open(self, run: Run) -> CaptionedSession:
        """A session for one sampling run."""
        return CaptionedSession(self, run)

    def slot_count(self, used: int) -> int:
        """The adapter's own."""
        return self.adapter.config.slots

    def fuse(self, instances: InstanceBatch, reading: Reading, order: Order, record: Record | None = None) -> Fuse:
        """The function for one call; ``record`` takes (global weight, foreground) of every block in training."""
        adapter, adaptive, memo = self.adapter, self.adaptive, reading.memo
        box_tokens = memo.make(("tokens", id(instances)), lambda: adapter.box_tokens(instances))

        def fuse(h: Tensor, a: Tensor, n: Tensor, spot: Spot) -> Tensor:
            spec = adapter.config.block(spot.block.name)
            if spec is None:
                return h + a
            key = ("plan", id(instances), spec.level, *spot.size, h.device)
            plan = memo.make(key, lambda: adapter.plan(instances, spec.level, *spot.size, h.device, adaptive))
            attention = spot.attention(reading, partial(_at_rois, plan))
            return adapter.fuser(spec.name)(
                h,
                a,
                n,
                instances,
                plan,
                attention,
                box_tokens,
                order=order(spot.block),
                record=record,
                cache=reading.cache,
            )

        return fuse


def _at_rois(plan: LevelPlan, maps: Tensor, pairs: Sequence[int]) -> Tensor:
    """ROI-Align of ``maps`` ``[B, T, I]`` for some of the plan's active pairs, all of one grid: ``[m, bins, I]``."""
    places = [plan.active.index(pair) for pair in pairs]
    group = next(group for group in plan.groups if places[0] < group.stop)
    bins, own = group.bins, [place - group.start for place in places]
    parts = (taps[group.all_bins].unflatten(0, (-1, bins)) for taps in plan.align)
    index, weight = (part[own].flatten(0, 1) for part in parts)  # [m * bins, 16]
    table = maps.flatten(0, 1).to(working_dtype(maps.dtype))  # [B * T, I]
    return weighted_rows(table, index, weight).unflatten(0, (-1, bins))


def check_fits(host: Host, config: AdapterConfig) -> None:
    """Raises ValueError where the adapter was made for another model."""
    wanted = {spec.name: (spec.channels, spec.heads) for spec in config.blocks}
    found = {block.name: (block.channels, block.heads) for block in host.blocks}
    if wanted.items() <= found.items():
        return
    made_for = "SD1.x" if config.blocks == AdapterConfig.sd15().blocks else in_words(config.blocks)
    raise ValueError(
        f"the adapter is for {made_for}, and this model ({host.family}) is {host.shape}. "
        "Use an SD1.x checkpoint with it, or Apply Boxes, which picks what this model can do."
    )
