"""Cost of one ROIFuser at SD1.5's widest level: this pack's fast path against the literal dense method on all 30 slots.

    python scripts/bench_block.py                       # C = 320, 64 x 64 cells, grid 25; 1, 5 and 25 instances

Prints processor time (the least of three runs of one process and thread) and counted FLOPs, as they are and as ratios.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from devtools.pack import ROOT, register_core

register_core()

from roictrl_core.attention import BlockAttention  # noqa: E402
from roictrl_core.cache import KeyValueCache  # noqa: E402
from roictrl_core.fuser import ROIFuser  # noqa: E402
from roictrl_core.instances import InstanceBatch  # noqa: E402
from roictrl_core.plan import plan_level  # noqa: E402

SLOTS, HEADS, TEXT = 30, 8, (77, 768)


def attention_flops(q, k, v, *_, out_shape=None, **__) -> int:
    return sdpa_flop_count(q, k, v)


def bag_flops(table, index, *_, out_shape=None, **__) -> int:
    """embedding_bag: a multiplication and an addition per tap and channel."""
    return 2 * index[0] * table[1]


# torch counts nothing for these two on a CPU; the first is checked against 4 * tokens * keys * channels below.
FORMULAS = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: attention_flops,
    torch.ops.aten._embedding_bag_forward_only: bag_flops,
}


def dense_reference():
    spec = importlib.util.spec_from_file_location("roictrl_reference", ROOT / "tests" / "reference" / "roictrl.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def flops_of(run: Callable[[], object]) -> int:
    with FlopCounterMode(display=False, custom_mapping=FORMULAS) as counter:
        run()
    return counter.get_total_flops()


def seconds_of(run: Callable[[], object], repeats: int = 3) -> float:
    def once() -> float:
        start = time.process_time()
        run()
        return time.process_time() - start

    return min(once() for _ in range(repeats))


class Block:
    """A fuser with random weights, its attn2, and one call's inputs."""

    def __init__(self, channels: int, side: int, grid: int, count: int) -> None:
        self.side, self.grid = side, grid
        self.fuser = ROIFuser(channels, HEADS, slots=SLOTS).eval()
        for name in ("alpha_roi_self_attn", "alpha_coord_self_attn", "alpha_dense"):
            nn.init.constant_(getattr(self.fuser, name), 0.5)
        self.attn2 = nn.Module()
        self.attn2.heads, self.attn2.to_q = HEADS, nn.Linear(channels, channels, bias=False)
        self.attn2.to_k, self.attn2.to_v = (nn.Linear(TEXT[1], channels, bias=False) for _ in range(2))
        self.attn2.to_out = nn.Sequential(nn.Linear(channels, channels))
        self.h, self.a, self.n = torch.randn(3, 1, side * side, channels)
        size = 0.15 + 0.4 * torch.rand(count, 2)
        corner = torch.rand(count, 2) * (1 - size)
        self.instances = InstanceBatch.from_boxes(torch.cat([corner, corner + size], dim=1)[None], slots=SLOTS)
        self.contexts, self.tokens = [torch.randn(TEXT) for _ in range(SLOTS)], torch.randn(1, SLOTS, 64)
        self.plan, self.cache = plan_level(self.instances, size=grid, height=side, width=side), KeyValueCache()

    def fast(self) -> torch.Tensor:
        attention = BlockAttention(self.attn2, self.contexts, cache=self.cache)
        return self.fuser(self.h, self.a, self.n, self.instances, self.plan, attention, self.tokens, cache=self.cache)

    def dense(self, reference) -> torch.Tensor:
        """Every slot computed, as the published code does; an unused slot's box is empty and so fills no cell."""
        weights, attn2 = dict(self.fuser.named_parameters()), dict(self.attn2.named_parameters())
        return reference.block_row(
            weights,
            attn2,
            HEADS,
            self.grid,
            (self.side, self.side),
            self.h[0],
            self.a[0],
            self.n[0],
            self.instances.boxes[0],
            torch.ones(SLOTS, dtype=torch.bool),
            self.contexts,
            self.tokens[0],
        )


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--channels", type=int, default=320)
    parser.add_argument("--side", type=int, default=64, help="cells of the feature map's side")
    parser.add_argument("--grid", type=int, default=25, help="side of the ROI grid")
    parser.add_argument("--instances", type=int, nargs="+", default=[1, 5, 25])
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    q = torch.zeros(1, 8, 100, 16)
    assert flops_of(lambda: nn.functional.scaled_dot_product_attention(q, q, q)) == 4 * 100 * 100 * 128
    reference = dense_reference()
    print(
        f"{options.channels} channels, {options.side} x {options.side} cells, grid {options.grid}, float32, "
        f"one thread, torch {torch.__version__}"
    )
    print(
        f"{'instances':>9} {'fast s':>8} {'dense s':>8} {'ratio':>6} {'fast GFLOP':>11} "
        f"{'dense GFLOP':>12} {'ratio':>6}"
    )
    for count in options.instances:
        block = Block(options.channels, options.side, options.grid, count)
        error = (block.fast() - block.dense(reference)).abs().max()  # fills the cache as well
        assert error < 1e-3, f"the fast path is off by {error}"
        times = seconds_of(block.fast), seconds_of(lambda block=block: block.dense(reference))
        flops = flops_of(block.fast), flops_of(lambda block=block: block.dense(reference))
        print(
            f"{count:>9} {times[0]:>8.2f} {times[1]:>8.2f} {times[0] / times[1]:>6.2f}"
            f" {flops[0] / 1e9:>11.1f} {flops[1] / 1e9:>12.1f} {flops[0] / flops[1]:>6.2f}"
        )


if __name__ == "__main__":
    main()
