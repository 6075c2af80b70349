"""Counting floating-point operations and bytes: what really ran, and what the method itself requires."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import torch
from torch.utils.flop_counter import FlopCounterMode

from .pack import pack_module

# The parts of an adapter's block.
CROSS, INSIDE, BLEND = "ROI cross-attention", "ROI self-attention", "ROI-Unpool and blending"
COORDINATE, DENSE = "coordinate attention", "dense layer"


def flop_counter() -> FlopCounterMode:
    """torch's counter, which by itself counts 0 for the CPU's attention kernel. A multiply-add is 2."""
    return FlopCounterMode(
        display=False, custom_mapping={torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: attention_flops}
    )


def attention_flops(q: tuple, k: tuple, v: tuple, *arguments, out_shape=None, **keywords) -> int:
    """Scores and weighted sum, from the shapes [batch, heads, tokens, width]."""
    batch, heads, queries, width = q
    return 2 * batch * heads * queries * k[2] * (width + v[3])


def check_attention_is_counted() -> None:
    """One attention by hand: 2 x 3 heads, 5 queries, 7 keys, width 4. Raises RuntimeError when
    this torch uses another kernel."""
    q, k = torch.randn(2, 3, 5, 4), torch.randn(2, 3, 7, 4)
    with flop_counter() as counter:
        torch.nn.functional.scaled_dot_product_attention(q, k, k)
    by_hand = 2 * 3 * (2 * 5 * 7 * 4 + 2 * 5 * 7 * 4)
    if counter.get_total_flops() != by_hand:
        raise RuntimeError(
            f"torch {torch.__version__} counts {counter.get_total_flops()} for an attention of {by_hand} operations: "
            "its kernel has another name"
        )


def required_flops(
    config, rows: int, boxes: Sequence[tuple], height: int, width: int, text: int, adaptive: bool = False
) -> int:
    """What ROICtrl's equations ask for in one UNet call, all blocks (docs/roictrl.md section 2).

    Queries are projected on whichever side has fewer tokens. Resampling and norms are not counted; keys and values of
    captions and box tokens do not depend on the step and are not counted either.

    Args:
        config: the adapter's config.
        rows: batch rows, cond and uncond.
        boxes: of the used slots of every row.
        height, width: of the latent.
        text: tokens per caption.
        adaptive: grids of the boxes' own size (docs/roictrl.md section 7.4).
    """
    return sum(floors(config, rows, boxes, height, width, text, adaptive)[0].values())


def floors(
    config, rows: int, boxes: Sequence[tuple], height: int, width: int, text: int, adaptive: bool = False
) -> tuple[Counter, Counter]:
    """What each part of the blocks requires: operations, and numbers to read or write (weights, what comes in, what
    goes out, once each; captions' keys and values as well).  Arguments as above."""
    operations, numbers = Counter(), Counter()
    for block, (high, wide), bins in _blocks(config, boxes, height, width, adaptive):
        operations.update(_block_parts(block.channels, config, rows, high * wide, bins, text))
        numbers.update(_block_numbers(block.channels, config, rows, high * wide, bins, text))
    return operations, numbers


def _block_numbers(channels: int, config, rows: int, cells: int, bins: Sequence[int], text: int) -> dict[str, int]:
    """Numbers that a block's parts must move."""
    tokens, roi_tokens, matrix = rows * cells * channels, rows * sum(bins) * channels, channels * channels
    # Captions are kept once for all rows, and of the negative rows there is one text.
    return {
        CROSS: tokens + roi_tokens + 2 * matrix + 2 * (len(bins) + 1) * text * channels,
        INSIDE: 2 * roi_tokens + 4 * matrix,
        BLEND: 2 * tokens + roi_tokens,
        COORDINATE: 2 * tokens + 4 * matrix + 2 * rows * config.slots * channels,
        DENSE: 2 * tokens + 12 * matrix,
    }


def _blocks(config, boxes: Sequence[tuple], height: int, width: int, adaptive: bool) -> Iterator[tuple]:
    """Every block with its map's (rows, columns), and how many bins each box has that fills a cell there."""
    plan_level = pack_module("roictrl_core.plan").plan_level
    batch = pack_module("roictrl_core.instances").InstanceBatch.from_boxes(
        torch.tensor(boxes).view(1, -1, 4), slots=len(boxes)
    )
    levels = {}
    for level in {block.level for block in config.blocks}:
        rows, columns = (-(-side // 2**level) for side in (height, width))
        plan = plan_level(batch, size=config.grids[level], height=rows, width=columns, adaptive=adaptive)
        levels[level] = (rows, columns), [g.bins for g in plan.groups for _ in range(g.start, g.stop)]
    for block in config.blocks:
        yield block, *levels[block.level]


def _block_parts(channels: int, config, rows: int, cells: int, bins: Sequence[int], text: int) -> dict[str, int]:
    """FLOPs of a block's parts."""
    project = 2 * channels * channels  # one token through a C x C matrix
    tokens, roi_tokens = rows * cells, rows * sum(bins)
    attended = rows * sum(count * count for count in bins)  # queries x keys within the ROIs
    return {
        CROSS: min(tokens, roi_tokens) * project + 4 * roi_tokens * text * channels + roi_tokens * project,
        INSIDE: 4 * roi_tokens * project + 4 * attended * channels,
        BLEND: 2 * channels * (tokens + roi_tokens) + rows * 4 * (config.slots + 1) ** 2,  # logits and the slots' gate
        COORDINATE: 4 * tokens * project + 4 * tokens * (cells + config.slots) * channels,
        DENSE: 12 * tokens * project,
    }


def required_by_instance_diffusion(config, rows: int, height: int, width: int) -> int:
    """What InstanceDiffusion's fusers ask for in one UNet call (docs/instance_diffusion.md section 3.2).

    Tokens, their keys and values are made once per run and not counted.
    """
    grounding, finest, total = 4 * config.slots + 64, min(channels for _, channels in config.fusers), 0
    for name, channels in config.fusers:
        # The middle block has the third level's channels at a quarter of its cells.
        scale = 8 if name.startswith("middle") else channels // finest
        total += rows * _fuser_flops(channels, -(-height // scale) * -(-width // scale), grounding)
    return total


def _fuser_flops(channels: int, cells: int, grounding: int) -> int:
    projections, feed_forward = 4 * cells * 2 * channels**2, 12 * cells * 2 * channels**2
    return projections + feed_forward + 4 * cells * (cells + grounding) * channels
