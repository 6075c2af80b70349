"""What the example workflows draw: one layout each, so that no two thumbnails look alike."""

from __future__ import annotations

import json

import numpy as np

from devtools.pack import register_core

register_core()

from roictrl_core.masks import RunLengthMask  # noqa: E402


def layout(width: int, height: int, *instances: tuple) -> str:
    """Layout JSON for the widget: (caption, box xyxy 0..1), and perhaps a dict of other fields, each."""
    made = [{"box": box, "caption": caption, **(more[0] if more else {})} for caption, box, *more in instances]
    return json.dumps({"version": 1, "width": width, "height": height, "instances": made}, indent=1)


def ellipse(x1: float, y1: float, x2: float, y2: float, side: int = 128) -> dict:
    """The mask that fills a box as an ellipse."""
    y, x = np.mgrid[0:side, 0:side] / side
    inside = ((2 * x - x1 - x2) / (x2 - x1)) ** 2 + ((2 * y - y1 - y2) / (y2 - y1)) ** 2 <= 1
    return {"mask": RunLengthMask.from_array(inside).to_dict()}


def oval(caption: str, box: list[float]) -> tuple:
    """An instance with the ellipse in its box as its mask."""
    return caption, box, ellipse(*box)


# The demo model's world; every box covers a cell at the coarsest level of its 128 pixels.
SHAPES = layout(
    128,
    128,
    ("a red striped circle", [0.06, 0.1, 0.46, 0.5]),
    ("a blue plain star", [0.54, 0.08, 0.94, 0.5]),
    ("a green dotted square", [0.54, 0.56, 0.94, 0.96]),
)
SIGNS = layout(
    128,
    128,
    ("a yellow plain ring", [0.05, 0.2, 0.47, 0.62]),
    ("a magenta striped triangle", [0.53, 0.2, 0.95, 0.62]),
)
RINGS = layout(
    128,
    128,
    ("a red plain ring", [0.08, 0.08, 0.48, 0.48]),
    ("a cyan plain cross", [0.52, 0.52, 0.92, 0.92]),
)
CROSS_AND_STAR = layout(
    128,
    128,
    ("a red plain cross", [0.08, 0.5, 0.5, 0.92]),
    ("a blue plain star", [0.52, 0.08, 0.94, 0.5]),
)

# Stable Diffusion 1.x
ANIMALS = layout(
    512,
    512,
    ("a red fox sitting on the grass", [0.04, 0.4, 0.46, 0.96]),
    ("a white rabbit with long ears", [0.54, 0.45, 0.96, 0.96]),
    ("a hot-air balloon with yellow stripes", [0.3, 0.03, 0.62, 0.36]),
)
TABLE = layout(
    512,
    512,
    ("a blue teapot", [0.06, 0.35, 0.45, 0.85]),
    ("a slice of strawberry cake on a plate", [0.52, 0.5, 0.95, 0.88]),
)
STREET = layout(
    512, 512, ("a yellow taxi", [0.03, 0.5, 0.55, 0.92]), ("a woman in a green coat", [0.62, 0.25, 0.92, 0.97])
)
TOWER = layout(
    512,
    768,
    ("a full moon", [0.56, 0.04, 0.9, 0.27]),
    ("an old stone lighthouse", [0.1, 0.15, 0.45, 0.8]),
    ("a small red sailing boat", [0.5, 0.66, 0.92, 0.92]),
)
PATCH = layout(512, 512, ("a ginger cat with a blue collar", [0.3, 0.35, 0.75, 0.9]))
FRUIT = layout(512, 512, oval("a green pear", [0.08, 0.3, 0.42, 0.85]), oval("an orange", [0.5, 0.45, 0.9, 0.85]))
POND = layout(512, 512, ("a grey heron", [0.08, 0.12, 0.4, 0.8]), ("a red canoe", [0.44, 0.55, 0.96, 0.82]))
KITCHEN = layout(
    512,
    512,
    ("a copper kettle", [0.05, 0.3, 0.4, 0.75]),
    ("a loaf of bread", [0.44, 0.5, 0.72, 0.8]),
    ("a jar of honey", [0.75, 0.35, 0.96, 0.8]),
)
LAKE = layout(
    512,
    512,
    (
        "a wooden rowing boat",
        [0.1, 0.55, 0.6, 0.85],
        {"scribble": [[[0.12, 0.7], [0.25, 0.8], [0.45, 0.8], [0.58, 0.68]]]},
    ),
    ("a white swan", [0.66, 0.6, 0.9, 0.85], {"point": [0.78, 0.74]}),
    (
        "a snowy mountain",
        [0.05, 0.08, 0.95, 0.45],
        {"scribble": [[[0.06, 0.42], [0.4, 0.12], [0.55, 0.3], [0.7, 0.16], [0.94, 0.42]]]},
    ),
)
POTTERY = layout(
    512, 512, oval("a tall blue vase", [0.12, 0.1, 0.4, 0.92]), oval("a yellow bowl", [0.48, 0.55, 0.94, 0.9])
)
CATS = layout(
    512,
    512,
    ("a black cat", [0.03, 0.3, 0.32, 0.9]),
    ("a white cat", [0.36, 0.3, 0.65, 0.9]),
    ("an orange cat", [0.69, 0.3, 0.98, 0.9]),
)
HEROES = layout(
    512,
    512,
    ("a knight in silver armour", [0.05, 0.15, 0.45, 0.97]),
    ("a wizard with a long white beard", [0.55, 0.15, 0.95, 0.97]),
)
LIBRARY = layout(
    512,
    512,
    ("a tall shelf of leather books", [0.02, 0.02, 0.34, 0.98]),
    ("an owl on a globe", [0.42, 0.08, 0.7, 0.52]),
    ("a wooden ladder", [0.76, 0.1, 0.97, 0.95]),
    ("a green reading lamp", [0.4, 0.6, 0.66, 0.92]),
)
SHELF = layout(512, 512, ("a brass clock", [0.08, 0.12, 0.48, 0.56]), ("a potted fern", [0.58, 0.3, 0.94, 0.96]))
PETS = layout(512, 512, ("a cat on a chair", [0.06, 0.3, 0.46, 0.95]), ("a dog on a chair", [0.54, 0.3, 0.94, 0.95]))
CASTLE = layout(
    512, 512, ("a castle on a hill", [0.08, 0.08, 0.6, 0.62]), ("a knight on a white horse", [0.5, 0.5, 0.92, 0.96])
)
WINDOW = layout(512, 512, ("a vase of sunflowers", [0.1, 0.14, 0.52, 0.62]))
CHESS = layout(
    512, 512, ("a white chess king", [0.16, 0.06, 0.44, 0.72]), ("a black chess knight", [0.58, 0.36, 0.9, 0.94])
)

# Larger models
PARK = layout(
    1024,
    1024,
    ("a golden retriever", [0.06, 0.55, 0.45, 0.95]),
    ("a child in a yellow raincoat", [0.55, 0.35, 0.85, 0.95]),
    ("a red kite", [0.1, 0.06, 0.4, 0.3]),
)
MARKET = layout(
    1024,
    1024,
    ("a wooden crate full of lemons", [0.04, 0.5, 0.46, 0.95]),
    ("a wooden crate full of red apples", [0.54, 0.5, 0.96, 0.95]),
    ("a striped market awning", [0.05, 0.03, 0.95, 0.36]),
)
READING = layout(
    1024,
    1024,
    ("a tabby cat asleep on a red cushion", [0.05, 0.55, 0.52, 0.95]),
    ("a stack of old leather books", [0.6, 0.45, 0.95, 0.8]),
    ("a green glass reading lamp", [0.62, 0.08, 0.92, 0.4]),
)
HARBOUR = layout(
    1024,
    1024,
    ("a red fishing boat", [0.04, 0.55, 0.55, 0.85]),
    ("a white lighthouse with a red stripe", [0.68, 0.08, 0.9, 0.6]),
    ("a seagull on a wooden post", [0.62, 0.66, 0.9, 0.96]),
)
BREAKFAST = layout(
    1024,
    1024,
    ("a cup of black coffee", [0.06, 0.08, 0.4, 0.42]),
    ("a plate with two croissants", [0.45, 0.3, 0.95, 0.75]),
    ("a bowl of blueberries", [0.08, 0.58, 0.42, 0.92]),
)
GARDEN = layout(
    1024,
    1024,
    ("a girl with long silver hair in a blue kimono", [0.06, 0.15, 0.42, 0.96]),
    ("a girl with short red hair holding a paper umbrella", [0.48, 0.12, 0.8, 0.96]),
    ("a stone lantern", [0.82, 0.55, 0.98, 0.9]),
)
BEACH = layout(
    512, 512, ("a brown dog running", [0.06, 0.5, 0.5, 0.92]), ("a sailing boat on the sea", [0.6, 0.12, 0.94, 0.46])
)
DESERT = layout(
    1024,
    1024,
    ("an old yellow pickup truck", [0.05, 0.55, 0.6, 0.9]),
    ("a tall green cactus", [0.7, 0.3, 0.92, 0.9]),
    ("a hot-air balloon with red stripes", [0.2, 0.05, 0.5, 0.4]),
)
STAGE = layout(
    1024,
    1024,
    ("a woman in a silver dress, singing", [0.36, 0.2, 0.62, 0.95]),
    ("a man with a saxophone", [0.04, 0.25, 0.32, 0.95]),
    ("a black grand piano", [0.66, 0.4, 0.98, 0.92]),
)
