"""What is said of a scene: free word order, synonyms, single captions and lists. `WORDS` is the whole vocabulary."""

from __future__ import annotations

import numpy as np

from .world import Attributes, Scene

SHAPE_WORDS = {
    "circle": ("circle", "disc"),
    "square": ("square", "block"),
    "triangle": ("triangle", "pyramid"),
    "cross": ("cross", "plus"),
    "ring": ("ring", "hoop"),
    "star": ("star", "starfish"),
}
COLOUR_WORDS = {
    "red": ("red", "scarlet"),
    "yellow": ("yellow", "lemon"),
    "green": ("green", "lime"),
    "cyan": ("cyan", "turquoise"),
    "blue": ("blue", "azure"),
    "magenta": ("magenta", "fuchsia"),
    "white": ("white", "snowy"),
}
TEXTURE_WORDS = {"plain": ("plain", "solid"), "striped": ("striped", "banded"), "dotted": ("dotted", "spotted")}
TEXTURE_NOUNS = {"striped": ("stripes", "bands"), "dotted": ("dots", "spots")}
PREFIXES = ("", "", "", "a picture of ", "an image of ", "there is ")
SUFFIXES = ("", "", "", " on a dark background", " in the dark")
_OTHER_WORDS = (
    "a",
    "an",
    "and",
    "with",
    "of",
    "the",
    "on",
    "in",
    "is",
    "there",
    "picture",
    "image",
    "background",
    "dark",
    ",",
    ".",
)


def _vocabulary() -> tuple[str, ...]:
    words = set(_OTHER_WORDS)
    for table in (SHAPE_WORDS, COLOUR_WORDS, TEXTURE_WORDS, TEXTURE_NOUNS):
        words.update(word for synonyms in table.values() for word in synonyms)
    return tuple(sorted(words))


WORDS = _vocabulary()


def _pick(rng: np.random.Generator, options):
    # The first synonym is the common one.
    return options[0] if rng.uniform() < 0.6 else options[int(rng.integers(len(options)))]


def _article(phrase: str) -> str:
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


def instance_caption(attributes: Attributes, rng: np.random.Generator | None = None) -> str:
    """One object's caption; without `rng` the canonical "a red striped circle"."""
    if rng is None:
        return _article(f"{attributes.colour} {attributes.texture} {attributes.shape}")
    colour, texture = _pick(rng, COLOUR_WORDS[attributes.colour]), _pick(rng, TEXTURE_WORDS[attributes.texture])
    shape = _pick(rng, SHAPE_WORDS[attributes.shape])
    form = int(rng.integers(6))
    if form == 0 and attributes.texture != "plain":
        return _article(f"{colour} {shape} with {_pick(rng, TEXTURE_NOUNS[attributes.texture])}")
    if form == 1:
        return _article(f"{shape}, {colour} and {texture}")
    if form == 2:
        return _article(f"{texture} {colour} {shape}")
    if form == 3:
        return f"{texture} {shape}, {colour}"
    if form == 4:
        return f"{colour} {texture} {shape}"
    return _article(f"{colour} {texture} {shape}")


def global_caption(scene: Scene, rng: np.random.Generator | None = None) -> str:
    """The whole scene as a list; without `rng` the canonical captions in the scene's order, joined by commas."""
    things = list(scene.things)
    if rng is None:
        return ", ".join(instance_caption(thing.attributes) for thing in things)
    order = rng.permutation(len(things))
    parts = [instance_caption(things[i].attributes, rng) for i in order]
    joint = (", ", " and ", ". ")[int(rng.integers(3))]
    text = joint.join(parts)
    return PREFIXES[int(rng.integers(len(PREFIXES)))] + text + SUFFIXES[int(rng.integers(len(SUFFIXES)))]
