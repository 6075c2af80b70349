"""Texts that are much work for whoever is careless: deep, long, repetitive, nearly something.
Each of about `size` bytes."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator

FULL = 10 * 2**20 - 64  # just what a text may have

PICTURE = {"width": 1024, "height": 1024}


def monsters(size: int = FULL) -> Iterator[tuple[str, str]]:
    """Each monster's name and text."""
    for name, make in MONSTERS.items():
        yield name, make(size)


def repeated(unit: str, before: str = "", after: str = "", most: int | None = None) -> Callable[[int], str]:
    """``unit`` as often as fits, but ``most`` times; one that ends in a comma loses the last one."""

    def make(size: int) -> str:
        count = max(1, (size - len(before) - len(after)) // len(unit.encode("utf-8", "surrogatepass")))
        body = unit * (count if most is None else min(count, most))
        return before + (body[:-1] if unit.endswith(",") else body) + after

    return make


def numbered(
    entry: Callable[[int], object], around: Callable[[list], object] = lambda entries: entries, most: int = 10_000
) -> Callable[[int], str]:
    """JSON of as many entries as fit, but ``most``."""

    def make(size: int) -> str:
        entries, used = [], 0
        for i in range(most):
            used += len(json.dumps(entry(i))) + 2
            if used > size:
                break
            entries.append(entry(i))
        return json.dumps(around(entries))

    return make


def layout(**fields: object) -> Callable[[int], str]:
    """Our own form, with as many boxes as are read."""
    return numbered(
        lambda i: {"box": [i % 100 / 200, i // 100 / 200, i % 100 / 200 + 0.5, i // 100 / 200 + 0.5], **fields},
        lambda boxes: {**PICTURE, "instances": boxes},
    )


def coco(segmentation: Callable[[int], object], most: int = 10_000) -> Callable[[int], str]:
    """One image with annotations."""

    def around(annotations: list) -> dict:
        return {"images": [{"id": 1, **PICTURE}], "categories": [{"id": 1, "name": "fox"}], "annotations": annotations}

    return numbered(
        lambda i: {"image_id": 1, "category_id": 1, "bbox": [0, 0, 1024, 1024], "segmentation": segmentation(i)},
        around,
        most,
    )


def _zigzag(points: int) -> list[float]:
    return list(itertools.chain.from_iterable((1024 * (i % 2), i * 1024 / points) for i in range(points)))


SQUARE = [0, 0, 1024, 0, 1024, 1024, 0, 1024]
WHOLE = {"size": [8192, 8192], "counts": "0PPPPP2"}  # 2**26 pixels, all set

CVAT = '<annotations><image id="0" name="a" width="{0}" height="{0}">'

XML = {
    "CVAT boxes": repeated(
        '<box label="a" xtl="1" ytl="1" xbr="9" ybr="9"></box>', CVAT.format(512), "</image></annotations>", 10_000
    ),
    "CVAT masks": repeated(
        '<mask label="a" rle="1, 2, 1" left="8" top="16" width="2" height="2"></mask>',
        CVAT.format(8192),
        "</image></annotations>",
        10_000,
    ),
    "CVAT large masks": repeated(
        '<mask label="a" rle="0, 67108864" left="0" top="0" width="8192" height="8192"></mask>',
        CVAT.format(8192),
        "</image></annotations>",
        10_000,
    ),
    "CVAT polygons": repeated(
        '<polygon label="a" points="0,0;512,0;512,512"></polygon>', CVAT.format(512), "</image></annotations>", 10_000
    ),
    "CVAT ellipses": repeated(
        '<ellipse label="a" cx="256" cy="256" rx="200" ry="200"></ellipse>',
        CVAT.format(512),
        "</image></annotations>",
        10_000,
    ),
    "CVAT points": repeated(
        "1,1;", CVAT.format(512) + '<polygon label="a" points="', '1,1"></polygon></image></annotations>', 300_000
    ),
    "CVAT attributes": repeated(
        '<attribute name="a">b</attribute>',
        CVAT.format(512) + '<box label="a" xtl="1" ytl="1" xbr="9" ybr="9">',
        "</box></image></annotations>",
        90_000,
    ),
    "CVAT tracks": repeated(
        '<track label="a"><box frame="0" xtl="1" ytl="1" xbr="9" ybr="9"></box></track>',
        "<annotations><meta><original_size><width>64</width><height>64</height></original_size></meta>",
        "</annotations>",
        9_000,
    ),
    "CVAT frames": lambda size: (
        "<annotations><track>"
        + "".join(f'<box frame="{i}" xtl="1"></box>' for i in range(min(90_000, size // 40)))
        + "</track></annotations>"
    ),
    "VOC": repeated(
        "<object><name>a</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object>",
        "<annotation><size><width>64</width><height>64</height></size>",
        "</annotation>",
        10_000,
    ),
    "XML tags": repeated("<a/>", "<annotations>", "</annotations>"),
    "XML nesting": repeated("<a>", "<annotations>"),
    "XML text": repeated("x", "<annotations>", "</annotations>"),
    "XML attributes": lambda size: (
        "<annotations " + " ".join(f'a{i}="1"' for i in range(min(290_000, size // 12))) + "/>"
    ),
    "XML comment": repeated("- ", "<annotations><!--", "--></annotations>"),
}

MONSTERS: dict[str, Callable[[int], str]] = {
    # JSON as such
    "empty lists": repeated("[],", "[", "]"),
    "empty lists, as many as are parsed": repeated("[],", "[", "]", 299_999),
    "empty objects": repeated("{},", "[", "]", 299_999),
    "objects": repeated('{"a":1.5},', "[", "]", 299_999),
    "pairs": repeated("[1.5,2.5],", "[", "]", 299_999),
    "numbers": repeated("0.1234,", "[", "]", 1_199_999),
    "small numbers": repeated("1e-300,", "[", "]", 1_199_999),
    "boxes": repeated("[0.1,0.2,0.3,0.4],", "[", "]", 299_999),
    "strings": repeated('"ab",', "[", "]", 399_999),
    "one long string": repeated("x", '["', '"]'),
    "escapes": repeated("\\n", '["', '"]'),
    "escaped quotes": repeated('\\"', '["', '"]'),
    "escaped quotes without end": repeated('\\"', '["'),
    "surrogates": repeated("\\ud83d", '["', '"]'),
    "quotes": repeated('"'),
    "backslashes": repeated("\\", '["'),
    "opened": repeated("["),
    "opened objects": repeated('{"a":'),
    "digits": repeated("1", "[", "]"),
    "decimals": repeated("0", "[0.", "1]"),
    "blank": repeated(" ", "[", "]"),
    "line ends": repeated("\n", "[", "]"),
    "a long key": repeated("k", '{"', '": 1}'),
    "keys": lambda size: json.dumps({f"key {i}": 1 for i in range(min(399_000, size // 20))}),
    "faces": repeated("\U0001f98a", '["', '"]'),
    # YAML, and what is nothing
    "a YAML map": lambda size: "".join(f"a{i}: 1\n" for i in range(min(10_000, size // 9))),
    "a large YAML map": lambda size: "".join(f"a{i}: 1\n" for i in range(size // 9)),
    "YAML sequences": repeated("-\n", most=10_000),
    "YAML pairs": repeated("a: b,", "x: [", "]", 10_000),
    "YAML dashes": repeated("- "),
    "YAML questions": repeated("?\n", most=10_000),
    "YAML anchors": repeated("&a a,", "x: [", "]", 10_000),
    "YAML words": repeated("a ", most=131_000),
    "YAML text": repeated("a\n", most=10_000),
    "YAML documents": repeated("---\n", most=10_000),
    "YAML comments": repeated("#\n", most=10_000),
    "YAML quoted": repeated("a\n", 'x: "', '"', 10_000),
    "prose": repeated("There is a fox here. "),
    "nulls": repeated("\x00"),
    "faces alone": repeated("\U0001f98a"),
    # YOLO
    "a line of numbers": lambda size: "0" + " 11" * min(60, size // 3) + " x",
    "a long line of numbers": repeated(" 11", "0"),
    "numbers of digits": repeated("1", "0 0.5 0.5 1 "),
    "YOLO boxes": repeated("0 0.5 0.5 0.5 0.5\n", most=10_000),
    "YOLO lines": repeated("0 0.5 0.5 0.5 0.5\n"),
    "YOLO blank lines": repeated("\n", "0 0.5 0.5 1 1", "0 0.5 0.5 1 1"),
    "YOLO triangles": repeated("0 0.1 0.1 0.9 0.1 0.9 0.9\n", most=10_000),
    "YOLO small triangles": repeated("0 0.1 0.1 0.15 0.1 0.15 0.15\n", most=10_000),
    "YOLO zigzags": lambda size: (
        ("0 " + " ".join(f"{i % 2} {i / 5000:.4f}" for i in range(5000)) + "\n") * max(1, size // 45_000)
    ),
    "YOLO long outlines": lambda size: (
        ("0 " + " ".join(f"{0.5 + i % 2 / 2000:.4f} {i / 9000:.4f}" for i in range(9000)) + "\n")
        * max(1, size // 126_000)
    ),
    "YOLO bad lines": repeated("0 0.5 0.5 nan 0.5\n", "0 0.5 0.5 1 1\n", most=9_999),
    # the formats' own fields
    "a layout": layout(caption="a fox"),
    "a layout of one caption each": numbered(
        lambda i: {"box": [0, 0, 1, 1], "caption": f"{'a fox ' * 20}{i}"}, lambda boxes: {"instances": boxes}
    ),
    "a layout of bad boxes": numbered(
        lambda i: {"box": [2, 2, 1, 1], "caption": "a fox"}, lambda boxes: {"instances": boxes}
    ),
    "a layout of large masks": layout(mask=WHOLE),
    "a layout of small masks": layout(mask={"size": [8, 8], "counts": "1" * 2 + "n1"}),
    "a layout of strokes": numbered(
        lambda i: {"box": [0, 0, 1, 1], "scribble": [[[0.5, 0.5]] * 2000]}, lambda boxes: {"instances": boxes}, 70
    ),
    "a layout with a long caption": repeated("a fox ", '{"instances": [{"box": [0, 0, 1, 1], "caption": "', '"}]}'),
    "a layout with a bad size": repeated(
        "1,", '{"instances": [{"box": [0,0,1,1], "mask": {"counts": "1", "size": [', "]}}]}", 1_199_990
    ),
    "a layout with much in imported": repeated(
        "[1],", '{"instances": [{"box": [0,0,1,1], "imported": {"text": [', "]}}]}", 200_000
    ),
    "a mask of noise": lambda size: json.dumps(
        {
            "instances": [
                {
                    "box": [0, 0, 1, 1],
                    "mask": {"size": [1, min(size, 2**21)], "counts": "111".ljust(min(size, 2**21), "0")},
                }
            ]
        }
    ),
    "a mask of runs": repeated(
        "1,",
        '{"images":[{"id":1,"width":8,"height":8}],'
        '"annotations":[{"image_id":1,"bbox":[0,0,8,8],"segmentation":{"size":[1024,1024],"counts":[',
        "]}}]}",
        1_048_577,
    ),
    "COCO polygons in one": coco(lambda i: [SQUARE] * 20_000, 1),
    "COCO small polygons in one": coco(
        lambda i: [[x % 1024, x // 64, x % 1024 + 2, x // 64, x % 1024, x // 64 + 2] for x in range(0, 65_536, 4)], 1
    ),
    "COCO polygons": coco(lambda i: [SQUARE]),
    "COCO zigzags": coco(lambda i: [_zigzag(2000)], 100),
    "COCO other images": numbered(
        lambda i: {"image_id": 2, "bbox": [0, 0, 9, 9]},
        lambda entries: {"images": [{"id": 1, **PICTURE}], "annotations": entries},
        90_000,
    ),
    "COCO images": numbered(
        lambda i: {"id": i, "file_name": f"{i}.png", **PICTURE},
        lambda entries: {"images": entries, "annotations": []},
        90_000,
    ),
    "MIG-Bench lists": repeated("[],", '{"a photo": {"a fox": [', "]}}", 299_000),
    "MIG-Bench prompts": lambda size: json.dumps(
        {f"prompt {i}": {"a fox": [[0, 0, 1, 1]]} for i in range(min(70_000, size // 45))}
    ),
    "Omost": numbered(
        lambda i: {"rect": [0, 90, 0, 90], "prefixes": [f"prefix {i}"], "suffixes": ["a", "b"], "color": [1, 2, 3]}
    ),
    "Omost prefixes": lambda size: json.dumps(
        [{"rect": [0, 90, 0, 90], "prefixes": [f"prefix {i}" for i in range(min(3000, size // 40))]}] * 70
    ),
    "elements": numbered(lambda i: {"bbox": [0, 0, 500, 500], "desc": f"element {i}", "type": "text", "text": "OPEN"}),
    "elements at the end of numbers": numbered(lambda i: {"bbox": [-1e308, -1e308, 1e308, 1e308], "desc": "far"}),
    "frames": lambda size: json.dumps([[{"x": 0, "y": 0, "width": 9, "height": 9}]] * min(9_000, size // 50)),
    "annos": numbered(
        lambda i: {"bbox": [0, 0, 9, 9], "caption": f"anno {i}", "point": [3, 3]},
        lambda entries: {**PICTURE, "annos": entries},
    ),
    **XML,
    # answers of models, detectors, labelling tools, data sets
    "Gemini": numbered(lambda i: {"box_2d": [0, 0, 500, 500], "label": f"thing {i}"}),
    "Gemini without boxes": repeated('{"box_2d":1},', "[", "]", 10_000),
    "Qwen": numbered(lambda i: {"bbox_2d": [0, 0, 500, 500], "point_2d": [5, 5], "label": f"thing {i}"}),
    "Florence-2": lambda size: json.dumps(
        {"<OD>": {"bboxes": [[1, 1, 9, 9]] * min(10_000, size // 20), "labels": ["a"] * min(10_000, size // 20)}}
    ),
    "Florence-2 tasks": lambda size: json.dumps(
        {f"<{i}>": {"bboxes": [], "labels": []} for i in range(min(50_000, size // 40))}
    ),
    "Florence-2 in lists": lambda size: "[" * 28 + '{"bboxes": [[1, 1, 9, 9]], "labels": ["a"]}' + "]" * 28,
    "Florence-2 in objects": lambda size: '{"<a>":' * 28 + '{"bboxes": [[1, 1, 9, 9]], "labels": ["a"]}' + "}" * 28,
    "detections": numbered(lambda i: {"label": f"thing {i}", "score": 0.5, "box": [1, 1, 9, 9]}),
    "detections side by side": lambda size: json.dumps(
        {"boxes": [[1, 1, 9, 9]] * min(10_000, size // 20), "scores": [0.5] * min(10_000, size // 20)}
    ),
    "detections with polygons": numbered(
        lambda i: {"label": "a", "bbox": [1, 1, 500, 500], "segmentation": [[1, 1, 500, 1, 500, 500]]}
    ),
    "detections of pictures": numbered(lambda i: [{"label": "a", "box": [1, 1, 9, 9]}], most=60_000),
    "detections of classes": lambda size: json.dumps(
        {f"thing {i}": [[1, 1, 9, 9]] for i in range(min(60_000, size // 30))}
    ),
    "rows of six": repeated("[1,1,9,9,0.5,0],", "[", "]", 10_000),
    "rows of any": repeated("[1,1,9,9,0.5,0.3],", "[", "]", 10_000),
    "JSON lines": repeated('{"label": "a fox", "bbox": [0.1, 0.2, 0.4, 0.6]}\n', most=10_000),
    "JSON lines with an error": repeated('{"label": "a fox", "bbox": [0.1, 0.2, 0.4, 0.6]}\n', "", "{x}\n"),
    "JSON and line ends": repeated("\n", "{}", "{}"),
    "Label Studio": numbered(
        lambda i: {
            "id": f"{i}",
            "original_width": 512,
            "original_height": 512,
            "from_name": "a",
            "value": {"x": 1, "y": 1, "width": 9, "height": 9, "rotation": 30, "rectanglelabels": ["a"]},
        }
    ),
    "Label Studio, one id": numbered(
        lambda i: {"id": "a", "original_width": 512, "original_height": 512, "from_name": "a", "value": {f"key {i}": 1}}
    ),
    "Label Studio tasks": numbered(
        lambda i: {"data": {"image": f"{i}.png"}, "annotations": [{"result": []}]}, most=60_000
    ),
    "Hugging Face rows": numbered(
        lambda i: {"width": 64, "height": 64, "objects": {"bbox": [[1, 1, 9, 9]], "category": [0]}}, most=40_000
    ),
    "a Hugging Face row": lambda size: json.dumps(
        {
            "width": 64,
            "height": 64,
            "objects": {"bbox": [[1, 1, 9, 9]] * min(10_000, size // 25), "category": [0] * min(10_000, size // 25)},
        }
    ),
    "TRACKING": lambda size: json.dumps(
        {"a": {f"{i}": [[1, 1, 9, 9, 64, 64]] for i in range(min(10_000, size // 40))}}
    ),
    "TRACKING frames": repeated("null,", '{"a": {"1": [[1, 1, 9, 9, 64, 64], ', "]}}", 1_100_000),
    "Ideogram": numbered(
        lambda i: {"type": "obj", "bbox": [0, 0, 500, 500], "desc": f"thing {i}"},
        lambda entries: {"compositional_deconstruction": {"background": "a", "elements": entries}},
    ),
    "Ideogram without places": numbered(
        lambda i: {"type": "obj", "desc": f"thing {i}"},
        lambda entries: {"compositional_deconstruction": {"background": "a", "elements": entries}},
    ),
    "COCO RLE lists": coco(lambda i: [WHOLE] * 20, 500),
    "fences": repeated("```\n", most=2_500_000),
    "fences of any length": lambda size: "\n".join("`" * (3 + i % 50) for i in range(size // 30)),
    "a fence": repeated("x\n", "```json\n"),
    "tildes": repeated("~"),
    "colons": repeated("a:", most=2000),
    "a sentence": repeated("{ ", "Here it is: ", most=100_000),
    "prose with digits": repeated("1", 'Here it is: {"a": ', most=100_000),
    "prose with lists": repeated("[ [", "Here: ", most=50_000),
    "told JSON": repeated('{"a":1} ', "Here: ", most=30_000),
    "told boxes": repeated('{"label": "a", "bbox": [0, 0, 1, 1]} ', "Here: ", most=7000),
    "told broken JSON": repeated("{'a':x}\n", "Here: ", most=30_000),
    "told JSON that is not closed": repeated('[{"a":\n', "Here: ", most=35_000),
    "told quotation marks": repeated('"\\', "Here: [{", most=130_000),
    "JSON lines with a broken one": repeated('{"label": "a fox", "bbox": [0.1, 0.2, 0.4, 0.6]}\n', "{x}\n", most=9_999),
    "fences of JSON": repeated('```\n{"label": "a", "bbox": [0, 0, 1, 1]}\n```\n', most=1000),
    "many fields": numbered(lambda i: {"label": "a", "box": [1, 1, 9, 9], **{f"k{k}": i for k in range(30)}}),
    "many lists side by side": lambda size: json.dumps(
        {
            "boxes": [[1, 1, 9, 9]] * min(9999, size // 400),
            **{f"k{k}": [0] * min(9999, size // 400) for k in range(115)},
        }
    ),
    "Python": repeated("{'a': [1, 2]},", "[", "]", 9_000),
    "labelme points": repeated(
        "[1,1],", '{"imageWidth": 64, "imageHeight": 64, "shapes": [{"label": "a", "points": [', "]}]}", 290_000
    ),
    "labelme group": numbered(
        lambda i: {"label": "a", "group_id": 1, "points": [[0, 0], [0, 64], [64, 64]]},
        lambda entries: {"imageWidth": 64, "imageHeight": 64, "shapes": entries},
    ),
    "YOLO poses": repeated("0 0.5 0.5 0.5 0.5" + " 0.5 0.5 2" * 17 + "\n", most=10_000),
    "YOLO tracks": repeated("0 0.5 0.5 0.5 0.5 0.9 3\n", most=7_000),
    "labelme": numbered(
        lambda i: {"label": "a", "shape_type": "polygon", "points": [[0, 0], [0, 1024], [1024, 1024]]},
        lambda entries: {"imageWidth": 1024, "imageHeight": 1024, "shapes": entries},
    ),
}
