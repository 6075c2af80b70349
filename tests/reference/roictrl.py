"""docs/roictrl.md written down literally: every slot dense, one scalar rule at a time, no sharing, no caching.

Slow on purpose. Works in the dtype of its inputs (float32 or float64); geometry is always float32, as in
docs/roictrl.md section 3.
Weights are plain dictionaries with the published names.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

f32 = np.float32


# ---- geometry, one axis --------------------------------------------------------------------------------------------


def align_matrix(low: float, high: float, bins: int, size: int, read: int) -> Tensor:
    """`[read, size]` of ROI-Align on one axis: all P bins, or those that so many cells read, at i / read * P."""
    low, high = f32(low) * f32(size), f32(high) * f32(size)
    start, bin_size = low - f32(0.5), (high - low) / f32(bins)
    matrix = np.zeros((read, size), dtype=f32)
    for i in range(read):
        place = f32(i) if read == bins else f32(i) / f32(read) * f32(bins)
        for j in range(2):
            at = start + place * bin_size + f32(j + 0.5) * bin_size / f32(2)
            if at < -1 or at > size:
                continue  # too far outside: 0, and it still counts in the mean
            at = max(at, f32(0))
            cell = int(at)
            if cell >= size - 1:
                matrix[i, size - 1] += f32(0.5)
            else:
                matrix[i, cell] += f32(0.5) * (f32(1) - (at - f32(cell)))
                matrix[i, cell + 1] += f32(0.5) * (at - f32(cell))
    return torch.from_numpy(matrix)


def unpool_matrix(low: float, high: float, bins: int, size: int) -> Tensor:
    """`[size, P]` of ROI-Unpool on one axis; rows may sum to less than 1, or to 0 outside the box."""
    first, last = (math.ceil(f32(edge) * f32(size) - f32(0.5)) for edge in (low, high))
    count = last - first
    matrix = np.zeros((size, bins), dtype=f32)
    for i in range(count):
        cell = first + i
        if not 0 <= cell < size:
            continue
        at = f32(i) / f32(count) * f32(bins)
        lower, upper = math.floor(at), math.ceil(at)
        fraction = at - f32(lower)
        if 0 <= lower < bins:
            matrix[cell, lower] += f32(1) - fraction
        if upper != lower and 0 <= upper < bins:
            matrix[cell, upper] += fraction
    return torch.from_numpy(matrix)


# ---- operators -----------------------------------------------------------------------------------------------------


def own_grid(box: Tensor, bins: int, height: int, width: int) -> tuple[int, int]:
    """Rows and columns of bins of a box whose grid adapts: its own cells where they are fewer than P."""
    x1, y1, x2, y2 = box.tolist()
    spans = ((y1, y2, height), (x1, x2, width))
    counts = [
        math.ceil(f32(high) * f32(size) - f32(0.5)) - math.ceil(f32(low) * f32(size) - f32(0.5))
        for low, high, size in spans
    ]
    return tuple(min(max(count, 1), bins) for count in counts)


def roi_align(features: Tensor, box: Tensor, bins: int, grid: tuple[int, int]) -> Tensor:
    """`[C, H, W]` and one box to `[C, rows, columns]` of its P x P bins."""
    x1, y1, x2, y2 = box.tolist()
    height, width = features.shape[-2:]
    rows = align_matrix(y1, y2, bins, height, grid[0]).to(features.dtype)
    columns = align_matrix(x1, x2, bins, width, grid[1]).to(features.dtype)
    return torch.einsum("ph,chw,qw->cpq", rows, features, columns)


def roi_unpool(roi: Tensor, box: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """`[C, rows, columns]` of bins and one box to values `[C, H, W]` and valid `[H, W]`."""
    x1, y1, x2, y2 = box.tolist()
    rows, columns = unpool_matrix(y1, y2, roi.shape[-2], height), unpool_matrix(x1, x2, roi.shape[-1], width)
    valid = (rows.sum(1)[:, None] * columns.sum(1)[None, :] - 1).abs() < 1e-5
    values = torch.einsum("hp,cpq,wq->chw", rows.to(roi.dtype), roi, columns.to(roi.dtype))
    return values * valid, valid


def fourier(boxes: Tensor) -> Tensor:
    """`[..., 4]` to `[..., 64]` float32."""
    parts = []
    for k in range(8):
        angle = boxes.float() * 100.0 ** (k / 8)
        parts += [angle.sin(), angle.cos()]
    return torch.cat(parts, dim=-1)


def box_tokens(weights: dict[str, Tensor], boxes: Tensor, mask: Tensor) -> Tensor:
    """`[B, S, 4]`, `[B, S]` to `[B, S, 64]`; weights without their `position_net.` prefix."""
    mask = mask[..., None].float()
    x = fourier(boxes) * mask + (1 - mask) * weights["null_position_feature"]
    for layer in (0, 2):
        x = F.silu(F.linear(x, weights[f"linears.{layer}.weight"], weights[f"linears.{layer}.bias"]))
    return F.linear(x, weights["linears.4.weight"], weights["linears.4.bias"])


def attention(weights: dict[str, Tensor], x: Tensor, context: Tensor, heads: int) -> Tensor:
    """`[T, C]` on `[L, c]`, projections included."""
    q, k, v = (
        F.linear(t, weights[f"{name}.weight"]) for name, t in (("to_q", x), ("to_k", context), ("to_v", context))
    )
    q, k, v = (t.unflatten(-1, (heads, -1)).transpose(0, 1) for t in (q, k, v))
    scores = (q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])).softmax(-1)
    out = (scores @ v).transpose(0, 1).flatten(1)
    return F.linear(out, weights["to_out.0.weight"], weights["to_out.0.bias"])


def mask_weight(cell: tuple[float, float], pixel: int, feather: float) -> float:
    """How much a mask's pixel counts in a cell from a to b on one axis, in pixels.

    The mean over the cell's points of the pixel's share of the window of `feather` pixels around each point; of the
    cell alone where there is no feather.
    """
    a, b = cell
    if feather == 0:
        return max(0.0, min(b, pixel + 1) - max(a, pixel)) / (b - a)

    def share(at: float) -> float:
        return max(0.0, min(at + feather / 2, pixel + 1) - max(at - feather / 2, pixel)) / feather

    kinks = [edge + side * feather / 2 for edge in (pixel, pixel + 1) for side in (-1, 1)]
    stops = sorted({a, b, *(kink for kink in kinks if a < kink < b)})  # between them the share is a straight line
    return sum((share(p) + share(q)) / 2 * (q - p) for p, q in pairwise(stops)) / (b - a)


def coverage(
    mask, feather: tuple[float, float], frame: tuple[float, float, float, float], height: int, width: int
) -> np.ndarray:
    """`[H, W]` float64: a mask's cover of each cell of a map that shows `frame`.

    `feather` is (x, y) in the mask's pixels.
    """

    def axis(low: float, high: float, cells: int, pixels: int, wide: float) -> np.ndarray:
        side = (high - low) / cells
        table = [
            [mask_weight(((low + i * side) * pixels, (low + (i + 1) * side) * pixels), j, wide) for j in range(pixels)]
            for i in range(cells)
        ]
        return np.array([[weight / sum(row) for weight in row] for row in table])

    rows = axis(frame[1], frame[3], height, mask.shape[0], feather[1])
    columns = axis(frame[0], frame[2], width, mask.shape[1], feather[0])
    return np.einsum("yi,ij,xj->yx", rows, np.asarray(mask, np.float64), columns)


def blend(
    weights: dict[str, Tensor],
    slots: Tensor,
    foreground: Tensor,
    order: Tensor | None = None,
    strength: Tensor | None = None,
    covered: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Slots `[1 + S, C, H, W]` with foreground `[1 + S, H, W]` to f and the blending weights.

    These are `[C, H, W]` and `[1 + S, H, W]`; `strength` is `[S]`; `covered` `[S, H, W]` is the masks' coverage.
    """
    order = torch.arange(len(slots) - 1) if order is None else order
    logits = torch.einsum("c,schw->shw", weights["channel_reduction.weight"].flatten(), slots)
    maxima = logits.flatten(1).max(dim=1).values
    place = torch.cat([torch.zeros(1, dtype=torch.long), order + 1])
    hidden = F.relu(F.linear(maxima[place], weights["channel_gate.mlp.0.weight"], weights["channel_gate.mlp.0.bias"]))
    shuffled = F.linear(hidden, weights["channel_gate.mlp.2.weight"], weights["channel_gate.mlp.2.bias"]).sigmoid()
    gate = torch.zeros_like(shuffled)
    gate[place] = shuffled
    logits = logits * gate[:, None, None]
    logits = torch.where(foreground, logits, torch.finfo(logits.dtype).min)
    share = logits.softmax(dim=0)
    if covered is not None:
        share = within_masks(share, covered)
    if strength is not None:
        kept = share[1:] * strength[:, None, None].to(share)
        share = torch.cat([share[:1] + (share[1:] - kept).sum(0, keepdim=True), kept])
    return (share[:, None] * slots).sum(0), share


def within_masks(share: Tensor, covered: Tensor) -> Tensor:
    """`[1 + S, H, W]`: every instance hands what its mask takes to the others in turn.

    They get it by their part of what those show.
    """
    shown = torch.cat([share[:1], share[1:] * covered.to(share)])
    result = shown.clone()
    for giver in range(1, len(share)):
        others = [slot for slot in range(len(share)) if slot != giver]
        beside = shown[others].sum(0)
        for taker in others:
            result[taker] += (share[giver] - shown[giver]) * shown[taker] / beside
    return result


# ---- one block -----------------------------------------------------------------------------------------------------


def sub(weights: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key[len(prefix) :]: value for key, value in weights.items() if key.startswith(prefix)}


def layer_norm(weights: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"], 1e-5)


def roi_slot(weights, attn2, heads, bins, grid, features, box, context) -> tuple[Tensor, Tensor]:
    """What one instance brings to the map `[C, H, W]`, and where, `[H, W]`."""
    roi = roi_align(features, box, bins, grid).flatten(1).T  # [rows * columns, C]
    roi = attention(attn2, roi, context, heads)
    normed = layer_norm(weights, "norm1", roi)
    roi = roi + weights["alpha_roi_self_attn"].tanh() * attention(sub(weights, "roi_self_attn."), normed, normed, heads)
    return roi_unpool(roi.T.unflatten(1, grid), box, *features.shape[-2:])


def block_row(
    weights, attn2, heads, bins, size, h, a, n, boxes, roi_mask, contexts, tokens, adaptive=False, **blending
) -> Tensor:
    """One batch row through one fuser.

    h, a, n `[T, C]`, boxes `[S, 4]`, contexts one `[L, c]` per slot, tokens `[S, 64]`, the rest as in `blend`.
    adaptive: the grids of small boxes have the boxes' own size.
    """
    features = n.T.unflatten(1, size)
    slots, foreground = [a.T.unflatten(1, size)], [torch.ones(size, dtype=torch.bool)]
    for slot in range(len(boxes)):
        values, valid = torch.zeros_like(features), torch.zeros(size, dtype=torch.bool)
        if roi_mask[slot]:
            grid = own_grid(boxes[slot], bins, *size) if adaptive else (bins, bins)
            values, valid = roi_slot(weights, attn2, heads, bins, grid, features, boxes[slot], contexts[slot])
        slots.append(values)
        foreground.append(valid)
    fused, _ = blend(sub(weights, "roiattn_fuser."), torch.stack(slots), torch.stack(foreground), **blending)
    h = h + fused.flatten(1).T
    visible = torch.cat([h, F.linear(tokens.to(h), weights["context_proj.weight"], weights["context_proj.bias"])])
    visible = layer_norm(weights, "norm2", visible)
    coordinate = attention(sub(weights, "coord_self_attn."), visible, visible, heads)[: len(h)]
    h = h + weights["alpha_coord_self_attn"].tanh() * coordinate
    value, gate = F.linear(
        layer_norm(weights, "norm3", h), weights["ff.net.0.proj.weight"], weights["ff.net.0.proj.bias"]
    ).chunk(2, dim=-1)
    dense = F.linear(value * F.gelu(gate), weights["ff.net.2.weight"], weights["ff.net.2.bias"])
    return h + weights["alpha_dense"].tanh() * dense
