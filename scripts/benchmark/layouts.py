"""Held-out layouts of the demo world: none is trained on, and settings are chosen on others than those that count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from demo_world.captions import instance_caption
from demo_world.world import Attributes, Scene, normalised_boxes, random_scene

SPLITS = {"tuning": 700, "test": 600}  # seeds of layouts; the training data have others (demo_data.py)
LEVELS = (2, 3, 4, 5, 6)  # instances per layout, in turn
CAPTION_SEED = 77


@dataclass(frozen=True)
class Case:
    """One layout: the scene that it was taken from, and a wording of each instance's caption."""

    number: int
    scene: Scene
    captions: tuple[str, ...]

    @property
    def level(self) -> int:
        return len(self.scene.things)

    @property
    def size(self) -> int:
        """Pixels, both sides."""
        return self.scene.size

    @property
    def boxes(self) -> list[tuple[float, float, float, float]]:
        """xyxy, 0..1."""
        return normalised_boxes(self.scene)

    @property
    def wanted(self) -> list[Attributes]:
        return [thing.attributes for thing in self.scene.things]

    @property
    def text(self) -> str:
        """All captions as one prompt."""
        return ", ".join(self.captions)


def case_of(split: str, number: int) -> Case:
    """Layout `number` of a split."""
    scene = random_scene((SPLITS[split], number), LEVELS[number % len(LEVELS)])
    rng = np.random.default_rng((CAPTION_SEED, number))
    return Case(number, scene, tuple(instance_caption(thing.attributes, rng) for thing in scene.things))
