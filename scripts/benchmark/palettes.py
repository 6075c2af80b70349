"""Palettes that the add-ons are tuned on: what the world calls by one colour, they draw in another.

They are the world's own colours, because the demo model's VAE has seen no others: it draws every hue
as the nearest that it knows. Each palette exchanges two, so that neighbours of different colours stay different
and the judge can part them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from demo_world.world import Attributes, Scene

Palette = Mapping[str, str]

PALETTES: dict[str, Palette] = {
    "community": {"white": "yellow", "yellow": "white"},
    "lora": {"red": "magenta", "magenta": "red"},
}


def described(palette: Palette) -> str:
    """For people and for metadata: "white as yellow, yellow as white"."""
    return ", ".join(f"{word} as {drawn}" for word, drawn in palette.items())


def recoloured(attributes: Attributes, palette: Palette) -> Attributes:
    """What a model with this palette draws where a caption says `attributes`."""
    return replace(attributes, colour=palette.get(attributes.colour, attributes.colour))


def recoloured_scene(scene: Scene, palette: Palette) -> Scene:
    return replace(
        scene, things=tuple(replace(thing, attributes=recoloured(thing.attributes, palette)) for thing in scene.things)
    )
