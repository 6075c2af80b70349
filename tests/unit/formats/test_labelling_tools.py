"""Labelling tools' exports and structured captions.

Label Studio, CVAT, Pascal VOC, Ideogram; and XML from strangers.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roictrl_core import formats
from roictrl_core.formats import geometry
from roictrl_core.layout import Layout
from roictrl_core.notes import sentences

SAMPLES = Path(__file__).parents[1] / "data" / "formats"


def read(source, *args, **more) -> tuple[Layout, list[str]]:
    layout, notes = formats.read(source, *args, **more)
    assert all(note.endswith(".") for note in sentences(notes))
    return layout, sentences(notes)


def boxes(layout: Layout) -> list:
    return [pytest.approx(instance.box, abs=1e-6) for instance in layout.instances]


# --- Label Studio ---


def region(kind="rectanglelabels", size=(400, 200), **value):
    return {"type": kind, "from_name": "label", "original_width": size[0], "original_height": size[1], "value": value}


RECTANGLE = region(x=10, y=20, width=30, height=40, rotation=0, rectanglelabels=["fox", "red"])


@pytest.mark.parametrize(
    "source",
    [
        [RECTANGLE],
        RECTANGLE,
        {"result": [RECTANGLE]},
        [{"result": [RECTANGLE]}],
        {"data": {"image": "a.png"}, "annotations": [{"result": [RECTANGLE]}]},
        {"data": {}, "annotations": [], "predictions": [{"score": 0.9, "result": [RECTANGLE]}]},
        {
            "id": 3,
            "image": "a.png",
            "label": [
                {
                    "x": 10,
                    "y": 20,
                    "width": 30,
                    "height": 40,
                    "rotation": 0,
                    "rectanglelabels": ["fox", "red"],
                    "original_width": 400,
                    "original_height": 200,
                }
            ],
        },
    ],
    ids=["regions", "region", "annotation", "annotations", "task", "prediction", "JSON-MIN"],
)
def test_label_studio_in_all_its_exports(source):
    layout, notes = read(json.dumps(source), 0, 0)
    assert (layout.width, layout.height) == (400, 200) and notes == []
    assert layout.instances[0].box == pytest.approx((0.1, 0.2, 0.4, 0.6)) and layout.instances[0].caption == "fox, red"


def test_label_studio_tasks_are_picked_by_their_picture():
    tasks = [
        {"data": {"image": f"/data/{name}"}, "annotations": [{"result": [RECTANGLE] * count}]}
        for name, count in (("a.png", 1), ("b.png", 2))
    ]
    assert [len(read(tasks, pick=pick)[0].instances) for pick in ("", "2", "b.png")] == [1, 2, 2]
    assert read(tasks)[1] == [
        "There are 2 images here; the first, 'a.png', is used. Pick another by its name or its index."
    ]
    tasks[0]["annotations"] *= 2
    assert read(tasks, pick="1")[1] == ["There are 2 annotations of this picture here; the first is used."]


def test_label_studio_shapes():
    shapes = [
        region("ellipselabels", x=50, y=50, radiusX=10, radiusY=20, rotation=90, ellipselabels=["pond"]),
        region("keypointlabels", x=25, y=75, width=0.5, keypointlabels=["eye"]),
        region("rectangle", x=0, y=0, width=25, height=10, rotation=-30),
        region("choices", choices=["outdoors"]),
    ]
    layout, notes = read(shapes)
    turned, eye, sign = layout.instances
    assert turned.box == pytest.approx((0.4, 0.3, 0.6, 0.7), abs=0.01)  # 40 x 40 pixels of 400 x 200: a circle
    assert eye.point == (0.25, 0.75) and not eye.has_area
    # 100 x 20 pixels turned upwards by 30 degrees around the top left corner: most of it leaves the picture
    assert sign.box == pytest.approx((0, 0, (100 * 3**0.5 / 2 + 10) / 400, 20 * 3**0.5 / 2 / 200), abs=1e-6)
    assert sign.mask.area() == pytest.approx(20 * 20 * 3**0.5 / 2, rel=0.03)
    assert [note.split(" ")[0:2] for note in notes] == [
        ["Annotation", "1"],
        ["Annotation", "2"],
        ["Annotation", "3"],
        ["Annotation", "3"],
        ["Annotation", "4"],
    ]
    assert notes[-1] == "Annotation 4 is a 'choices', which is not read here, and was left out."


@pytest.mark.parametrize(
    "value, sentence",
    [
        ({"x": "1", "y": 2, "width": 3, "height": 4}, "has a box that is not 4 finite numbers"),
        ({"points": [[1, 2], [3], [4, 5]]}, "has no polygon of at least three x, y pairs"),
        ({"points": [[1, 2], [3, 4]]}, "has no polygon of at least three x, y pairs"),
        ({"x": 1e308, "y": 1e308, "width": 5, "height": 5, "rotation": 45}, "lies outside the picture"),
        ({"x": 101, "y": 5}, "lies outside the picture"),
        ({"format": "rle", "rle": [1, 2]}, "is painted with a brush"),
        ({}, "is a 'polygonlabels', which is not read here"),
    ],
)
def test_label_studio_names_what_it_leaves_out(value, sentence):
    layout, notes = read([RECTANGLE, region("polygonlabels", polygonlabels=["fox"], **value)])
    assert len(layout.instances) == 1 and any(
        note.startswith("Annotation 2 ('fox')") and sentence in note for note in notes
    ), notes


def test_label_studio_says_that_its_picture_is_turned():
    assert "The picture is turned by 90 degrees in Label Studio" in read([{**RECTANGLE, "image_rotation": 90}])[1][0]


# --- CVAT ---


def cvat(shape: str) -> str:
    return f'<annotations><image id="0" name="a.png" width="100" height="50">{shape}</image></annotations>'


def test_cvat_boxes_and_ellipses_turn():
    box, ellipse = (
        read(cvat(shape))[0].instances[0]
        for shape in (
            '<box label="a" xtl="40" ytl="20" xbr="60" ybr="30" rotation="90"/>',
            '<ellipse label="b" cx="50" cy="25" rx="20" ry="10"/>',
        )
    )
    assert box.box == pytest.approx((0.45, 0.3, 0.55, 0.7)) and ellipse.box == pytest.approx((0.3, 0.3, 0.7, 0.7))
    assert ellipse.mask.area() == pytest.approx(np.pi * 200, rel=0.03)
    assert read(cvat('<box label="a" xtl="40" ytl="20" xbr="60" ybr="30" rotation="90"/>'))[1] == [
        "Shape 1 ('a') is turned by 90 degrees; its mask is turned, and its box is the upright one around it."
    ]


def test_cvat_masks_strokes_and_order():
    layout, _ = read((SAMPLES / "cvat_images.xml").read_text())
    pond, path, eye, leaf, fox = layout.instances  # the fox has the highest z_order
    assert (
        leaf.mask.to_array()[16:18, 8:12].tolist() == [[False, True, True, False], [False, False, True, True]]
        and leaf.mask.area() == 4
    )
    assert path.scribble == (((0.0, 0.5), (0.5, 0.5)),) and eye.point == (0.25, 0.25)
    assert fox.extra == {"imported": {"attributes": {"pose": "sitting"}}} and layout.extra == {"file_name": "0007.png"}
    assert pond.mask.area() == 100 * 100


def test_cvat_masks_are_drawn_up_to_a_number_of_pixels():
    mask = '<mask label="a" left="0" top="0" width="8192" height="1024" rle="0, 8388608"/>'
    layout, notes = read(f'<annotations><image width="8192" height="8192">{mask * 100}</image></annotations>')
    assert [i.mask is not None for i in layout.instances] == [True, True] + [False] * 98 and len(notes) == 98
    assert notes[0] == (
        "Shape 3 ('a') has a mask that cannot be read; only its box is used. The masks of the file have more "
        "than 16777216 pixels together."
    )


def test_cvat_images_and_frames_are_picked():
    assert read((SAMPLES / "cvat_images.xml").read_text(), pick="0008.png")[0].instances == ()
    video = (SAMPLES / "cvat_video.xml").read_text()
    layout, notes = read(video, pick="frame 8")
    assert boxes(layout) == [(0.2, 0.2, 0.5, 0.6), (0.6, 0.2, 0.9, 0.6)] and notes == []
    layout, notes = read(video, pick="3")
    assert [i.caption for i in layout.instances] == ["blue owl"]
    assert notes == [
        "Track 2 ('blue owl') has no box of its own in this frame; the one of frame 8 is used.",
        "Objects that are not in this frame, and were left out: 1. Pick another frame by its index.",
    ]


@pytest.mark.parametrize(
    "shape, sentence, left",
    [
        (
            '<box label="a" xtl="1" ytl="nan" xbr="3" ybr="4"/>',
            "Shape 1 ('a') has a box that is not 4 finite numbers, but ['1', 'nan', '3', '4']",
            0,
        ),
        (
            '<box label="a" xtl="1_0" ytl="2" xbr="30" ybr="40"/>',
            "Shape 1 ('a') has a box that is not 4 finite numbers",
            0,
        ),
        ('<box label="a" xtl="1" ytl="2" ybr="4"/>', "Shape 1 ('a') has a box that is not 4 finite numbers", 0),
        (
            '<polygon label="a" points="1,2;3,4"/>',
            "Shape 1 ('a') has points that are not pairs of finite numbers, but '1,2;3,4'",
            0,
        ),
        ('<polygon label="a" points="1,2;3,4;5"/>', "Shape 1 ('a') has points that are not pairs", 0),
        ('<points label="a" points="1,2;3,4"/>', "Shape 1 ('a') is a 'set of 2 points', which is not read here", 0),
        ('<points label="a" points="1,200"/>', "Shape 1 ('a') has a point that is not x, y inside the picture", 0),
        (
            '<mask label="a" rle="1, 2" left="0" top="0" width="2" height="2"/>',
            "Shape 1 ('a') has a mask that cannot be read; only its box is used.",
            1,
        ),
        (
            '<mask label="a" rle="4" left="99" top="0" width="2" height="2"/>',
            "Shape 1 ('a') has a mask that cannot be read",
            1,
        ),
        (
            '<mask label="a" rle="x" left="0" top="0" width="2" height="2"/>',
            "Shape 1 ('a') has a mask that cannot be read",
            1,
        ),
        (
            '<mask label="a" rle="1" left="0" top="0" width="1e300" height="2"/>',
            "Shape 1 ('a') has a mask that cannot be read",
            1,
        ),
        ('<skeleton label="a"><points label="1" points="1,2"/></skeleton>', "Shape 1 ('a') is a 'skeleton'", 0),
        ('<tag label="good"/>', "Shape 1 ('good') is a 'tag'", 0),
        ("", "There are no boxes here.", 0),
    ],
)
def test_cvat_names_what_it_cannot_use(shape, sentence, left):
    layout, notes = read(cvat(shape))
    assert len(layout.instances) == left and any(note.startswith(sentence) for note in notes), notes


# --- Pascal VOC ---


def voc(objects: str, size: str = "<size><width>100</width><height>50</height></size>") -> str:
    return f"<annotation>{size}{objects}</annotation>"


def test_voc_keeps_the_file_and_its_flags():
    layout, _ = read((SAMPLES / "voc.xml").read_text())
    assert (layout.width, layout.height) == (512, 384) and layout.extra == {"file_name": "0007.png"}
    assert [i.extra for i in layout.instances] == [{"imported": {"pose": "Left", "difficult": "1"}}, {}]


def test_voc_that_counts_from_zero_is_said():
    layout, notes = read(
        voc(
            "<object><name>a</name>"
            "<bndbox><xmin>0</xmin><ymin>10</ymin><xmax>50</xmax><ymax>20</ymax></bndbox></object>"
        )
    )
    assert layout.instances[0].box == pytest.approx((0, 0.2, 0.5, 0.4))
    assert notes == [
        "The smallest number of a box is 0, so this Pascal VOC file was read as counting pixels from 0, not from 1."
    ]


BOX = "<bndbox><xmin>11</xmin><ymin>11</ymin><xmax>50</xmax><ymax>20</ymax></bndbox>"


@pytest.mark.parametrize(
    "text, sentence",
    [
        (
            voc("<object><name>a</name><robndbox><cx>5</cx></robndbox></object>"),
            "Object 1 ('a') is a 'robndbox', which is not read here",
        ),
        (
            voc("<object><name>a</name><bndbox><xmin>1</xmin></bndbox></object>"),
            "Object 1 ('a') has a box that is not 4 finite numbers",
        ),
        (
            voc(
                "<object><name>a</name>"
                "<bndbox><xmin>x</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></object>"
            ),
            "Object 1 ('a') has a box",
        ),
        (
            voc(
                "<object><name>a</name>"
                "<bndbox><xmin>9</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></object>"
            ),
            "Object 1 ('a') has no area",
        ),
    ],
)
def test_voc_names_what_it_cannot_use(text, sentence):
    layout, notes = read(text)
    assert layout.instances == () and notes[0].startswith(sentence)


def test_voc_sizes():
    unknown = "<size><width>0</width><height>0</height></size>"
    assert read(voc(f"<object>{BOX}</object>", unknown), 100, 50)[0].instances[0].box == pytest.approx(
        (0.1, 0.2, 0.5, 0.4)
    )
    with pytest.raises(ValueError, match="The Pascal VOC file gives boxes in pixels, but not the picture's size"):
        read(voc(f"<object>{BOX}</object>", unknown))
    with pytest.raises(ValueError, match="The Pascal VOC file has the size 'wide' x 50"):
        read(voc("", "<size><width>wide</width><height>50</height></size>"))


# --- XML of any kind ---

LAUGHS = '<!DOCTYPE a [<!ENTITY l "' + "ha" * 100 + '"><!ENTITY m "&l;&l;&l;">]><annotation>&m;</annotation>'


@pytest.mark.parametrize(
    "text, sentence",
    [
        (LAUGHS, "The text has a DOCTYPE"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><annotation/>', "The text has a DOCTYPE"),
        ("<!doctype html><html><body>hello</body></html>", "The text has a DOCTYPE, as web pages"),
        ("<html><body>hello</body></html>", "XML with the root 'html' is in no format that is known here"),
        ("<annotation>", "The text is not valid XML: no element found at line 1, column 13"),
        ("<annotation>\n<a></b></annotation>", "The text is not valid XML: mismatched tag at line 2, column 6"),
        ("<annotation>&lol;</annotation>", "The text is not valid XML: undefined entity"),
        ("<annotation>\0</annotation>", "This is a binary file, or a damaged text"),
        ("<annotation>\ud800</annotation>", "half a character"),
        ("<annotation>" * 40 + "</annotation>" * 40, "The XML is nested more than 32 levels deep"),
        ("<annotations>" + "<a/>" * 200_000 + "</annotations>", "The XML has 200002 tags; at most 200000 are read"),
        (
            "<annotations " + " ".join(f'a{i}=""' for i in range(300_001)) + "/>",
            "The XML has 300001 attributes; at most 300000 are read",
        ),
        (
            '<annotations><image points="' + "1,2;" * 300_001 + '"/></annotations>',
            "The XML has 600002 coordinates; at most 600000 are read",
        ),
        ("<annotations/>", "The CVAT file has neither images nor tracks"),
        ("<annotations><image>" + "<box/>" * 10_001 + "</image></annotations>", "gives boxes in pixels"),
        (
            '<annotations><image width="9" height="9">' + "<box/>" * 10_001 + "</image></annotations>",
            "10001 entries; at most 10000",
        ),
        (
            "<annotation><size><width>9</width><height>9</height></size>" + "<object/>" * 10_001 + "</annotation>",
            "10001 entries; at most 10000",
        ),
    ],
    ids=lambda value: value[:30],
)
def test_xml_is_refused_with_a_sentence(text, sentence):
    with pytest.raises(ValueError, match=sentence) as error:
        read(text)
    assert len(str(error.value)) < 400


def test_an_encoding_that_the_text_no_longer_has_is_passed_over():
    assert (
        len(
            read('<?xml version="1.0" encoding="utf-16"?>' + voc(f"<object><name>\u72d0</name>{BOX}</object>"))[
                0
            ].instances
        )
        == 1
    )


TREES = [ElementTree.fromstring(path.read_text()) for path in sorted(SAMPLES.glob("*.xml"))]
WORDS = st.one_of(
    st.sampled_from(["", "0", "-1", "1e308", "nan", "9" * 30, "1,2;3", "512"]),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=4),
)


def damage(tree: ElementTree.Element, draw) -> None:
    """Another word in one place of the tree, or a branch less, or one twice."""
    parents = [element for element in tree.iter() if len(element)]
    parent = draw(st.sampled_from(parents))
    child = draw(st.sampled_from(list(parent)))
    kind = draw(st.sampled_from(["text", "attribute", "remove", "twice", "tag"]))
    if kind == "text":
        child.text = draw(WORDS)
    elif kind == "attribute":
        child.set(draw(st.sampled_from([*child.keys(), "rotation"])), draw(WORDS))
    elif kind == "remove":
        parent.remove(child)
    elif kind == "twice":
        parent.append(copy.deepcopy(child))
    else:
        child.tag = draw(st.sampled_from([element.tag for element in tree.iter()]))


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_any_damage_of_xml_gives_a_layout_or_a_sentence(data):
    tree = copy.deepcopy(data.draw(st.sampled_from(TREES)))
    for _ in range(data.draw(st.integers(1, 3))):
        if len(tree):
            damage(tree, data.draw)
    try:
        layout, _ = read(
            ElementTree.tostring(tree, encoding="unicode"), 64, 64, pick=data.draw(st.sampled_from(["", "1", "x"]))
        )
    except ValueError as error:
        assert str(error).rstrip().endswith((".", "'")) and "\n" not in str(error)
        return
    assert layout.validate() and Layout.from_json(layout.to_json()) == layout


# --- structured captions ---

IDEOGRAM = json.loads((SAMPLES / "ideogram.json").read_text())


def test_an_ideogram_caption_comes_back_as_it_was():
    layout, _ = read(IDEOGRAM)
    written, notes = formats.write(layout, "ideogram")
    assert written == IDEOGRAM and notes == []
    assert list(written) == list(IDEOGRAM) and list(written["compositional_deconstruction"]["elements"][1]) == [
        "type",
        "bbox",
        "text",
        "desc",
        "color_palette",
    ]
    assert (
        read(Layout.from_json(layout.to_json()))[0] == layout
        and formats.write(Layout.from_json(layout.to_json()), "ideogram")[0] == written
    )
    assert formats.read({"json_prompt": IDEOGRAM})[0] == layout


def test_an_ideogram_caption_has_the_shape_of_its_ratio():
    assert (read(IDEOGRAM)[0].width, read(IDEOGRAM)[0].height) == (592, 440)
    assert read(IDEOGRAM, 1024, 768)[0].width == 1024
    notes = read(IDEOGRAM, 512, 512)[1]
    assert notes[0] == (
        "The caption is for a picture of 4:3, which is not the shape of 512 x 512; "
        "its boxes are stretched with the picture."
    )
    for ratio in ("1:0", "9999:1", "wide", 3, None, "16:9:1"):
        assert read({**IDEOGRAM, "aspect_ratio": ratio})[0].width == 512


def test_a_changed_global_caption_takes_the_place_of_the_words():
    layout = Layout.from_dict({**read(IDEOGRAM)[0].to_dict(), "caption": "two animals"})
    written, notes = formats.write(layout, "ideogram")
    assert (
        list(written) == ["high_level_description", "compositional_deconstruction"]
        and written["high_level_description"] == "two animals"
    )
    assert sentences(notes) == [
        'The layout says nothing about the background, which this caption must describe. Write it into "background".'
    ]


def test_a_plain_layout_becomes_an_ideogram_caption():
    layout = Layout.from_dict(
        {
            "instances": [
                {"box": [0.1, 0.2, 0.5, 0.5], "caption": "a fox", "color": "#e69f00"},
                {"box": [0, 0, 1, 1], "caption": "a sky"},
            ]
        }
    )
    written, _ = formats.write(layout, "ideogram")
    assert written == {
        "high_level_description": "a fox, a sky",
        "compositional_deconstruction": {
            "background": "",
            "elements": [
                {"type": "obj", "bbox": [200, 100, 500, 500], "desc": "a fox", "color_palette": ["#E69F00"]},
                {"type": "obj", "bbox": [0, 0, 1000, 1000], "desc": "a sky"},
            ],
        },
    }


@pytest.mark.parametrize(
    "kept", [3, [], {"elements": 3}, {"elements": [3]}, {"background": [], "style_description": 5}]
)
def test_whatever_a_layout_keeps_under_that_name_is_written(kept):
    layout = Layout.from_dict({"ideogram": kept, "instances": [{"box": [0, 0, 1, 1], "caption": "a fox"}]})
    written, _ = formats.write_text(layout, "ideogram")
    assert read(written)[0].instances[0].caption == "a fox"


@pytest.mark.parametrize(
    "elements, sentence",
    [
        (3, "list of elements must be a list"),
        ([3], "Element 1 has no box"),
        ([{"bbox": [1, 2, 3]}], "Element 1 has a box that"),
    ],
)
def test_broken_ideogram_captions(elements, sentence):
    data = {"compositional_deconstruction": {"elements": elements}}
    if elements == 3:
        with pytest.raises(ValueError, match=sentence):
            read(data)
    else:
        assert read(data)[1][0].startswith(sentence)


# --- what other files leave out ---


def test_a_list_beside_the_boxes_of_another_length_is_said():
    layout, notes = read({"objects": {"bbox": [[6, 6, 20, 20], [30, 30, 9, 9]], "category": ["fox"]}}, 64, 64)
    assert len(layout.instances) == 2
    assert notes == ["The list of category has 1 entry for 2 boxes and is not used."]


def test_a_row_without_objects_has_no_boxes():
    layout, notes = read([{"objects": {"bbox": [[6, 6, 20, 20]]}}, {"file_name": "b.png"}], 64, 64, pick="b.png")
    assert not layout.instances and notes == ["There are no boxes here."]


ANNOS = {"width": 100, "height": 200}


def test_a_scribble_without_a_box_gets_the_one_around_it():
    annos = [
        {"caption": "a fox", "scribble": [[10, 20], [50, 40], [30, 120]]},
        {"caption": "an owl", "bbox": [0, 0, 9, 9]},
    ]
    layout, notes = read({**ANNOS, "annos": annos})
    assert boxes(layout) == [(0.1, 0.1, 0.5, 0.6), (0, 0, 0.09, 0.045)] and notes == []
    assert len(layout.instances[0].scribble[0]) == 3


def test_a_level_scribble_without_a_box_is_a_line():
    layout, notes = read({**ANNOS, "annos": [{"caption": "a fox", "scribble": [[10, 20], [50, 20]]}]})
    assert layout.instances[0].point == pytest.approx((0.3, 0.1)) and layout.instances[0].scribble
    assert notes[0].startswith("Annotation 1 ('a fox') is an upright or level line")


def test_an_upright_labelme_line_is_called_one():
    shapes = [{"label": "pole", "shape_type": "line", "points": [[10, 20], [10, 60]]}]
    layout, notes = read({"imageWidth": 100, "imageHeight": 200, "shapes": shapes})
    assert layout.instances[0].point == pytest.approx((0.1, 0.2))
    assert [note[:41] for note in notes] == ["Shape 1 ('pole') is an upright or level l"]


@pytest.mark.parametrize("label, caption", [(7, "7"), (1.5, "1.5"), (True, ""), (None, "")])
def test_a_labelme_label_may_be_a_number(label, caption):
    shapes = [{"label": label, "shape_type": "rectangle", "points": [[10, 20], [50, 60]]}]
    assert read({"imageWidth": 100, "imageHeight": 200, "shapes": shapes})[0].instances[0].caption == caption


def test_a_processed_omost_canvas_is_one():
    conditions = json.loads((SAMPLES / "omost_conds.json").read_text(encoding="utf-8"))
    layout, notes = read({"initial_latent": None, "bag_of_conditions": conditions}, 64, 64)
    assert (layout, notes) == read(conditions, 64, 64) and len(layout.instances) > 0


# --- Label Studio: several pictures in a task, answers that do not count ---


def on(picture, x, **more):
    return {**region(x=x, y=20, width=30, height=40, rectanglelabels=["fox"]), "to_name": picture, **more}


@pytest.mark.parametrize(
    "regions, names",
    [
        ([on("left", 10), on("right", 50), on("left", 20)], ("left", "right")),
        (
            [on("pages", 10, item_index=0), on("pages", 50, item_index=1), on("pages", 20, item_index=0)],
            ("pages 1", "pages 2"),
        ),
    ],
    ids=["side by side", "pages"],
)
def test_of_several_pictures_in_a_task_one_is_read(regions, names):
    task = {"data": {"image": "a.png"}, "annotations": [{"result": regions}]}
    layout, notes = read(task)
    assert boxes(layout) == [(0.1, 0.2, 0.4, 0.6), (0.2, 0.2, 0.5, 0.6)]
    assert notes == [
        f"There are 2 images here; the first, '{names[0]}', is used. Pick another by its name or its index."
    ]
    for pick in ("2", names[1]):
        layout, notes = read([task], pick=pick)
        assert boxes(layout) == [(0.5, 0.2, 0.8, 0.6)] and notes == []
    layout, notes = read([task, task], pick="2")
    assert len(layout.instances) == 2
    assert notes == [f"The task has 2 images; the boxes of the first, '{names[0]}', are used."]
    assert boxes(read(regions, pick="2")[0]) == [(0.5, 0.2, 0.8, 0.6)]


def test_what_lies_on_no_picture_does_not_count():
    text = {"from_name": "note", "to_name": "text", "type": "textarea", "value": {"text": ["a note"], "labels": []}}
    layout, notes = read({"data": {"image": "a.png"}, "annotations": [{"result": [on("image", 10), text]}]})
    assert len(layout.instances) == 1 and not any("images here" in note for note in notes)


@pytest.mark.parametrize("pick", ["1", "a.png"])
def test_a_single_task_is_picked_by_its_picture(pick):
    task = {"data": {"image": "a.png"}, "annotations": [{"result": [RECTANGLE]}]}
    assert read(task, pick=pick)[1] == []
    with pytest.raises(ValueError, match="There is no image '5' here"):
        read(task, pick="5")


def test_cancelled_answers_are_said():
    task = {"data": {"image": "a.png"}, "annotations": [{"result": [RECTANGLE], "was_cancelled": True}]}
    layout, notes = read(task)
    assert not layout.instances
    assert notes == ["The annotations of this picture, 1 in number, were cancelled in Label Studio and were left out."]


# --- a pick where there is nothing to pick from ---

ONE = {"x": 8, "y": 8, "width": 16, "height": 16}


@pytest.mark.parametrize(
    "source",
    [
        [ONE],
        ONE,
        [[8, 8, 24, 24]],
        "0 .5 .5 .2 .2",
        {"bbox_2d": [8, 8, 24, 24], "label": "fox"},
        {"annos": [{"bbox": [8, 8, 16, 16]}]},
    ],
)
def test_a_pick_that_is_not_used_is_said(source):
    assert "There is only one set of boxes here, so the pick '5' was not used." in read(source, 64, 64, pick="5")[1]
    assert not any("pick" in note for note in read(source, 64, 64, pick="1")[1])


# --- more ellipses than can be drawn ---


def many(tool, count=4000):
    spots = [(10 + i % 80, 10 + i // 80) for i in range(count)]
    if tool == "cvat":
        shapes = "".join(f'<ellipse label="a" cx="{x}" cy="{y}" rx="5" ry="3" rotation="30"/>' for x, y in spots)
        return f'<annotations><image name="a" width="100" height="100">{shapes}</image></annotations>'
    value = {"radiusX": 5, "radiusY": 3, "rotation": 30, "ellipselabels": ["a"]}
    return [region("ellipselabels", (100, 100), x=x, y=y, **value) for x, y in spots]


@pytest.mark.parametrize("tool", ["cvat", "label studio"])
def test_of_ellipses_that_cannot_be_drawn_no_point_is_computed(tool, monkeypatch):
    drawn = []
    monkeypatch.setattr(geometry, "ellipse", lambda *how, ellipse=geometry.ellipse: drawn.append(1) or ellipse(*how))
    layout, notes = formats.read(many(tool))
    masks = sum(instance.mask is not None for instance in layout.instances)
    assert len(layout.instances) == 4000 and masks <= len(drawn) < 2500
    across, down = np.hypot(5 * np.cos(np.pi / 6), 3 / 2), np.hypot(5 / 2, 3 * np.cos(np.pi / 6))
    for instance, (x, y) in ((layout.instances[0], (10, 10)), (layout.instances[-1], (89, 59))):
        assert instance.box == pytest.approx(
            [(x - across) / 100, (y - down) / 100, (x + across) / 100, (y + down) / 100]
        )
    assert "read.turned" in [note.code for note in notes]
