"""What UniFusion reads: up to 30 instances per image as fixed-size tensors (docs/instance_diffusion.md section 2.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor

from .config import SLOTS
from .points import POLYGON_POINTS, SCRIBBLE_POINTS, mask_polygon, mask_scribble, stroke_scribble

MASK_SIDE = 512


@dataclass(frozen=True)
class GroundedInstance:
    """One instance of one picture; everything normalised to 0..1 of the picture, x first.

    box: x1, y1, x2, y2. text: [text_width] pooled, unprojected CLIP feature of the caption.
    point: x, y, or None for the box's centre. scribble: strokes, [n, 2] each; none: taken from the mask,
    as in training. mask: the whole picture's mask [H, W], or None. presence: 1 is as trained; less fades caption,
    box and point into the learned nulls (an extension: the network's presence mask is 0 or 1 in training).
    """

    box: tuple[float, float, float, float]
    text: Tensor
    point: tuple[float, float] | None = None
    scribble: Sequence[np.ndarray] = ()
    mask: np.ndarray | None = None
    presence: float = 1.0

    def cropped(self, frame: tuple[float, float, float, float]) -> GroundedInstance | None:
        """As seen from inside a crop of the picture (xyxy, normalised); None where nothing of it is in it."""
        left, top, right, bottom = frame
        origin, size = np.array([left, top]), np.array([right - left, bottom - top])

        def inside(points) -> np.ndarray:
            points = (np.asarray(points, np.float64).reshape(-1, 2) - origin) / size
            return points[((points >= 0) & (points <= 1)).all(axis=1)]

        corners = np.clip((np.array(self.box).reshape(2, 2) - origin) / size, 0.0, 1.0)
        point = () if self.point is None else inside(self.point)
        if not (corners[1] > corners[0]).all() and not len(point):
            return None
        strokes = [part for part in map(inside, self.scribble) if len(part)]
        return replace(
            self,
            box=tuple(corners.flatten().tolist()),
            scribble=strokes,
            mask=_crop(self.mask, frame),
            point=tuple(point[0].tolist()) if len(point) else None,
        )


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

        Raises ValueError for more instances than slots: choose the largest first
        (docs/instance_diffusion.md section 2.6).
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
        mask = instance.mask
        self.boxes[0, slot] = torch.tensor(instance.box)
        self.used[0, slot] = instance.presence
        self.text[0, slot] = instance.text
        self.points[0, slot] = torch.tensor(instance.point or ((x1 + x2) / 2, (y1 + y2) / 2))
        if instance.scribble:
            self.scribbles[0, slot] = torch.from_numpy(stroke_scribble(instance.scribble))
        elif mask is not None:
            self.scribbles[0, slot] = torch.from_numpy(mask_scribble(mask))
        if mask is not None:
            self.polygons[0, slot] = torch.from_numpy(mask_polygon(mask))
            self.masks[0, slot] = _square(mask)

    def to(self, device: torch.device | str) -> Grounding:
        return Grounding(**{name: tensor.to(device) for name, tensor in self.tensors().items()})

    def tensors(self) -> dict[str, Tensor]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


def _crop(mask: np.ndarray | None, frame: tuple[float, float, float, float]) -> np.ndarray | None:
    """The part of a picture's mask in a crop, at least one pixel of it."""
    if mask is None:
        return None
    height, width = mask.shape
    left, top, right, bottom = (round(edge * size) for edge, size in zip(frame, (width, height) * 2, strict=True))
    return mask[min(top, height - 1) : max(bottom, top + 1), min(left, width - 1) : max(right, left + 1)]


def _square(mask: np.ndarray) -> Tensor:
    """A picture's mask [H, W], stretched to the square that the mask branch reads: nearest, 0/1."""
    pixels = torch.from_numpy(np.asarray(mask) > 0.5).float()[None, None]
    return torch.nn.functional.interpolate(pixels, size=(MASK_SIDE, MASK_SIDE))[0, 0]
