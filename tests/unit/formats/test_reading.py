"""What four numbers mean: order and unit.

Decided by what the boxes of a source hold together, said, or chosen by a person.
"""

from __future__ import annotations

import pytest

from roictrl_core import formats
from roictrl_core.formats.reading import (
    AUTO,
    CXCYWH,
    ORDERS,
    PERCENT,
    PIXELS,
    SHARES,
    THOUSANDTHS,
    UNITS,
    XYWH,
    XYXY,
    YXYX,
    ReadAs,
)
from roictrl_core.notes import sentences

DOG, CAT = (0.1, 0.2, 0.4, 0.6), (0.6, 0.2, 0.9, 0.8)


def read(source, width=640, height=480, **how):
    layout, notes = formats.read(source, width, height, **how)
    return [instance.box for instance in layout.instances], sentences(notes)


def numbers(box, order, unit, width=640, height=480):
    """The box as its four numbers in an order and a unit."""
    x1, y1, x2, y2 = box
    across, down = {PIXELS: (width, height), SHARES: (1, 1), THOUSANDTHS: (1000, 1000), PERCENT: (100, 100)}[unit]
    x1, x2, y1, y2 = x1 * across, x2 * across, y1 * down, y2 * down
    return {
        XYXY: [x1, y1, x2, y2],
        XYWH: [x1, y1, x2 - x1, y2 - y1],
        YXYX: [y1, x1, y2, x2],
        CXCYWH: [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1],
    }[order]


def said(order, unit):
    return (
        f"The boxes were read as {order} "
        + {PIXELS: "in pixels", SHARES: "normalised 0 to 1", PERCENT: "in percent"}[unit]
    )


@pytest.mark.parametrize(
    "order, unit", [(XYXY, PIXELS), (XYXY, SHARES), (XYXY, PERCENT), (XYWH, PIXELS), (CXCYWH, SHARES)]
)
@pytest.mark.parametrize(
    "form",
    [
        lambda rows: rows,
        lambda rows: [{"bbox": row, "label": "dog", "score": 0.9} for row in rows],
        lambda rows: {"boxes": rows, "labels": ["dog", "cat"]},
    ],
    ids=["list", "objects", "side by side"],
)
def test_two_boxes_are_read_as_what_they_can_only_be(order, unit, form):
    boxes, notes = read(form([numbers(CAT, order, unit), numbers(DOG, order, unit)]))
    assert boxes == [pytest.approx(CAT), pytest.approx(DOG)]
    assert [note for note in notes if note.startswith(said(order, unit))]


@pytest.mark.parametrize(
    "source, expected, sentence",
    [
        (
            [{"label": "dog", "score": 0.9, "bbox": [40, 200, 230, 460]}],
            (40 / 640, 200 / 480, 230 / 640, 460 / 480),
            said(XYXY, PIXELS),
        ),
        ([[0.1, 0.2, 1.0000001, 0.6]], (0.1, 0.2, 1, 0.6), said(XYXY, SHARES)),
        ([[-0.01, 0.2, 1.02, 0.6]], (0, 0.2, 1, 0.6), said(XYXY, SHARES)),
        ([[0, 0, 1, 1]], (0, 0, 1, 1), said(XYXY, SHARES)),
        (
            [{"x": 0.08, "y": 0.4, "width": 0.37, "height": 0.5, "label": "dog"}],
            (0.08, 0.4, 0.45, 0.9),
            said(XYWH, SHARES),
        ),
        ({"annos": [{"bbox": [0.1, 0.2, 0.3, 0.4]}], "width": 64, "height": 64}, DOG, said(XYWH, SHARES)),
        (
            {
                "images": [{"id": 1, "width": 640, "height": 480}],
                "annotations": [{"image_id": 1, "category_id": 1, "bbox": [0.1, 0.2, 0.3, 0.4]}],
            },
            DOG,
            said(XYWH, SHARES),
        ),
        ({"a park": {"a dog": [[64, 96, 256, 288]]}}, DOG, said(XYXY, PIXELS)),
        ([{"bbox": [0.2, 0.1, 0.6, 0.4], "desc": "a dog"}], DOG, said(YXYX, SHARES)),
        ("0 160 192 192 192", (64 / 640, 96 / 480, 256 / 640, 288 / 480), said(CXCYWH, PIXELS)),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_a_format_cannot_mean_is_not_assumed(source, expected, sentence):
    boxes, notes = read(source)
    assert boxes == [pytest.approx(expected)] and any(note.startswith(sentence) for note in notes), notes


@pytest.mark.parametrize(
    "source",
    [
        [{"x": 64, "y": 96, "width": 192, "height": 192}],
        [{"bbox": [200, 100, 600, 400], "desc": "a dog"}],
        {"annos": [{"bbox": [64, 96, 192, 192]}], "width": 640, "height": 480},
        {"a park": {"a dog": [list(DOG)]}},
        "0 0.25 0.4 0.3 0.4",
        {"annotations": [{"bbox": [64, 96, 192, 192], "bbox_mode": 1, "label": "dog"}]},
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_a_format_says_itself_is_not_said_again(source):
    boxes, notes = read(source, names="dog")
    assert boxes == [pytest.approx(DOG)] and notes == []


@pytest.mark.parametrize(
    "source, sentence",
    [
        ([[5, 30, 45, 90]], "All boxes lie in the first 100 pixels of 640 x 480. If their numbers are percent"),
        (
            [{"x": 5, "y": 10, "width": 60, "height": 80}, {"x": 50, "y": 5, "width": 40, "height": 70}],
            "All boxes lie in the first 100 pixels",
        ),
        (
            [[100, 200, 900, 1000], [1000, 200, 1500, 900]],
            "The boxes reach to 1500, 1000, far beyond the picture of 640 x 480 pixels.",
        ),
        (
            [{"x": 700, "y": 500, "width": 300, "height": 300}],
            "The boxes reach to 1000, 800, far beyond the picture of 640 x 480 pixels.",
        ),
    ],
    ids=lambda value: str(value)[:30],
)
def test_doubts_about_pixels_are_said(source, sentence):
    _, notes = read(source)
    assert any(note.startswith(sentence) for note in notes), notes


def test_a_box_over_the_border_alone_raises_no_doubt():
    assert read([{"x": 600, "y": 0, "width": 60, "height": 48}])[1] == [
        "Box 1 reaches over the picture's border and was cut there."
    ]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("unit", UNITS)
def test_a_person_chooses(order, unit):
    how = ReadAs(order, unit)
    rows = [numbers(DOG, order, unit)]
    for source in (
        rows,
        [{"bbox": rows[0], "label": "dog"}],
        {"boxes": rows, "labels": ["dog"]},
        [{"bbox": rows[0], "desc": "a dog"}],
        [dict(zip(("x", "y", "width", "height"), rows[0], strict=True))],
    ):
        boxes, notes = read(source, read_as=how)
        assert boxes == [pytest.approx(DOG)] and not any("assumed" in note for note in notes)


def test_half_a_choice_leaves_the_other_half_to_the_numbers():
    for how, row in (
        (ReadAs(unit=PERCENT), numbers(DOG, XYXY, PERCENT)),
        (ReadAs(order=CXCYWH), numbers(DOG, CXCYWH, PIXELS)),
        (ReadAs(unit=PIXELS), numbers(CAT, XYWH, PIXELS)),
    ):
        boxes, notes = read([row], read_as=how)
        assert boxes == [pytest.approx(CAT if how.unit == PIXELS else DOG)] and any(
            "which was assumed" in note for note in notes
        )


@pytest.mark.parametrize(
    "source",
    [
        {"imageWidth": 8, "imageHeight": 8, "shapes": [{"points": [[1, 1], [2, 2], [1, 2]]}]},
        [{"rect": [0, 90, 0, 90]}, {"rect": [0, 45, 0, 45]}],
    ],
    ids=["labelme", "omost"],
)
def test_a_choice_that_a_format_has_no_use_for_is_said(source):
    assert (
        "This format itself says what its numbers mean, so box_order and box_unit were not used."
        in read(source, read_as=ReadAs(XYXY))[1]
    )


def test_our_own_layouts_have_no_use_for_a_choice_and_need_none():
    text = '{"instances": [{"box": [0.1, 0.2, 0.4, 0.6]}]}'
    assert read(text, read_as=ReadAs(YXYX, PERCENT)) == ([DOG], [])


@pytest.mark.parametrize(
    "how, sentence",
    [
        (ReadAs("xy"), "There is no order of a box's numbers 'xy'. Use one of: auto; x1, y1, x2, y2; "),
        (
            ReadAs(AUTO, 7),
            "There is no unit of a box's numbers '7'. Use one of: auto; pixels; 0 to 1; 0 to 1000; percent.",
        ),
    ],
)
def test_another_choice_is_refused(how, sentence):
    with pytest.raises(ValueError, match=sentence):
        read([list(DOG)], read_as=how)


@pytest.mark.parametrize(
    "source",
    [[[1, 2, 30, 40]], [{"bbox": [1, 2, 30, 40], "label": "dog"}], "0 160 192 192 192"],
    ids=lambda value: str(value)[:30],
)
def test_pixels_need_the_pictures_size(source):
    with pytest.raises(ValueError, match="gives boxes in pixels, but not the picture's size. Give width and height."):
        read(source, 0, 0)


def test_numbers_at_the_end_of_what_a_float_holds_are_boxes_like_any_other():
    for order in ORDERS:
        boxes, notes = read([[-1e308, -1e308, 1e308, 1e308], [1e308] * 4], read_as=ReadAs(order, SHARES))
        assert all(0 <= value <= 1 for box in boxes for value in box) and notes


# --- formats of pixels whose numbers are none ---


def cvat(inner):
    return f'<annotations><image name="a" width="640" height="480">{inner}</image></annotations>'


def voc(*values):
    sides = "".join(
        f"<{side}>{value}</{side}>" for side, value in zip(("xmin", "ymin", "xmax", "ymax"), values, strict=True)
    )
    size = "<size><width>640</width><height>480</height></size>"
    return f"<annotation>{size}<object><name>fox</name><bndbox>{sides}</bndbox></object></annotation>"


def labelme(*points, kind="rectangle"):
    shape = {"label": "fox", "shape_type": kind, "points": points}
    return {"shapes": [shape], "imageWidth": 640, "imageHeight": 480}


BOX = (0.1, 0.2, 0.5, 0.6)
IN_SHARES = {
    "labelme": labelme([0.1, 0.2], [0.5, 0.6]),
    "labelme polygon": labelme([0.1, 0.2], [0.5, 0.2], [0.3, 0.6], kind="polygon"),
    "labelme line": labelme([0.1, 0.2], [0.5, 0.6], kind="line"),
    "cvat": cvat('<box label="fox" xtl=".1" ytl=".2" xbr=".5" ybr=".6"/>'),
    "cvat polygon": cvat('<polygon label="fox" points=".1,.2;.5,.2;.3,.6"/>'),
    "cvat ellipse": cvat('<ellipse label="fox" cx=".3" cy=".4" rx=".2" ry=".2"/>'),
    "cvat video": "<annotations><meta><original_size><width>640</width><height>480</height></original_size></meta>"
    '<track label="fox"><box frame="0" xtl=".1" ytl=".2" xbr=".5" ybr=".6"/></track></annotations>',
    "voc": voc(".1", ".2", ".5", ".6"),
    "tracking": {"fox": {"1": [None, [0.1, 0.2, 0.5, 0.6, 640, 480]]}},
}


@pytest.mark.parametrize("name", IN_SHARES)
def test_shares_in_a_format_of_pixels_are_shares(name):
    pick = {"pick": "2"} if name == "tracking" else {}
    found, notes = read(IN_SHARES[name], 0 if name == "tracking" else 640, **pick)
    assert found == [pytest.approx(BOX, abs=2e-3)] and notes[0].startswith("All numbers lie between 0 and 1"), notes
    found, notes = read(IN_SHARES[name], **pick, read_as=ReadAs(AUTO, SHARES))
    assert found == [pytest.approx(BOX, abs=2e-3)] and not any("box_unit" in note for note in notes)


@pytest.mark.parametrize("name", ["labelme", "cvat", "voc", "tracking"])
def test_a_chosen_unit_is_honoured_by_formats_of_pixels(name):
    pick = {"pick": "2"} if name == "tracking" else {}
    found, notes = read(IN_SHARES[name], **pick, read_as=ReadAs(AUTO, PIXELS))
    assert all(box[2] < 0.01 for box in found) and not any("box_unit" in note for note in notes)


def test_percent_and_thousandths_may_be_chosen_for_formats_of_pixels():
    assert read(labelme([10, 20], [50, 60]), read_as=ReadAs(AUTO, PERCENT))[0] == [pytest.approx(BOX)]
    assert read(voc(100, 200, 500, 600), read_as=ReadAs(AUTO, THOUSANDTHS))[0] == [pytest.approx(BOX)]


def test_a_chosen_order_is_said_to_be_of_no_use_in_formats_of_pixels():
    found, notes = read(labelme([0.1, 0.2], [0.5, 0.6]), read_as=ReadAs(XYWH, SHARES))
    assert found == [pytest.approx(BOX)]
    assert notes == ["This format itself says in which order its numbers stand, so box_order was not used."]
    assert read(labelme([64, 96], [320, 288]), read_as=ReadAs(XYWH, AUTO))[1] == [
        "This format itself says what its numbers mean, so box_order and box_unit were not used."
    ]


def test_one_pixel_in_the_corner_stays_one():
    assert read(labelme([0, 0], [1, 1])) == ([pytest.approx((0, 0, 1 / 640, 1 / 480))], [])
    assert read(voc(1, 1, 1, 1)) == ([pytest.approx((0, 0, 1 / 640, 1 / 480))], [])


def caption(*rows):
    return {
        "compositional_deconstruction": {"background": "x", "elements": [{"bbox": row, "desc": "fox"} for row in rows]}
    }


def test_a_structured_captions_boxes_may_be_shares():
    found, notes = read(caption([0.2, 0.1, 0.6, 0.5]))
    assert found == [pytest.approx(BOX)] and any(note.startswith(said(YXYX, SHARES)) for note in notes)
    assert read(caption([200, 100, 600, 500]))[0] == [pytest.approx(BOX)]
    found, _ = read(caption([0.2, 0.1, 0.6, 0.5]), read_as=ReadAs(AUTO, SHARES))
    assert found == [pytest.approx(BOX)]
    assert read(caption([96, 64, 288, 320]), read_as=ReadAs(AUTO, PIXELS))[0] == [pytest.approx(BOX)]


# --- COCO as other tools write it ---


def coco(annotation, **image):
    return {
        "images": [{"id": 1, "width": 640, "height": 480, **image}],
        "annotations": [{"image_id": 1, "category_id": 1, "bbox": [64, 96, 256, 192], **annotation}],
        "categories": [{"id": 1, "name": "fox"}],
    }


@pytest.mark.parametrize(
    "source",
    [
        coco({}, width=0, height=0),
        coco({}, width="640", height="480"),
        coco({"image_id": 1.0, "category_id": 1.0}),
        coco({"image_id": "1"}, id=1.0),
    ],
    ids=["no size", "size as text", "float ids", "text and float ids"],
)
def test_coco_with_sizes_and_ids_of_other_kinds(source):
    layout, notes = formats.read(source, 640, 480)
    assert (layout.width, layout.height, notes) == (640, 480, []) and layout.instances[0].caption == "fox"
    assert layout.instances[0].box == pytest.approx(BOX)


def test_other_formats_of_unknown_size_take_the_given_one_too():
    assert read({**labelme([64, 96], [320, 288]), "imageWidth": 0, "imageHeight": 0}) == ([pytest.approx(BOX)], [])
    with pytest.raises(ValueError, match="has the size 0 x 0"):
        read({**labelme([64, 96], [320, 288]), "imageWidth": 0, "imageHeight": 0}, 0, 0)


def test_cocos_outlines_have_the_unit_of_its_boxes():
    layout, notes = formats.read(
        coco({"bbox": [0.1, 0.2, 0.4, 0.4], "segmentation": [[0.1, 0.2, 0.5, 0.2, 0.5, 0.6, 0.1, 0.6]]}), 640, 480
    )
    assert layout.instances[0].box == pytest.approx(BOX) and sentences(notes)[0].startswith(said(XYWH, SHARES))
    assert layout.instances[0].mask.to_array().sum() == 256 * 192


def test_instance_diffusions_points_and_scribbles_have_the_unit_of_its_boxes():
    shape = [[0.1, 0.2], [0.5, 0.6]]
    annos = [{"bbox": [0.1, 0.2, 0.4, 0.4], "point": [0.3, 0.4], "scribble": shape}, {"scribble": shape}]
    layout, notes = formats.read({"width": 640, "height": 480, "annos": annos})
    first, second = layout.instances
    assert first.box == second.box == pytest.approx(BOX) and first.point == pytest.approx((0.3, 0.4))
    assert first.scribble == second.scribble == ((pytest.approx((0.1, 0.2)), pytest.approx((0.5, 0.6))),)
    assert [note[:50] for note in sentences(notes)] == [said(XYWH, SHARES)[:50]]
    alone, notes = formats.read({"width": 640, "height": 480, "annos": annos[1:]}, read_as=ReadAs(AUTO, SHARES))
    assert alone.instances[0].box == pytest.approx(BOX)
