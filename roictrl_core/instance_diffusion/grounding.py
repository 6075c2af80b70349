"""What UniFusion reads: up to 30 instances per image as fixed-size tensors (spec section 2.1)."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from .config import SLOTS
from .points import POLYGON_POINTS, SCRIBBLE_POINTS, mask_polygon, mask_scribble, stroke_scribble

MASK_SIDE = 512


@dataclass(frozen=True)
class GroundedInstance:
    """One instance of one picture; everything normalised to 0..1 of the picture, x first.

    box: x1, y1, x2, y2. text: [text_width] pooled, unprojected CLIP feature of the caption. point: x, y, or None for the
    box's centre. scribble: a stroke [n, 2] in drawing order, or None (then taken from the mask, as in training).
    mask: the whole picture's mask [H, W], or None.
    """

    box: tuple[float, float, float, float]
    text: Tensor
    point: tuple[float, float] | None = None
    scribble: np.ndarray | None = None
    mask: np.ndarray | None = None

    @property
    def area(self) -> float:
        x1, y1, x2, y2 = self.box
        return max(x2 - x1, 0.0) * max(y2 - y1, 0.0)


@dataclass(frozen=True)
class Grounding:
    """A batch of pictures' instances in slots; unused slots are all zero.

    boxes [B, n, 4], used [B, n] (1 = slot used), text [B, n, text_width], points [B, n, 2], scribbles [B, n, 40],
    polygons [B, n, 512], masks [B, n, S, S] (0/1); all float32.
    """

    boxes: Tensor
    used: Tensor
    text: Tensor
    points: Tensor
    scribbles: Tensor
    polygons: Tensor
    masks: Tensor

    @classmethod
    def null(cls, batch: int = 1, text_width: int = 768, slots: int = SLOTS) -> Grounding:
        """No instance anywhere: the grounding of the unconditional pass."""
        shapes = ((4,), (), (text_width,), (2,), (2 * SCRIBBLE_POINTS,), (2 * POLYGON_POINTS,), (1, 1))
        return cls(*(torch.zeros(batch, slots, *shape) for shape in shapes))

    @classmethod
    def of(cls, instances: Sequence[GroundedInstance], text_width: int = 768, slots: int = SLOTS) -> Grounding:
        """One picture's instances, in their order, batch size 1.

        Raises ValueError for more instances than slots: choose with `largest` first.
        """
        if len(instances) > slots:
            raise ValueError(
                f"InstanceDiffusion: {len(instances)} instances do not fit into the model's {slots} slots. "
                f"Remove {len(instances) - slots} of them."
            )
        result = cls.null(1, text_width, slots)
        if any(instance.mask is not None for instance in instances):
            result = cls(**{**result.tensors(), "masks": torch.zeros(1, slots, MASK_SIDE, MASK_SIDE)})
        for slot, instance in enumerate(instances):
            result._fill(slot, instance)
        return result

    def _fill(self, slot: int, instance: GroundedInstance) -> None:
        x1, y1, x2, y2 = instance.box
        stroke, mask = instance.scribble, instance.mask
        self.boxes[0, slot] = torch.tensor(instance.box)
        self.used[0, slot] = 1
        self.text[0, slot] = instance.text
        self.points[0, slot] = torch.tensor(instance.point or ((x1 + x2) / 2, (y1 + y2) / 2))
        if stroke is not None and len(stroke):
            self.scribbles[0, slot] = torch.from_numpy(stroke_scribble(stroke))
        elif mask is not None:
            self.scribbles[0, slot] = torch.from_numpy(mask_scribble(mask))
        if mask is not None:
            self.polygons[0, slot] = torch.from_numpy(mask_polygon(mask))
            self.masks[0, slot] = _square(mask)

    @classmethod
    def cat(cls, parts: Sequence[Grounding]) -> Grounding:
        """Pictures one after the other along the batch; smaller masks are enlarged to the largest (nearest)."""
        side = max(part.masks.shape[-1] for part in parts)
        joined = {name: [part.tensors()[name] for part in parts] for name in parts[0].tensors()}
        joined["masks"] = [torch.nn.functional.interpolate(masks, size=(side, side)) for masks in joined["masks"]]
        return cls(**{name: torch.cat(tensors) for name, tensors in joined.items()})

    def alone(self, slot: int) -> Grounding:
        """Instance `slot` moved to slot 0 and all others removed: a branch of the multi-instance sampler (section 8.3)."""
        moved = {}
        for name, tensor in self.tensors().items():
            moved[name] = torch.zeros_like(tensor)
            moved[name][:, 0] = tensor[:, slot]
        return Grounding(**moved)

    def to(self, device: torch.device | str) -> Grounding:
        return Grounding(**{name: tensor.to(device) for name, tensor in self.tensors().items()})

    def tensors(self) -> dict[str, Tensor]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


def largest(areas: Sequence[float], limit: int = SLOTS) -> tuple[list[int], list[int]]:
    """Indices of the `limit` largest instances and of those left out, both in drawing order (spec section 2.6)."""
    order = sorted(range(len(areas)), key=lambda index: -areas[index])
    return sorted(order[:limit]), sorted(order[limit:])


def _square(mask: np.ndarray) -> Tensor:
    """A picture's mask [H, W], stretched to the square that the mask branch reads: nearest, 0/1."""
    pixels = torch.from_numpy(np.asarray(mask) > 0.5).float()[None, None]
    return torch.nn.functional.interpolate(pixels, size=(MASK_SIDE, MASK_SIDE))[0, 0]
