"""What every writer asks of a layout first: boxes inside the picture, and a note for all that a format cannot carry."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ..layout import Instance, Layout
from ..notes import Note
from .common import BORDER_SLACK


def fitted(layout: Layout, title: str, carries: Collection[str]) -> tuple[Layout, list[Note]]:
    """The layout as the format called ``title``, which keeps the fields ``carries``, can hold it, and what it loses.

    Boxes are cut at the picture's border; instances that cannot be held are not enabled any more, so that the others
    keep their indices.
    """
    notes: list[Note] = []
    instances = [_fit(instance, i, title, carries, notes) for i, instance in enumerate(layout.instances, 1)]
    return replace(layout, instances=tuple(instances)), notes


def _fit(instance: Instance, index: int, title: str, carries: Collection[str], notes: list[Note]) -> Instance:
    if not instance.enabled:
        notes.append(instance.note("write.not_enabled", index, format=title))
        return instance
    inside = replace(instance, box=tuple(min(max(value, 0.0), 1.0) for value in instance.box))
    if not inside.has_area and "point" not in carries:
        notes.append(instance.note("write.no_area", index, format=title))
        return replace(instance, enabled=False)
    if (
        inside.has_area
        and max(abs(one - other) for one, other in zip(inside.box, instance.box, strict=True)) > BORDER_SLACK
    ):
        notes.append(instance.note("write.cut", index, format=title))
    if lost := _lost(instance, carries):
        notes.append(instance.note("write.not_carried", index, format=title, fields=lost))
    return inside


def _lost(instance: Instance, carries: Collection[str]) -> list[str]:
    """The fields that ``instance`` sets and the format does not keep."""
    kept = {key: getattr(instance, key) for key in carries}
    written = Instance(instance.box, **kept).to_dict()
    lost = [key for key in replace(instance, extra={}).to_dict() if key not in written]
    return lost + (["conditioning"] if instance.conditioning is not None else [])
