"""Several values in one text, between sentences, broken ones among them.

All are read, or what is left out is named by its line.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress

import pytest

from roictrl_core import formats
from roictrl_core.formats.told import BROKEN, as_json, values_in
from roictrl_core.notes import sentences

CAT = '{"box_2d":[100,200,300,400],"label":"cat"}'
DOG = '{"box_2d":[500,500,900,900],"label":"dog"}'
PRETTY = [json.dumps(json.loads(box), indent=2) for box in (CAT, DOG)]
LAYOUT = json.dumps({"instances": [{"box": [0, 0, 1, 1], "caption": "a fox"}]})
FENCE = "```"


def read(text, **how):
    layout, notes = formats.read(text, 512, 512, **how)
    return [instance.caption for instance in layout.instances], sentences(notes)


def left_out(*lines) -> list[str]:
    return [
        f"What begins in line {line} of the text cannot be read and was left out. "
        "Correct it if it is meant to hold boxes."
        for line in lines
    ]


@pytest.mark.parametrize(
    "text",
    [
        f"{FENCE}json\n[{CAT}]\n{FENCE}\nand\n{FENCE}json\n[{DOG}]\n{FENCE}",
        f"[{CAT}]\n[{DOG}]",
        f"First picture: [{CAT}]\nSecond picture: [{DOG}]",
        f"- {CAT}\n- {DOG}",
        f"1. {CAT}\n2. {DOG}",
        f"{CAT} {DOG}",
        f"{CAT}\r{DOG}\r",
        "\n".join(PRETTY),
        f"Here:\n{CAT}\n{DOG}",
        f"Here's the first: {PRETTY[0]} and here's \"the\" second: {PRETTY[1]}",
        f"{CAT}\n{DOG}\nThat is all.",
        f"{FENCE}\n{CAT}  // cat\n{DOG}  // dog\n{FENCE}",
        f"[{CAT},{DOG},]",
        f"[{CAT}, /* a comment */ {DOG}] # the end",
        f"[[{CAT}, {DOG}]]",
        f"[{CAT}] []\n[{DOG}]",
    ],
    ids=lambda text: text[:25],
)
def test_all_values_are_read(text):
    captions, notes = read(text)
    assert captions == ["cat", "dog"] and notes == []


@pytest.mark.parametrize("text", ["[10, 20, 300, 400]\n[20, 20, 300, 400]\n", "[10,20,300,400],\n[-0.5,20,300,400]"])
def test_a_row_of_numbers_each_line(text):
    assert read(text)[0] == ["", ""]


@pytest.mark.parametrize(
    "text, lines",
    [
        (f'{CAT}\n{{"box_2d":[1,2,\n{DOG}', [2]),
        (f'{CAT}\n{{"box_2d":[1,2,3,4],"label":"c}}\n{DOG}', [2]),
        (f'{CAT}\n{{"box_2d":[1,2,3,4],"label": }}\n{DOG}', [2]),
        (f'{CAT}\n{{"box_2d":[1,2,3,4}},\n{{"a": [1\n{DOG}', [2, 3]),
        (f'{CAT}\n\n{DOG}\n{{"box_2d":[1,2', [4]),
        (f'{FENCE}\n{CAT}\n{{"box_2d": [\n{DOG}\n{FENCE}', [3]),
        (f'Format: {{"box_2d": [ymin, xmin, ymax, xmax], "label": text}}\n\n[{CAT},{DOG}]', [1]),
        (f"The answer is a list [{{...}}] as asked:\n[{CAT},{DOG}]", [1]),
        (f'{FENCE}\n[{{"box_2d": [1,\n{FENCE}\n{FENCE}\n{CAT}\n{DOG}\n{FENCE}', [2]),
        (f"{FENCE}\nx: [1\n{FENCE}\nand\n{FENCE}\n[{CAT}, {DOG}]\n{FENCE}", [2]),
        (f'{CAT}\n"box_2d":[1,2,3,4],"label":"c"}}\n{DOG}}}', [2]),
        (f'[{{"a": "b", "a": "c"}}]\n[{CAT},{DOG}]', [1]),
        (f'Boxes:\n{{"box_2d": [\n  1,\n  2\n[{CAT},{DOG}]', [2]),
    ],
    ids=lambda value: value[:25] if isinstance(value, str) else None,
)
def test_what_is_broken_is_named_by_its_line_and_costs_nothing_else(text, lines):
    assert read(text) == (["cat", "dog"], left_out(*lines))


@pytest.mark.parametrize("before", ["", "Here:\n", f"{FENCE}json\n"])
@pytest.mark.parametrize("cut", ["", f",\n{CAT[:20]}"])
@pytest.mark.parametrize("indent", ["", "\n  "])
def test_a_list_that_is_cut_off_is_read_as_far_as_it_is_whole(before, cut, indent):
    captions, notes = read(f"{before}[{indent}{CAT},\n{indent[1:]}{DOG}{cut}\n")
    line = 1 + before.count("\n")
    assert captions == ["cat", "dog"] and notes[0].startswith(
        f"The list that begins in line {line} of the text has no end."
    )
    assert notes[1:] == (left_out(line + 2 + indent.count("\n")) if cut else [])


def test_an_object_that_is_cut_off_is_refused():
    """What is whole in it would be read as something else: annotations of COCO without their categories."""
    with pytest.raises(ValueError, match="is not valid JSON"):
        read(json.dumps({"annotations": [{"image_id": 1, "bbox": [0, 0, 9, 9]}] * 2, "images": []}, indent=1)[:-9])


@pytest.mark.parametrize(
    "text, line",
    [
        (f'{FENCE}python\nimport json\nprint(boxes[0], {{"a": 1}})\n{FENCE}\n{FENCE}json\n[{CAT},{DOG}]\n{FENCE}', 3),
        (f'<think>I see {{"a": 1}}</think>\n[{CAT},{DOG}]', 1),
        (f"[{CAT},{DOG}]\n\n{LAYOUT}", 3),
        (f'{FENCE}json\n{{"a": 1}}\n{FENCE}\nIt should be\n[{CAT},{DOG}]', 2),
    ],
    ids=["python", "think", "another kind", "outside the fence"],
)
def test_the_first_value_that_holds_boxes_is_the_one(text, line):
    captions, notes = read(text)
    assert captions == ["cat", "dog"]
    assert notes == [
        f"What begins in line {line} of the text does not belong to the boxes that were read and was left out. "
        "Give it by itself if its boxes are meant."
    ]


def test_what_cannot_be_joined_is_the_first_and_the_rest_is_named():
    assert (
        len(read(f"{LAYOUT}\n{LAYOUT}")[0]) == 1 and "begins in line 2 of the text" in read(f"{LAYOUT}\n{LAYOUT}")[1][0]
    )
    captions, notes = read(f"{FENCE}\n{LAYOUT}\n{FENCE}\nor\n\n{FENCE}\n{LAYOUT}\n{FENCE}")
    assert captions == ["a fox"] and "begins in line 7 of the text" in notes[0]


@pytest.mark.parametrize("around", ["Here they are:\n{}", "{}\nThat is all.", "I'd say:\n\n{}\n\nIt's all."])
@pytest.mark.parametrize("name", ["simpletuner.bbox", "migc.yaml", "cvat_images.xml", "voc.xml", "gemini.json"])
def test_files_between_sentences(root, name, around):
    text = (root / "tests" / "unit" / "data" / "formats" / name).read_text(encoding="utf-8")
    assert formats.read(around.format(text), 512, 512)[0] == formats.read(text, 512, 512)[0]
    assert formats.read(text, 512, 512)[0].instances


@pytest.mark.parametrize("end", ["\r\n", "\r"])
@pytest.mark.parametrize("fence", ["", FENCE])
def test_yaml_with_other_line_ends(root, end, fence):
    text = (root / "tests" / "unit" / "data" / "formats" / "migc.yaml").read_text(encoding="utf-8")
    other = (f"{fence}yaml\n{text}{fence}\n" if fence else text).replace("\n", end)
    assert formats.read(other, 512, 512)[0] == formats.read(text, 512, 512)[0]


# --- as Python prints it ---


@pytest.mark.parametrize("before", ["", "Sure! ", "Boxes: "])
@pytest.mark.parametrize(
    "data",
    [
        {"box_2d": [1, 2, 300, 400], "label": "cat"},
        [{"box_2d": [1, 2, 300, 400], "label": "cat"}],
        [{"box_2d": [1, 2, 300, 400], "label": "cat's toy"}],
        [{"box_2d": (1, 2, 300, 400), "label": 'a "b" [of] it\'s', "ok": True, "no": None}],
        [{"box_2d": [1, 2, 300, 400], "label": '\x7f\xa0 tab\t \\ \U000e0001 \u2028 🦊 5" {'}],
    ],
    ids=["object", "list", "apostrophe", "both", "escapes"],
)
def test_what_python_prints(data, before):
    assert read(before + repr(data))[0] == [(data if isinstance(data, dict) else data[0])["label"]]


@pytest.mark.parametrize(
    "text, value",
    [
        ("{'a': None, 'b': (True, False), 1: 'x'}", {"a": None, "b": [True, False], "1": "x"}),
        ('["a // b", "# c", "/* d */", ",]", "None"]', ["a // b", "# c", "/* d */", ",]", "None"]),
        ("[1, 2, // three\n]", [1, 2]),
        ("[np.float32(0.5), numpy.int64(2)]", [0.5, 2]),
        (r"""['\x41\'\"\n\u00e9\U0001F98A', "\x41'"]""", ["A'\"\né🦊", "A'"]),
    ],
)
def test_loose_json(text, value):
    assert json.loads(as_json(text)) == value


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "[x for x in 'a']",
        "['a' 'b']",
        "[1 + 1]",
        "[1",
        "{'a', 'b'}",
        "['\\U99999999']",
    ],
)
def test_no_other_python_is_json(text):
    with pytest.raises(ValueError):
        json.loads(as_json(text))


# --- work ---


@pytest.mark.parametrize(
    "unit",
    [
        "{",
        "[{",
        '{"',
        "{'",
        "['a',",
        '[{"a":\n',
        '{"a":1}',
        '{"a":x}\n',
        "[{'a'}]",
        '"\\',
        "'\\",
        ",'",
        "{/*",
        "[{},",
        "(",
        "]}",
        "{1:",
        "}",
        "}\n",
        "[{\n",
    ],
)
def test_any_text_is_searched_in_linear_time(unit):
    text = "a " + unit * (2**18 // len(unit))
    began = time.process_time()
    with suppress(ValueError):  # which they may be too many for
        values_in(text)
    as_json(text)
    assert time.process_time() - began < 10


def test_values_keep_their_lines():
    found = values_in('a\n{"b": [\n1]} [{}]\n\n{"c": ')
    assert [(told.line, told.value) for told in found] == [(2, {"b": [1]}), (3, [{}]), (5, BROKEN)]


def test_a_broken_line_of_a_large_file_costs_that_line(monkeypatch):
    lines = [CAT] * 9000
    lines[4321] = CAT[:20]
    captions, notes = read("\n".join(lines))
    assert len(captions) == 8999 and notes == left_out(4322)


def test_fences_are_counted():
    with pytest.raises(ValueError, match="more than 1000 pieces between fences"):
        read(f"{FENCE}\na\n{FENCE}\n" * 1001)


# --- the names of classes ---


@pytest.mark.parametrize(
    "names",
    [
        "\ufeffcat\r\ndog",
        "cat\rdog\r",
        '["cat", "dog"]',
        '{"0": "cat", "1": "dog"}',
        '{"names": ["cat", "dog"]}',
        "{0: 'cat', 1: 'dog'}",
        "cat, dog",
        "0: cat\n1: dog",
        "\ufeffpath: x\r\nnames:\r\n- cat\r\n- dog\r\n",
        "names:\n  0: cat\n  1: dog",
    ],
)
def test_class_names_in_many_forms(names):
    assert read("0 0.5 0.5 0.2 0.2\n1 0.5 0.5 0.2 0.2", names=names) == (["cat", "dog"], [])


@pytest.mark.parametrize(
    "names, sentence",
    [
        (
            "cat\0",
            "The list of names is a binary file, or a damaged text: the character with the code 0 stands at line 1",
        ),
        ("cat\ndog".encode("utf-16-le").decode(), "The list of names is text in UTF-16"),
        ('["cat"', "The list of names is not valid JSON: .* at line 1"),
        ('{"a": "cat"}', "must be a list, or a mapping from class numbers to names"),
    ],
)
def test_class_names_that_are_none(names, sentence):
    with pytest.raises(ValueError, match=sentence):
        read("0 0.5 0.5 0.2 0.2", names=names)


def test_class_names_in_another_encoding_are_said():
    captions, notes = read("0 0.5 0.5 0.2 0.2", names="caf\ufffd\nna\ufffdve")
    assert captions == ["caf\ufffd"] and notes[0].startswith("The class names are not UTF-8: 2 of their characters")


def test_lists_that_may_correct_each_other_are_joined_and_said():
    draft = '[{"label": "dog", "box": [1, 2, 300, 40]}, {"label": "cat", "box": [5, 2, 300, 40]}]'
    layout, notes = formats.read(f"Draft:\n```json\n{draft}\n```\nFinal:\n```json\n{draft}\n```", 640, 480)
    assert len(layout.instances) == 4
    assert any(note.sentence().startswith("The text holds 2 lists of boxes, which were read as one.") for note in notes)
