"""Settings that come over a link: ComfyUI holds values to their widget's limits only where they are typed in."""

from __future__ import annotations

import math

from comfy_api.latest import io

from ..roictrl_core.notes import quote


def check_widgets(node: type[io.ComfyNode], **values: object) -> None:
    """Raises ValueError with a sentence that names the node and the first setting that its widget would not take."""
    schema = node.define_schema()
    for entry in schema.inputs:
        if entry.id in values and (wanted := _refusal(entry, values[entry.id])):
            raise ValueError(
                f"{schema.display_name}: {entry.id} is {quote(values[entry.id])}; it must be {wanted}. "
                "Correct what is connected to it."
            )


def _refusal(entry: io.Input, value: object) -> str:
    """What the widget takes, where it does not take ``value``; else nothing."""
    if isinstance(entry, (io.Int.Input, io.Float.Input)):
        whole = isinstance(entry, io.Int.Input)
        fits = (
            isinstance(value, int if whole else (int, float))
            and math.isfinite(value)
            and entry.min <= value <= entry.max
        )
        return "" if fits else f"a {'whole ' if whole else ''}number from {entry.min:g} to {entry.max:g}"
    if isinstance(entry, io.Combo.Input) and value not in entry.options:
        return f"one of {', '.join(map(str, entry.options))}"
    return ""
