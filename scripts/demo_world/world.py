"""Scenes of coloured, textured shapes on dark backgrounds, drawn anti-aliased and deterministic by seed.

A scene is plain data; `render` turns it into a picture.
Lengths are pixels, boxes of a `Scene` are xyxy in pixels (x first) and enclose the whole shape,
also where another instance covers it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SIZE = 128  # px, the side of a picture
MIN_SIZE = 32  # px, the shortest side of a box; the judge reads smaller objects wrongly after the VAE
MAX_INSTANCES = 6
SHAPES = ("circle", "square", "triangle", "cross", "ring", "star")
COLOURS = {  # hues at least 50 degrees apart, all bright
    "red": (240, 40, 35),
    "yellow": (250, 225, 30),
    "green": (35, 215, 50),
    "cyan": (30, 225, 230),
    "blue": (50, 75, 250),
    "magenta": (240, 45, 230),
    "white": (245, 245, 245),
}
TEXTURES = ("plain", "striped", "dotted")
BACKGROUNDS = ("plain", "gradient", "clouds")
PERIOD = 9.0  # px, of stripes and dots
DARK_TONE = 0.5  # the second tone of a texture, as a factor on the colour
SUPERSAMPLES = 4  # per pixel and axis
MAX_OVERLAP = 0.12  # intersection of two boxes over the smaller one's area
_LARGEST = {1: 84, 2: 72, 3: 60, 4: 52, 5: 46, 6: 42}  # px, longest side by number of instances


@dataclass(frozen=True)
class Attributes:
    """What a caption can say of an object."""

    shape: str
    colour: str
    texture: str


@dataclass(frozen=True)
class Thing:
    """One instance: its attributes, box (xyxy, px), and the rotation (radians) and phase
    (0..1, two axes) of its texture."""

    attributes: Attributes
    box: tuple[float, float, float, float]
    angle: float = 0.0
    phase: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Scene:
    """A picture's content; later things are drawn over earlier ones."""

    things: tuple[Thing, ...]
    background: str
    background_seed: int
    size: int = SIZE


def inside_shape(shape: str, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Whether points belong to a shape; u, v in -1..1 across the shape's box, v downwards.
    Returns bool of u's shape."""
    if shape == "square":
        return (np.abs(u) <= 1) & (np.abs(v) <= 1)
    if shape == "triangle":
        return (np.abs(u) <= (v + 1) / 2) & (v <= 1)
    if shape == "cross":
        return (np.maximum(np.abs(u), np.abs(v)) <= 1) & (np.minimum(np.abs(u), np.abs(v)) <= 0.34)
    if shape == "star":
        return _inside_star(u, v)
    radius = u * u + v * v
    return (radius <= 1) & (radius >= 0.46**2) if shape == "ring" else radius <= 1


def _inside_star(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """A five-pointed star, one point up, stretched so that its extreme points touch the box."""
    x = u * np.sin(np.radians(72))
    y = (v + 1) / 2 * (1 + np.cos(np.radians(36))) - 1
    sector = np.radians(72)
    angle = np.abs((np.arctan2(x, -y) + sector / 2) % sector - sector / 2)  # 0 at a point, 36 degrees in a notch
    radius = np.hypot(x, y)
    notch = 0.47 * np.array([np.cos(sector / 2), np.sin(sector / 2)])  # the edge runs from (1, 0) to here
    edge = notch - np.array([1.0, 0.0])
    return edge[0] * radius * np.sin(angle) - edge[1] * (radius * np.cos(angle) - 1.0) >= 0


def _sample_grid(box, size):
    """Pixel window of a box and its supersampled coordinates in px: (x1, y1, x2, y2), xs [w*S], ys [h*S]."""
    x1, y1 = max(0, int(np.floor(box[0]))), max(0, int(np.floor(box[1])))
    x2, y2 = min(size, int(np.ceil(box[2]))), min(size, int(np.ceil(box[3])))
    offsets = np.arange(0.5, SUPERSAMPLES) / SUPERSAMPLES
    xs = (np.arange(x1, x2)[:, None] + offsets).ravel().astype(np.float32)
    ys = (np.arange(y1, y2)[:, None] + offsets).ravel().astype(np.float32)
    return (x1, y1, x2, y2), xs, ys


def _pool(samples: np.ndarray) -> np.ndarray:
    """[h*S, w*S] -> [h, w] means."""
    h, w = samples.shape[0] // SUPERSAMPLES, samples.shape[1] // SUPERSAMPLES
    return samples.reshape(h, SUPERSAMPLES, w, SUPERSAMPLES).mean((1, 3), dtype=np.float32)


def _dark_samples(thing: Thing, xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
    """Where a texture shows its second tone; xs [W], ys [H] in px -> bool [H, W]."""
    x, y = xs[None, :] - thing.box[0], ys[:, None] - thing.box[1]
    cos, sin = np.cos(thing.angle), np.sin(thing.angle)
    a = (x * cos + y * sin) / PERIOD + thing.phase[0]
    if thing.attributes.texture == "striped":
        return a % 1 < 0.5
    b = (y * cos - x * sin) / PERIOD + thing.phase[1]
    return (a % 1 - 0.5) ** 2 + (b % 1 - 0.5) ** 2 < 0.31**2


def coverage(thing: Thing, size: int = SIZE):
    """Window (x1, y1, x2, y2) in px, the shape's coverage of each pixel in it and that of the texture's
    second tone, both [h, w] in 0..1."""
    window, xs, ys = _sample_grid(thing.box, size)
    x1, y1, x2, y2 = thing.box
    u, v = (xs - x1) / (x2 - x1) * 2 - 1, (ys - y1) / (y2 - y1) * 2 - 1
    inside = inside_shape(thing.attributes.shape, u[None, :], v[:, None]) & np.ones((len(v), len(u)), bool)
    if thing.attributes.texture == "plain":
        return window, _pool(inside), np.zeros((window[3] - window[1], window[2] - window[0]), np.float32)
    return window, _pool(inside), _pool(inside & _dark_samples(thing, xs, ys))


def _background(kind: str, seed: int, size: int) -> np.ndarray:
    """A dark, nearly grey background [size, size, 3] in 0..1, at most 0.28 bright."""
    rng = np.random.default_rng(seed)
    level, tint = rng.uniform(0.08, 0.22), rng.uniform(0.85, 1.15, 3)
    field = np.zeros((size, size), np.float32)
    if kind == "gradient":
        angle = rng.uniform(0, 2 * np.pi)
        ramp = np.linspace(-1, 1, size, dtype=np.float32)
        field = (ramp[None, :] * np.cos(angle) + ramp[:, None] * np.sin(angle)) * 0.05
    elif kind == "clouds":
        coarse = rng.normal(size=(6, 6))
        at = np.linspace(0, 4.999, size)
        low, part = at.astype(int), at % 1
        weights = np.zeros((size, 6), np.float32)
        weights[np.arange(size), low], weights[np.arange(size), low + 1] = 1 - part, part
        field = (weights @ coarse @ weights.T) * 0.03
    return np.clip((level + field)[..., None] * tint, 0.02, 0.28).astype(np.float32)


def render(scene: Scene) -> np.ndarray:
    """The picture of a scene: uint8 [size, size, 3]."""
    image = _background(scene.background, scene.background_seed, scene.size)
    for thing in scene.things:
        (x1, y1, x2, y2), shape, dark = coverage(thing, scene.size)
        colour = np.asarray(COLOURS[thing.attributes.colour], np.float32) / 255
        tone = (shape - dark + DARK_TONE * dark)[..., None]
        image[y1:y2, x1:x2] = image[y1:y2, x1:x2] * (1 - shape[..., None]) + tone * colour
    return (image * 255 + 0.5).astype(np.uint8)


def _choice(rng: np.random.Generator, options):
    return options[int(rng.integers(len(options)))]


def _random_attributes(rng: np.random.Generator) -> Attributes:
    return Attributes(_choice(rng, SHAPES), _choice(rng, tuple(COLOURS)), _choice(rng, TEXTURES))


def _fits(box, colour: str, placed: list[Thing]) -> bool:
    """Mild overlaps only, and none (3 px apart) between equal colours, which no eye could tell apart."""
    for other in placed:
        margin = 3.0 if other.attributes.colour == colour else 0.0
        b = other.box
        wide = min(box[2], b[2]) - max(box[0], b[0]) + margin
        high = min(box[3], b[3]) - max(box[1], b[1]) + margin
        if wide <= 0 or high <= 0:
            continue
        smaller = min((box[2] - box[0]) * (box[3] - box[1]), (b[2] - b[0]) * (b[3] - b[1]))
        if margin or wide * high > MAX_OVERLAP * smaller:
            return False
    return True


def _place(rng: np.random.Generator, colour: str, placed: list[Thing], longest: float, size: int, shortest: float):
    for _ in range(40):
        w = rng.uniform(shortest, longest)
        h = np.clip(w * np.exp(rng.uniform(-0.25, 0.25)), shortest, longest)
        x, y = rng.uniform(1, size - 1 - w), rng.uniform(1, size - 1 - h)
        box = (float(x), float(y), float(x + w), float(y + h))
        if _fits(box, colour, placed):
            return box
    return None


def random_scene(
    seed, count: int | None = None, size: int = SIZE, shortest: float = MIN_SIZE, longest: float | None = None
) -> Scene:
    """A scene by seed (an int or a sequence of ints); count 1..6 instances (random when None),
    box sides in shortest..longest px."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, MAX_INSTANCES + 1)) if count is None else count
    longest = min(_LARGEST[count] if longest is None else longest, size - 4)
    while True:
        placed: list[Thing] = []
        while len(placed) < count:
            attributes = _random_attributes(rng)
            box = _place(rng, attributes.colour, placed, longest, size, shortest)
            if box is None:
                break
            angle = np.radians(45 + rng.uniform(-15, 15))
            placed.append(Thing(attributes, box, float(angle), (float(rng.uniform()), float(rng.uniform()))))
        if len(placed) == count:
            return Scene(tuple(placed), _choice(rng, BACKGROUNDS), int(rng.integers(2**31)), size)


def normalised_boxes(scene: Scene) -> list[tuple[float, float, float, float]]:
    """The scene's boxes as xyxy in 0..1."""
    return [tuple(side / scene.size for side in thing.box) for thing in scene.things]
