"""Boxes as seen from inside a crop of the latent: area conds, and masks with `set_cond_area: mask bounds`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Frame = tuple[float, float, float, float]  # xyxy of the crop, normalised to the whole picture

FULL: Frame = (0.0, 0.0, 1.0, 1.0)


def area_of_cond(cond: Mapping, height: int, width: int) -> tuple[int, int, int, int] | None:
    """The crop (h, w, y, x) in latent cells that core takes for a cond, or None for the whole latent.

    Core clips the size to the latent (`get_area_and_mult`); so does this.  Only the last two dimensions are spatial
    here: a video area (frames first) keeps its spatial part.
    """
    area = cond.get("area")
    if area is None:
        return None
    dims = len(area) // 2
    h, w, y, x = *area[:dims][-2:], *area[dims:][-2:]
    return min(height - y, h), min(width - x, w), y, x


def frame_of_area(area: Sequence[int] | None, height: int, width: int) -> Frame:
    """The crop (h, w, y, x) in latent cells as a normalised xyxy frame of a ``height`` x ``width`` latent."""
    if area is None:
        return FULL
    h, w, y, x = area
    return x / width, y / height, (x + w) / width, (y + h) / height


def project_box(box: Sequence[float], frame: Frame) -> Frame | None:
    """The visible part of a box, normalised to ``frame``; None where none of it is inside.

    The whole picture projects to itself, a box over its border included (its origin matters to ROI-Unpool).
    """
    if frame == FULL:
        return tuple(box)
    fx1, fy1, fx2, fy2 = frame
    x1, y1, x2, y2 = max(box[0], fx1), max(box[1], fy1), min(box[2], fx2), min(box[3], fy2)
    if x2 <= x1 or y2 <= y1:
        return None
    w, h = fx2 - fx1, fy2 - fy1
    return (x1 - fx1) / w, (y1 - fy1) / h, (x2 - fx1) / w, (y2 - fy1) / h


def visible_area(box: Sequence[float]) -> float:
    """The share of the picture that a box covers; what lies outside does not count."""
    x1, y1, x2, y2 = (min(max(edge, 0.0), 1.0) for edge in box)
    return max(x2 - x1, 0.0) * max(y2 - y1, 0.0)
