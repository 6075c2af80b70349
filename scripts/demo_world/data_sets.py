"""The demo model's training pictures: scenes by seed and number, and what is said of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .captions import global_caption, instance_caption
from .world import MAX_INSTANCES, SIZE, Scene, normalised_boxes, random_scene, render


@dataclass(frozen=True)
class DataSet:
    """Scenes (seed, index): `count` of them, with that many instances (None: 1..6 in turn)."""

    seed: int
    count: int
    size: int
    instances: int | None
    captions: int  # wordings of the global caption per picture


DATA_SETS = {
    "small": DataSet(seed=20, count=20000, size=64, instances=1, captions=2),  # single objects, a quarter of the cost
    "train": DataSet(seed=30, count=30000, size=SIZE, instances=None, captions=2),
    # The first of each: what a processor draws in half an hour, for the demo transformer.
    "small_8k": DataSet(seed=20, count=8000, size=64, instances=1, captions=2),
    "train_4k": DataSet(seed=30, count=4000, size=SIZE, instances=None, captions=2),
}


def scene_of(data: DataSet, index: int) -> Scene:
    count = data.instances or 1 + index % MAX_INSTANCES
    return random_scene((data.seed, index), count, data.size)


def drawn(data: DataSet, indices: Sequence[int]) -> tuple[np.ndarray, list[dict]]:
    """Pictures, uint8 [n, size, size, 3], and the row of each."""
    scenes = [scene_of(data, index) for index in indices]
    rows = [describe(data, index, scene) for index, scene in zip(indices, scenes, strict=True)]
    return np.stack([render(scene) for scene in scenes]), rows


def describe(data: DataSet, index: int, scene: Scene) -> dict:
    """The row of a picture: two wordings of each text, drawn from the picture's own seed."""
    rng = np.random.default_rng((data.seed, index, 1))
    return {
        "captions": [global_caption(scene, rng) for _ in range(data.captions)],
        "instances": [
            {"box": [round(side, 6) for side in box], "caption": instance_caption(thing.attributes, rng)}
            for thing, box in zip(scene.things, normalised_boxes(scene), strict=True)
        ],
    }
