"""The demo world is drawn the same everywhere, and its scenes keep their promises."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from demo_world.captions import (
    COLOUR_WORDS,
    SHAPE_WORDS,
    TEXTURE_NOUNS,
    TEXTURE_WORDS,
    WORDS,
    global_caption,
    instance_caption,
)
from demo_world.judge import box_iou
from demo_world.world import (
    COLOURS,
    MAX_OVERLAP,
    MIN_SIZE,
    SHAPES,
    SIZE,
    TEXTURES,
    Attributes,
    Scene,
    Thing,
    coverage,
    normalised_boxes,
    random_scene,
    render,
)

SCENES = [random_scene((3, index), 1 + index % 6) for index in range(60)]


def test_a_seed_gives_the_same_scene_and_picture():
    assert random_scene((3, 7), 2) == SCENES[7]
    assert np.array_equal(render(SCENES[7]), render(random_scene((3, 7), 2)))


def test_pictures_are_the_ones_the_weights_were_trained_on():
    """The hash is of a coarse picture.

    Decimals of transcendental functions may differ between platforms by one level.
    """
    coarse = np.stack([render(scene)[4::8, 4::8] for scene in SCENES[:12]]) // 64
    assert hashlib.sha256(coarse.astype(np.uint8).tobytes()).hexdigest()[:16] == "3a44182134cb368c"


def test_scenes_are_within_bounds():
    for index, scene in enumerate(SCENES):
        assert len(scene.things) == 1 + index % 6
        for thing in scene.things:
            x1, y1, x2, y2 = thing.box
            assert 0 <= x1 < x2 <= SIZE and 0 <= y1 < y2 <= SIZE
            assert min(x2 - x1, y2 - y1) >= MIN_SIZE - 1e-3


def test_overlaps_are_mild_and_never_between_equal_colours():
    for scene in SCENES:
        for i, a in enumerate(scene.things):
            for b in scene.things[:i]:
                wide = min(a.box[2], b.box[2]) - max(a.box[0], b.box[0])
                high = min(a.box[3], b.box[3]) - max(a.box[1], b.box[1])
                shared = max(0, wide) * max(0, high)
                smaller = min((t.box[2] - t.box[0]) * (t.box[3] - t.box[1]) for t in (a, b))
                assert shared <= MAX_OVERLAP * smaller + 1e-6
                assert shared == 0 or a.attributes.colour != b.attributes.colour


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_fills_its_box(shape):
    thing = Thing(Attributes(shape, "white", "plain"), (20.0, 30.0, 80.0, 110.0))
    (left, top, _, _), shape, _ = coverage(thing, 128)
    mask = shape >= 0.5
    xs, ys = np.flatnonzero(mask.any(0)) + left, np.flatnonzero(mask.any(1)) + top
    assert box_iou((xs[0], ys[0], xs[-1] + 1, ys[-1] + 1), thing.box) > 0.93


def test_what_comes_later_covers_what_was_there():
    below = Thing(Attributes("square", "red", "plain"), (10.0, 10.0, 60.0, 60.0))
    above = Thing(Attributes("square", "blue", "plain"), (50.0, 50.0, 100.0, 100.0))
    picture = render(Scene((below, above), "plain", 0))
    red, blue = (np.array(COLOURS[name], np.int64) for name in ("red", "blue"))
    assert np.abs(picture[40, 40] - red).max() <= 1
    assert np.abs(picture[55, 55] - blue).max() <= 1 and np.abs(picture[90, 90] - blue).max() <= 1


def test_textures_show_two_tones():
    for texture in TEXTURES:
        picture = render(
            Scene(
                (Thing(Attributes("square", "white", texture), (20.0, 20.0, 100.0, 100.0), 0.8, (0.1, 0.2)),),
                "plain",
                0,
            )
        )
        inside = picture[25:95, 25:95].max(-1)
        assert (inside < 140).mean() == pytest.approx(
            {"plain": 0.0, "striped": 0.46, "dotted": 0.28}[texture], abs=0.06
        )


def test_captions_name_every_attribute_in_known_words():
    rng = np.random.default_rng(0)
    for scene in SCENES:
        text = global_caption(scene, rng)
        words = text.replace(",", " ").replace(".", " ").split()
        assert set(words) <= set(WORDS)
        for thing in scene.things:
            a = thing.attributes
            textures = TEXTURE_WORDS[a.texture] + TEXTURE_NOUNS.get(a.texture, ())
            for choices in (SHAPE_WORDS[a.shape], COLOUR_WORDS[a.colour], textures):
                assert set(words) & set(choices)


def test_captions_vary_in_order_and_words():
    rng = np.random.default_rng(0)
    texts = {instance_caption(Attributes("circle", "red", "striped"), rng) for _ in range(200)}
    assert len(texts) > 20
    assert instance_caption(Attributes("circle", "red", "striped")) == "a red striped circle"


def test_boxes_are_normalised():
    assert all(0 <= side <= 1 for scene in SCENES for box in normalised_boxes(scene) for side in box)
    assert len(COLOURS) >= 7 and len(SHAPES) >= 6 and len(TEXTURES) == 3
