"""YOLO's lines: what stands after the class is told by what it would mean, over all lines, and said."""

from __future__ import annotations

import numpy as np
import pytest

from roictrl_core import formats
from roictrl_core.layout import Instance, Layout
from roictrl_core.notes import sentences

BOX = "center x, center y, width, height"
WITH_BOX = "0 0.5 0.5 0.2 0.4"


def read(text, **how):
    layout, notes = formats.read(text, 64, 64, names="fox\nowl", **how)
    return layout.instances, sentences(notes)


def columns(text):
    """What is said of the columns."""
    return [
        note.split("were read as class, ")[1].split(", which was")[0]
        for note in read(text)[1]
        if "were read as class" in note
    ]


def pose(rng, count, seen=None, tail=""):
    """A line of a box around keypoints, with a third number of each from ``seen``."""
    middle, side = rng.uniform(0.3, 0.7, 2), rng.uniform(0.2, 0.4, 2)
    points = middle + side * rng.uniform(-0.5, 0.5, (count, 2))
    third = (lambda: "") if seen is None else (lambda: f" {seen()}")
    return (
        " ".join(["0", *(f"{v:.6f}" for v in (*middle, *side)), *(f"{x:.6f} {y:.6f}{third()}" for x, y in points)])
        + tail
    )


def polygon(rng, count=None, tail=""):
    angles = np.sort(rng.uniform(0, 2 * np.pi, count or rng.integers(5, 40)))
    points = rng.uniform(0.3, 0.7, 2) + rng.uniform(0.05, 0.25, 2) * np.stack([np.cos(angles), np.sin(angles)], 1)
    return " ".join(["1", *(f"{x:.6f} {y:.6f}" for x, y in points)]) + tail


@pytest.mark.parametrize(
    "text, said, imported",
    [
        (WITH_BOX, [], {}),
        (f"{WITH_BOX} 0.91", [f"{BOX}, score"], {"score": 0.91}),
        (f"{WITH_BOX} 1", [f"{BOX}, score"], {"score": 1}),
        (f"{WITH_BOX} 7\n0 0.3 0.3 0.2 0.2 1", [f"{BOX}, track id"], {"track_id": 7}),
        (f"{WITH_BOX} 0.91 1", [f"{BOX}, score, track id"], {"score": 0.91, "track_id": 1}),
        (
            "16 0.2637 0.6445 0.3711 0.5078 0.91 3\n15 0.7617 0.6641 0.3516 0.5078 0.88 4",
            [f"{BOX}, score, track id"],
            {"score": 0.91, "track_id": 3},
        ),
        (f"{WITH_BOX} 0.5 0.5 2", [f"{BOX}, 1 keypoints of x, y, visibility"], {"keypoints": [[0.5, 0.5, 2]]}),
        ("0.000000e+00 5.0e-01 5.0e-01 2.0e-01 4.0e-01", [], {}),
        ("0,0.5,0.5,0.2,0.4", [], {}),
        (f"# class cx cy w h\n{WITH_BOX}", [], {}),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else None,
)
def test_boxes_with_what_trackers_and_detectors_add(text, said, imported):
    instances, _ = read(text)
    if text.startswith("16"):
        assert instances[0].box == pytest.approx((0.07815, 0.3906, 0.44925, 0.8984))
    else:
        assert instances[0].box == pytest.approx((0.4, 0.3, 0.6, 0.7))
    assert columns(text) == said and instances[0].extra.get("imported", {}) == imported and instances[0].mask is None


KINDS = {
    "17 keypoints of x, y": lambda rng: pose(rng, 17),
    "17 keypoints of x, y, visibility": lambda rng: pose(rng, 17, lambda: rng.integers(0, 3)),
    "17 keypoints of x, y, score": lambda rng: pose(rng, 17, lambda: f"{rng.uniform():.4f}"),
    "17 keypoints of x, y, score, score": lambda rng: pose(rng, 17, lambda: f"{rng.uniform():.4f}", " 0.87"),
    "17 keypoints of x, y, score, score, track id": lambda rng: pose(
        rng, 17, lambda: f"{rng.uniform():.4f}", " 0.87 3"
    ),
    "21 keypoints of x, y, track id": lambda rng: pose(rng, 21, tail=" 12"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lines", [1, 3])
def test_keypoints_after_the_box(kind, lines):
    for seed in range(20):
        text = "\n".join(KINDS[kind](np.random.default_rng([seed, i])) for i in range(lines))
        instances, _ = read(text)
        assert columns(text) == [f"{BOX}, {kind}"] and all(instance.mask is None for instance in instances)
        cx, cy, w, h = (float(word) for word in text.split()[1:5])
        assert instances[0].box == pytest.approx((cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2))


@pytest.mark.parametrize(
    "tail, said",
    [
        ("", "x1, y1, x2, y2, x3, y3, ..."),
        (" 0.9", "x1, y1, x2, y2, x3, y3, ..., score"),
        (" 0.9 7", "x1, y1, x2, y2, x3, y3, ..., score, track id"),
    ],
)
def test_polygons(tail, said):
    for seed in range(20):
        text = "\n".join(polygon(np.random.default_rng([seed, i]), tail=tail) for i in range(5))
        instances, _ = read(text)
        assert all(instance.mask is not None and instance.caption == "owl" for instance in instances)
        assert columns(text) in ([said], [])


def test_a_few_of_many_polygons_that_look_like_keypoints_are_still_polygons():
    text = "\n".join(polygon(np.random.default_rng(seed)) for seed in range(100))
    instances, notes = read(text)
    assert len(instances) == 100 and all(instance.mask is not None for instance in instances)


def test_half_hidden_people_are_read_as_those_in_full_sight():
    """Points that were not seen are 0, 0, and the rest does not fill its box."""
    rng = np.random.default_rng(0)
    whole = [pose(rng, 17) for _ in range(4)]
    half = ["0 0.5 0.5 0.4 0.4 " + " ".join("0.35 0.35" if i < 4 else "0 0" for i in range(17))]
    instances, _ = read("\n".join(whole + half))
    assert (
        instances[4].box == pytest.approx((0.3, 0.3, 0.7, 0.7))
        and len(instances[4].extra["imported"]["keypoints"]) == 17
    )


def test_boxes_and_polygons_in_one_file():
    instances, _ = read(f"{WITH_BOX}\n1 0.1 0.1 0.5 0.1 0.3 0.6")
    assert (
        instances[0].mask is None
        and instances[1].mask is not None
        and instances[1].box == pytest.approx((0.1, 0.1, 0.5, 0.6))
    )


def test_polygons_in_pixels():
    instances, notes = read("1 6.4 6.4 32 6.4 19.2 38.4")
    assert instances[0].box == pytest.approx((0.1, 0.1, 0.5, 0.6)) and instances[
        0
    ].mask.to_array().sum() == pytest.approx(25.6 * 32 / 2, rel=0.05)
    assert any("x1, y1, x2, y2 in pixels" in note for note in notes)


@pytest.mark.parametrize(
    "text, sentence, left",
    [
        (f"{WITH_BOX}\n0 nan 0.5 0.2 0.2", "Line 2 has 'nan' where a finite number must be and was left out.", 1),
        (f"0 nan 0.5 0.2 0.2\n{WITH_BOX}", "Line 1 has 'nan' where a finite number must be and was left out.", 1),
        ("0 nan 0.5 0.2 0.2", "Line 1 has 'nan' where a finite number must be and was left out.", 0),
        (f"{WITH_BOX}\n0 0.5 1e999 0.2 0.2", "Line 2 has '1e999' where a finite number must be", 1),
        (f"{WITH_BOX}\n0 0.5 half 0.2 0.2", "Line 2 has 'half' where a finite number must be", 1),
        (f"0 0.5 half 0.2 0.2\n{WITH_BOX}", "Line 1 has 'half' where a finite number must be", 1),
        (
            f"{WITH_BOX}\nfox 0.5 0.5 0.2 0.2",
            "Line 2 is neither 'class cx cy w h', with a score, a track id or keypoints after it, nor",
            1,
        ),
        (f"{WITH_BOX}\n-1 0.5 0.5 0.2 0.2", "Line 2 is neither", 1),
        (f"{WITH_BOX}\n0 0.5 0.5", "Line 2 is neither", 1),
        (f"{WITH_BOX}\n1 0.5 0.5 0.2 0.2 0.5 -3 9", "Line 2 ('owl') is neither", 1),
        (f"{WITH_BOX}\n1 0.5 0.5 0.2 0.2 7.5", "Line 2 ('owl') is neither", 1),
    ],
    ids=lambda value: value[-24:] if isinstance(value, str) else None,
)
def test_unusable_lines_are_named(text, sentence, left):
    instances, notes = read(text)
    assert any(note.startswith(sentence) for note in notes), notes
    assert len(instances) == left


# --- a score and a track's id after a polygon, of which the id is mostly 1 ---

TURNED = "0 .1 .1 .5 .1 .5 .4 .1 .4"  # a box that is turned, by no degrees
SEGMENT = "0 .1 .1 .5 .1 .3 .5"


@pytest.mark.parametrize(
    "text",
    [
        f"{TURNED} .88 1",
        f"{TURNED} .88 1.0",
        f"{TURNED} .88 1\n{TURNED} .91 2",
        f"{TURNED} .91 2\n{TURNED} .88 1\n{TURNED} .88 1",
        f"{TURNED} .88 1\n1 .2 .3 .4 .5 .6 .2 .7 .7 .91 2",
        f"{SEGMENT} .88 1\n1 .2 .3 .4 .5 .6 .2 .7 .7 .91 2",
        f"{SEGMENT} .88 1",
        "0 .3 .2 .45 .05 .6 .2 .45 .35 .88 1",
        "0 6.4 6.4 32 6.4 32 25.6 6.4 25.6 .88 1",
    ],
)
def test_a_score_and_an_id_after_a_polygon(text):
    instances, notes = read(text)
    imported = [instance.extra["imported"] for instance in instances]
    assert {"score": 0.88, "track_id": 1} in imported and all(
        entry.keys() == {"score", "track_id"} for entry in imported
    )
    assert columns(text) == ["x1, y1, x2, y2, x3, y3, ..., score, track id"]
    if text.startswith("0 .1 .1") and ".5 .4" in text:
        assert instances[0].box == pytest.approx((0.1, 0.1, 0.5, 0.4))


def test_dense_outlines_with_a_score_and_the_id_1():
    for seed in range(60):
        rng = np.random.default_rng(seed)
        instances, _ = read(polygon(rng, int(rng.integers(8, 60)), f" {rng.uniform(0, 0.25):.4f} 1"))
        assert instances[0].extra["imported"]["track_id"] == 1 and instances[0].box[3] < 1


@pytest.mark.parametrize(
    "text",
    [
        "0 .2 .5 .8 .5 .8 1 .2 1",
        "0 .1 .1 .5 .1 .5 .9 .1 1",
        "0 .2 .5 .4 .3 .8 .5 .8 1 .5 .9 .2 1",
        f"{SEGMENT} .28 .8\n{SEGMENT} .28 1",  # the first ends in no id
        "0 .1 .1 .5 .1 .5 .4 .1 .4 .05 0",
    ],
)
def test_a_point_at_the_border_is_no_id(text):
    instances, _ = read(text)
    assert all("imported" not in instance.extra for instance in instances) and columns(text) in (
        [],
        ["x1, y1, x2, y2, x3, y3, ..."],
    )


def test_an_id_may_be_written_as_a_float():
    instances, _ = read("0 .5 .5 .2 .2 .9 1.0")
    assert instances[0].box == pytest.approx((0.4, 0.4, 0.6, 0.6))
    assert instances[0].extra["imported"] == {"score": 0.9, "track_id": 1} and instances[0].mask is None


# --- keypoints that were not found; few keypoints, well inside their box ---


@pytest.mark.parametrize("missing", ["0 0 0", "-1 -1 -1", "0 0", "-1 -1", "0 0 0.0"])
@pytest.mark.parametrize("beside", [0, 2])
def test_a_box_without_one_keypoint_found_is_a_box(missing, beside):
    rng = np.random.default_rng(3)
    third = None if len(missing.split()) == 2 else lambda: rng.integers(1, 3)
    good = [pose(rng, 17, third) for _ in range(beside)]
    instances, notes = read("\n".join([*good, f"{WITH_BOX} " + " ".join([missing] * 17)]))
    assert (
        len(instances) == 1 + beside
        and instances[-1].box == pytest.approx((0.4, 0.3, 0.6, 0.7))
        and instances[-1].mask is None
    )
    if beside:
        assert len(instances[-1].extra["imported"]["keypoints"]) == 17


FACE = "0 .5 .5 .2 .3 .46 .45 .54 .45 .5 .5 .47 .57 .53 .57"


@pytest.mark.parametrize(
    "lines",
    [
        [FACE],
        [FACE] * 3,
        [
            FACE,
            "0 .3 .3 .1 .14 .28 .27 .32 .27 .3 .3 .285 .33 .315 .33",
            "0 .7 .4 .12 .16 .68 .37 .72 .37 .7 .4 .68 .43 .72 .43",
        ],
    ],
    ids=len,
)
def test_landmarks_of_a_face_lie_inside_its_box(lines):
    instances, _ = read("\n".join(lines))
    assert instances[0].box == pytest.approx((0.4, 0.35, 0.6, 0.65))
    assert all(instance.mask is None and len(instance.extra["imported"]["keypoints"]) == 5 for instance in instances)


def test_small_outlines_around_the_middle_are_no_landmarks():
    for seed in range(200):
        rng = np.random.default_rng(seed)
        angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(6, 12)))
        points = rng.uniform(0.4, 0.6, 2) + rng.uniform(0.03, 0.12) * np.stack([np.cos(angles), np.sin(angles)], 1)
        assert read("1 " + " ".join(f"{x:.4f} {y:.4f}" for x, y in points))[0][0].mask is not None


# --- MOT files, whose lines look like YOLO's with commas ---

ANNOTATED = "1,1,6.4,12.8,32,25.6,1,1,1\n1,2,0,0,32,32,1,0,0.5\n2,1,9,9,9,9,1,1,1"
TRACKED = "1,1,6.4,12.8,32,25.6,0.9,-1,-1,-1\n2,1,9,9,9,9,1,-1,-1,-1"
FOUND = "3,-1,6.4,12.8,32,25.6,67.5,-1,-1,-1\n4,-1,9,9,9,9,8.5,-1,-1,-1"


@pytest.mark.parametrize(
    "text, captions, imported",
    [
        (ANNOTATED, ["owl", "fox"], {"track_id": 1}),
        (TRACKED, [""], {"track_id": 1, "score": 0.9}),
        (FOUND, [""], {}),
        (TRACKED.replace(",-1,-1,-1", ""), [""], {"track_id": 1, "score": 0.9}),
    ],
    ids=["annotated", "tracked", "found", "short"],
)
def test_a_mot_file_is_read_frame_by_frame(text, captions, imported):
    instances, notes = read(text)
    assert instances[0].box == pytest.approx((0.1, 0.2, 0.6, 0.6)) and instances[0].mask is None
    assert [instance.caption for instance in instances] == captions
    assert instances[0].extra.get("imported", {}) == imported
    assert len(notes) == 1 and notes[0].startswith("There are 2 frames here; the first, 'frame ")
    instances, notes = read(text, pick="2")
    assert instances[0].box == pytest.approx((9 / 64, 9 / 64, 18 / 64, 18 / 64)) and notes == []


def test_broken_lines_of_a_mot_file_are_named():
    text = "\n".join([TRACKED.splitlines()[0]] * 5 + ["1,x,9"])
    instances, notes = read(text)
    assert len(instances) == 5 and notes[0].startswith("Line 6 is not the seven, nine or ten numbers of a MOT file")


@pytest.mark.parametrize(
    "text",
    [
        "0,0.1,0.1,0.5,0.1,0.5,0.4,0.1,0.4",
        "1,6,6,32,6,32,26,6,26",
        "0,0.5,0.5,0.2,0.4",
        "1,32,32,12,20,0.9,1",
        "1,9,9,32,9,20,32",
    ],
)
def test_yolos_lines_with_commas_stay_yolos(text):
    instances, notes = read(text)
    assert len(instances) == 1 and not any("MOT" in note or "frame" in note for note in notes)


@pytest.mark.parametrize(
    "line",
    [
        "0 0.2 0.6 0.5 0.55 0.8 0.6 0.5 1",
        "0 0.3 0.44 0.52 0.56 0.63 1 0.08 1",
        "0 0.2 0.6 0.5 0.5 0.8 0.6 0.9 0.9 0.5 1",
        "0 0.5 1 0.9 1 0.9 0.8 0.5 0.8 0.5 1",
    ],
)
def test_an_outline_that_ends_on_the_border_keeps_its_last_point(line):
    """Which could as well be a score and an id."""
    (instance,) = formats.read(line, 640, 480)[0].instances
    assert instance.box[3] == 1 and "imported" not in instance.extra


def test_names_that_were_written_are_read_back():
    for caption in ("a dog, red collar", "[sign] a dog", "{red} dog"):
        layout = Layout(instances=(Instance((0.1, 0.1, 0.5, 0.5), caption),))
        labels, names = formats.write(layout, "yolo")[0]
        assert formats.read(labels, names=names)[0].instances[0].caption == caption
