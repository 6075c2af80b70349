"""Boxes matched one to one: the objects of a picture to the instances that were asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .fields import Box

MAX_COMPARED = 2000  # boxes on either side; the assignment's time grows with the cube, and is seconds here


def iou_table(boxes: Sequence[Box], others: Sequence[Box]) -> np.ndarray:
    """Intersection over union of every two xyxy boxes: float64 [N, M]; 0 where neither has an area."""
    one, other = (np.asarray(found, np.float64).reshape(-1, 4) for found in (boxes, others))
    low = np.maximum(one[:, None, :2], other[None, :, :2])  # [N, M, 2]
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    shared = np.clip(high - low, 0.0, None).prod(axis=2)
    areas = [np.clip(found[:, 2:] - found[:, :2], 0.0, None).prod(axis=1) for found in (one, other)]
    union = areas[0][:, None] + areas[1][None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def matched(iou: np.ndarray, hits: np.ndarray) -> list[int | None]:
    """For each of N instances the object that it is matched to, each at most once; None without one.

    Args:
        iou: `[N, M]`; objects with 0 are never matched.
        hits: bool `[N, M]`, whether this object there would be what was asked for.

    Of all assignments it is one with the most hits, and of those one with the largest sum of IoU (the Hungarian
    method).  Taking the largest IoU first would lose hits where boxes overlap: an object that two instances could
    have goes to the one that has no other, and the order of the detections does not matter.

    Raises:
        ValueError: with a sentence, where there are more than :data:`MAX_COMPARED` on a side.
    """
    if max(iou.shape) > MAX_COMPARED:
        raise ValueError(
            f"There are {iou.shape[0]} boxes and {iou.shape[1]} detections; at most {MAX_COMPARED} of each are "
            "compared. Raise the detector's threshold, or check the layout in parts."
        )
    from scipy.optimize import linear_sum_assignment  # installed by ComfyUI; slow to import, and only this needs it

    weight = iou + (min(iou.shape) + 1.0) * (hits & (iou > 0))  # one hit outweighs every sum of IoU
    found: list[int | None] = [None] * iou.shape[0]
    for row, column in zip(*linear_sum_assignment(weight, maximize=True), strict=True):
        if iou[row, column] > 0:
            found[row] = int(column)
    return found
