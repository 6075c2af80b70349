"""Masks and strokes as the fixed-size point sets that UniFusion reads (docs/instance_diffusion.md section 6).

Plain numpy on the CPU, once per layout; float64 is fine here, nothing of it reaches a device.
Points are (x, y). Results are normalised to 0..1 by the image's width and height.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .contours import outlines

POLYGON_POINTS = 256
SCRIBBLE_POINTS = 20


def mask_polygon(mask: np.ndarray, seed: int = 0) -> np.ndarray:
    """256 points of a mask [H, W], half on its outline and half inside, as [512] float32; zeros for an empty mask.

    seed only matters for a mask of fewer than 128 pixels, whose inner points are drawn with replacement.
    """
    mask = _binary(mask)
    if not mask.any():
        return np.zeros(2 * POLYGON_POINTS, np.float32)
    points = np.concatenate([boundary_points(mask), interior_points(mask, seed=seed)])
    return _normalised(by_distance(points), mask.shape)


def mask_scribble(mask: np.ndarray, seed: int = 0) -> np.ndarray:
    """20 random pixels of a mask [H, W] as [40] float32, the way scribbles were made in training;
    zeros if it is empty."""
    mask = _binary(mask)
    if not mask.any():
        return np.zeros(2 * SCRIBBLE_POINTS, np.float32)
    pixels = np.argwhere(mask)[:, ::-1]  # [n, 2] x, y
    few = len(pixels) < SCRIBBLE_POINTS
    chosen = np.random.default_rng(seed).choice(len(pixels), SCRIBBLE_POINTS, replace=few)
    return _normalised(by_distance(pixels[chosen]), mask.shape)


def stroke_scribble(strokes: Sequence[np.ndarray]) -> np.ndarray:
    """20 points of a drawing, strokes [n, 2] each, normalised, as [40] float32: evenly along its length, then sorted.

    The published helper keeps only the points nearest to the origin when n is not a multiple of 20, which cuts strokes
    off; the network reads an unordered point set in both cases (docs/instance_diffusion.md section 6.2).
    """
    return by_distance(resample(strokes)).astype(np.float32).reshape(-1)


def resample(strokes: Sequence[np.ndarray], count: int = SCRIBBLE_POINTS) -> np.ndarray:
    """`count` points [count, 2] at equal arc lengths along polylines [n, 2], the first and last point included.

    The gaps between strokes have no length. Strokes without any length are single points: these share the count.
    """
    strokes = [np.asarray(stroke, np.float64) for stroke in strokes]
    points = np.concatenate(strokes)  # [n, 2]
    steps = [np.concatenate([[0.0], np.hypot(*np.diff(stroke, axis=0).T)]) for stroke in strokes]
    length = np.cumsum(np.concatenate(steps))  # [n]
    if length[-1] == 0:
        return points[np.arange(count) * len(points) // count]
    at = np.linspace(0.0, length[-1], count)
    return np.stack([np.interp(at, length, axis) for axis in points.T], axis=1)


def boundary_points(mask: np.ndarray, count: int = POLYGON_POINTS // 2) -> np.ndarray:
    """`count` points evenly spread over the mask's outline walks, in pixels [count, 2].

    Published coordinates: those of the mask padded by one pixel (one more than the image's), on background pixels.
    """
    walk = contour_points(mask)
    return walk[np.linspace(0, len(walk) - 1, count).astype(int)]


def contour_points(mask: np.ndarray) -> np.ndarray:
    """All outline walks of a mask [H, W] one after the other, closed, as (x, y) in padded pixels [n, 2]."""
    walks = []
    for walk in outlines(np.pad(_binary(mask), 1)):
        if not np.array_equal(walk[0], walk[-1]):
            walk = np.concatenate([walk, walk[:1]])
        if len(walk) >= 3:
            walks.append(walk[:, ::-1])
    return np.concatenate(walks)


def interior_points(mask: np.ndarray, count: int = POLYGON_POINTS // 2, seed: int = 0) -> np.ndarray:
    """`count` foreground pixels spread by their distance to the centroid, in pixels [count, 2]."""
    pixels = np.argwhere(mask)  # [n, 2] row, column
    if len(pixels) < count:
        return pixels[np.random.default_rng(seed).choice(len(pixels), count)][:, ::-1]
    distance = np.linalg.norm(pixels - pixels.mean(0), axis=1)
    ordered = pixels[np.argsort(distance, kind="stable")]
    run = len(pixels) // count
    return ordered[np.arange(count) * run + run // 2][:, ::-1]


def by_distance(points: np.ndarray) -> np.ndarray:
    """Points [n, 2] sorted by distance to (0, 0), ties in their old order. Needs float64: float32 roots swap ties."""
    points = np.asarray(points, np.float64)
    return points[np.argsort(np.sqrt((points**2).sum(1)), kind="stable")]


def _binary(mask: np.ndarray) -> np.ndarray:
    mask = np.asarray(mask)
    if mask.ndim != 2:
        raise ValueError(f"InstanceDiffusion: a mask must be one image of height x width, but has shape {mask.shape}.")
    return mask > 0.5


def _normalised(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    height, width = size
    return np.minimum(points / (width, height), 1.0).astype(np.float32).reshape(-1)
