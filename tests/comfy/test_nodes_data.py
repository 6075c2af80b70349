"""The nodes around layouts, through the real comfy_api: schema on this ComfyUI, and what execute returns."""

from __future__ import annotations

import json
from collections import namedtuple
from dataclasses import replace

import numpy as np
import pytest
import torch

LAYOUT = {
    "version": 1,
    "width": 64,
    "height": 64,
    "instances": [
        {"box": [0.0, 0.0, 0.5, 0.5], "caption": "a red fox", "label": "fox"},
        {"box": [0.5, 0.25, 1.0, 1.0], "caption": "a blue owl", "strength": 0.5, "negative": "blurry"},
    ],
}


@pytest.fixture(scope="module")
def node(pack):
    """A node class by its id."""
    found = {
        cls.GET_SCHEMA().node_id: cls
        for name in pack.module("nodes").MODULES
        for cls in pack.module(f"nodes.{name}").NODES
    }
    return found.__getitem__


@pytest.fixture(scope="module")
def layout(pack):
    return pack.module("roictrl_core.layout").Layout.from_dict(LAYOUT)


def run(cls, **inputs):
    """Outputs by display name, and the `ui`."""
    result = cls.EXECUTE_NORMALIZED(**inputs)
    ui = result.ui if isinstance(result.ui, dict) or result.ui is None else result.ui.as_dict()
    return dict(zip((output.display_name for output in cls.GET_SCHEMA().outputs), result.result, strict=True)), ui


def prompt(node, text="", **inputs):
    text = text if isinstance(text, str) else json.dumps(text)
    return run(node("ROICtrlInstanceBoxPrompt"), **{"width": 64, "height": 64, "layout": text, **inputs})


IDS = [
    "ROICtrlInstanceBoxPrompt",
    "ROICtrlPreviewLayout",
    "ROICtrlLayoutToPrompt",
    "ROICtrlMergeLayouts",
    "ROICtrlEditInstance",
    "ROICtrlLayoutInstance",
    "ROICtrlInstanceLoRA",
    "ROICtrlInstanceReference",
    "ROICtrlLayoutFromMasks",
    "ROICtrlExportLayout",
    "ROICtrlLayoutToMasks",
    "ROICtrlCropLayout",
    "ROICtrlTileLayout",
    "ROICtrlJoinTiles",
]


@pytest.mark.parametrize("node_id", IDS)
def test_schema_is_complete(node, root, node_id):
    schema = node(node_id).GET_SCHEMA()
    assert schema.category == "ROICtrl" and len(schema.description) > 20
    assert all(entry.tooltip for entry in [*schema.inputs, *schema.outputs])
    assert getattr(schema, "search_aliases", ["none known"])
    page = root / "web" / "docs" / f"{node_id}.md"
    assert all(entry.id in page.read_text(encoding="utf-8") for entry in schema.inputs)


def test_layout_widget_stays_a_string(node):
    """A private type would lose link validation and headless runs."""
    info = node("ROICtrlInstanceBoxPrompt").GET_NODE_INFO_V1()
    kind, options = info["input"]["required"]["layout"]
    assert kind == "STRING" and options["multiline"] and json.loads(options["default"])["instances"] == []
    assert info["input"]["required"]["width"][1]["step"] == 8


def test_prompt_outputs_agree(node):
    out, ui = prompt(node, LAYOUT)
    assert [i.caption for i in out["layout"].instances] == ["a red fox", "a blue owl"]
    first, second = out["bboxes"][0]
    assert (first["x"], first["y"], first["width"], first["height"]) == (0, 0, 32, 32)
    assert first["label"] == "fox" and second["metadata"]["desc"] == "a blue owl"
    assert (
        out["masks"].shape == (2, 64, 64) and out["masks"][1, 16:, 32:].min() == 1 and out["masks"][1].sum() == 48 * 32
    )
    assert out["preview"].shape == (1, 64, 64, 3) and out["preview"].min() >= 0 and out["preview"].max() <= 1
    assert (out["width"], out["height"]) == (64, 64)
    assert ui["roictrl"][0]["boxes"] is None and ui["roictrl"][0]["layout"]["instances"][1]["strength"] == 0.5


def test_prompt_of_the_whole_picture(node):
    """The layout's caption, else what Layout to Prompt writes of the captions by default."""
    muted = {**LAYOUT, "instances": [*LAYOUT["instances"], {"box": [0, 0, 1, 1], "caption": "a cat", "enabled": False}]}
    out, _ = prompt(node, muted)
    joined, _ = run(node("ROICtrlLayoutToPrompt"), layout=out["layout"])
    assert out["prompt"] == joined["prompt"] == "a red fox, a blue owl"
    assert prompt(node, {**LAYOUT, "caption": " a forest at night "})[0]["prompt"] == "a forest at night"
    assert prompt(node)[0]["prompt"] == ""


def test_prompt_keeps_boxes_when_the_size_changes(node):
    out, _ = prompt(node, LAYOUT, width=128, height=32)
    assert out["layout"].instances[0].box == (0, 0, 0.5, 0.5) and out["bboxes"][0][0]["width"] == 64
    assert out["masks"].shape == (2, 32, 128)


def test_prompt_takes_its_size_from_the_image(node):
    image = torch.rand(2, 40, 72, 4)
    out, _ = prompt(node, LAYOUT, image=image)
    assert (out["width"], out["height"]) == (72, 40) and out["preview"].shape == (1, 40, 72, 3)
    out, _ = prompt(node, LAYOUT, image=image, size_from_image=False)
    assert (out["layout"].width, out["layout"].height) == (64, 64)


def test_prompt_without_boxes_says_so(node, caplog):
    out, ui = prompt(node)
    assert out["layout"].instances == () and out["masks"].shape == (1, 64, 64) and not out["masks"].any()
    assert out["bboxes"] == [[]]
    assert "the picture will be the base model's" in ui["roictrl"][0]["notes"][-1]["text"]
    assert "Instance Box Prompt: No enabled box" in caplog.text


SEG = namedtuple(
    "SEG", "cropped_image cropped_mask confidence crop_region bbox label control_net_wrapper", defaults=[None]
)
MASK = torch.zeros(2, 64, 64)
MASK[0, :32, :32] = 1
MASK[1, 16:, 32:] = 1

INCOMING = {
    "BOUNDING_BOX, one": {"x": 0, "y": 0, "width": 32, "height": 32},
    "BOUNDING_BOX, list": [{"x": 0, "y": 0, "width": 32, "height": 32}],
    "BOUNDING_BOX, frames": [[{"x": 0, "y": 0, "width": 32, "height": 32, "label": "fox", "score": 0.5}]],
    "elements": [{"type": "obj", "bbox": [0, 0, 500, 500], "desc": "a red fox"}],
    "box list": [[0.0, 0.0, 0.5, 0.5]],
    "box list in pixels": [[0, 0, 32, 32]],
    "tensor of boxes": torch.tensor([[0.0, 0.0, 0.5, 0.5]]),
    "MASK": MASK,
    "SEGS": ((64, 64), [SEG(None, np.ones((40, 40), np.float32), 0.9, (0, 0, 40, 40), (0, 0, 32, 32), "fox")]),
    "JSON": json.dumps(LAYOUT),
    "YOLO": "0 0.25 0.25 0.5 0.5",
    "list of MASKs": [MASK[:1], MASK[1:]],
    "TRACKING": {"fox": {"1": [[0, 0, 32, 32, 64, 64], None]}},
    "Gemini": '[{"box_2d": [0, 0, 500, 500], "label": "a red fox"}]',
    "Ideogram": {
        "compositional_deconstruction": {
            "background": "",
            "elements": [{"type": "obj", "bbox": [0, 0, 500, 500], "desc": "a red fox"}],
        }
    },
    "Pascal VOC": "<annotation><size><width>64</width><height>64</height></size><object><name>fox</name>"
    "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>32</xmax><ymax>32</ymax></bndbox></object></annotation>",
}


@pytest.mark.parametrize("kind", INCOMING)
def test_prompt_reads_every_kind_of_boxes(node, kind):
    out, _ = prompt(node, boxes=INCOMING[kind])
    assert out["layout"].instances[0].box == pytest.approx((0, 0, 0.5, 0.5))
    assert len(out["layout"].instances) == len(out["masks"])


def test_prompt_prefers_what_is_drawn(node, layout):
    out, ui = prompt(node, LAYOUT, boxes=INCOMING["elements"])
    assert len(out["layout"].instances) == 2
    assert any("the drawn ones are used" in note["text"] for note in ui["roictrl"][0]["notes"])
    out, _ = prompt(node, boxes=layout)
    assert out["layout"].instances == layout.instances


def test_foreign_values_leave_the_output_plain(node, pack):
    """ComfyUI ends where it cannot write a node's output as JSON."""
    box = {"x": 0, "y": 0, "width": 32, "height": 32, "label": "fox", "score": np.float32(0.5), "odd": {1}, (1,): 2}
    out, ui = prompt(node, boxes=[box])
    assert json.loads(json.dumps(ui, allow_nan=False))["roictrl"] and "read.not_kept" in said(ui, "read")
    foreign = replace(out["layout"], extra={"n": np.int64(1), "set": {1}})
    _, ui = prompt(node, boxes=foreign)
    assert json.loads(json.dumps(ui, allow_nan=False))["roictrl"][0]["boxes"]["n"] == 1
    for kind in pack.module("roictrl_core.formats").WRITABLE:
        assert run(node("ROICtrlExportLayout"), layout=foreign, format=kind)


def test_prompt_picks_and_names(node):
    frames = [[{"x": 0, "y": 0, "width": 32, "height": 32}], [{"x": 8, "y": 8, "width": 32, "height": 32}]]
    assert prompt(node, boxes=frames, pick="2")[0]["layout"].instances[0].box[0] == 0.125
    named = prompt(node, boxes=INCOMING["YOLO"], class_names="red fox\nowl")[0]
    assert named["layout"].instances[0].caption == "red fox"


DETECTED = '[{"label": "dog", "score": 0.9, "bbox": [16, 8, 48, 40]}]'


def said(ui, *areas):
    """Codes of what was said, of some areas."""
    return [note["code"] for note in ui["roictrl"][0]["notes"] if note["code"].split(".")[0] in areas]


def test_prompt_reads_as_it_is_told(node):
    out, ui = prompt(node, boxes=DETECTED)
    assert out["layout"].instances[0].box == (0.25, 0.125, 0.75, 0.625)
    assert said(ui, "read") == ["read.assumed_pixels"]
    out, ui = prompt(node, boxes=DETECTED, box_order="y1, x1, y2, x2", box_unit="percent")
    assert out["layout"].instances[0].box == (0.08, 0.16, 0.4, 0.48) and said(ui, "read") == []
    with pytest.raises(ValueError, match="Instance Box Prompt: There is no order of a box's numbers 'xy'"):
        prompt(node, boxes=DETECTED, box_order="xy")


def test_the_choice_of_reading_comes_last_and_is_not_needed(node):
    """Saved graphs hold their widgets' values by their order."""
    optional = node("ROICtrlInstanceBoxPrompt").GET_NODE_INFO_V1()["input"]["optional"]
    assert list(optional)[-2:] == ["box_order", "box_unit"] and optional["box_unit"][1]["default"] == "auto"


def test_prompt_says_nothing_of_its_own_empty_text_where_boxes_come_in(node):
    _, ui = prompt(node, "", boxes=[{"x": 0, "y": 0, "width": 32, "height": 32, "label": "fox"}])
    assert said(ui, "read", "prompt") == []
    _, ui = prompt(node, "", boxes=" ")
    assert said(ui, "read", "prompt") == ["read.blank", "prompt.nothing"]


@pytest.mark.parametrize(
    "boxes, captions",
    [
        (torch.tensor([[0.0, 0, 32, 32, 0.9, 0], [32, 16, 64, 64, 0.8, 1]]), ["dog", "cat"]),
        (
            {
                "boxes": torch.tensor([[0.0, 0, 32, 32], [32, 16, 64, 64]]),
                "labels": torch.tensor([0, 1]),
                "scores": torch.rand(2),
            },
            ["dog", "cat"],
        ),
        ([np.array([0, 0, 32, 32]), np.array([32, 16, 64, 64])], ["", ""]),
    ],
    ids=["[N, 6]", "torchvision", "list of arrays"],
)
def test_prompt_reads_what_detectors_give(node, boxes, captions):
    out, _ = prompt(node, boxes=boxes, class_names="dog\ncat")
    assert [i.box for i in out["layout"].instances] == [(0, 0, 0.5, 0.5), (0.5, 0.25, 1, 1)]
    assert [i.caption for i in out["layout"].instances] == captions


def test_our_own_masks_raise_no_doubts(node, pack):
    layout = pack.module("roictrl_core.layout").Layout.from_dict(
        {"width": 64, "height": 64, "instances": [{"box": [0.101, 0.202, 0.703, 0.604], "caption": "a fox"}]}
    )
    masks = prompt(node, boxes=layout)[0]["masks"]
    out, ui = prompt(node, boxes=masks)
    assert out["layout"].instances[0].box == pytest.approx((0.101, 0.202, 0.703, 0.604), abs=1e-6)
    assert said(ui, "read", "layout") == ["layout.caption_empty"]


def test_masks_do_not_fill_the_memory(pack, layout):
    many = pack.module("roictrl_core.layout").Layout(4096, 4096, layout.instances[:1] * 33)
    masks, notes = pack.module("nodes.prompt").mask_batch(many)
    assert masks.shape == (1, 4096, 4096) and not masks.any()
    assert notes[0].sentence().startswith("The 33 masks would take 2.1 GB; one empty mask is given instead.")


@pytest.mark.parametrize(
    "text, sentence",
    [
        ('{"instances": [', "Instance Box Prompt: The text is not valid JSON"),
        ({"instances": [{"box": [0.5, 0, 0.5, 1], "caption": "a fox"}]}, r"instance 1 \('a fox'\) has no area"),
        ({"instances": [{"box": [2, 2, 3, 3]}]}, "instance 1 lies outside the picture"),
        ({"version": 9, "instances": []}, "Update the ROICtrl pack"),
    ],
)
def test_prompt_refuses_with_a_sentence(node, text, sentence):
    with pytest.raises(ValueError, match=sentence):
        prompt(node, text)


def test_preview_draws_on_every_picture_and_counts_cells(node, layout):
    out, ui = run(node("ROICtrlPreviewLayout"), layout=layout, image=torch.zeros(2, 96, 96, 3))
    assert out["preview"].shape[0] == 2 and out["preview"].shape[1] > 96  # the table is beneath
    assert "4 x 4" in out["report"] and "a blue owl" in out["report"]
    assert len(ui["images"]) == 2
    plain, _ = run(node("ROICtrlPreviewLayout"), layout=layout, image=torch.zeros(1, 96, 96, 3), table=False)
    assert plain["preview"].shape == (1, 96, 96, 3) and plain["preview"].max() > 0


def test_preview_draws_in_the_colors_it_is_given(node, layout, pack):
    cls, boxes = node("ROICtrlPreviewLayout"), pack.module("roictrl_core.layout").Layout

    def preview(changes, colors=""):
        own = boxes.from_dict({**LAYOUT, "instances": [{**i, **changes} for i in LAYOUT["instances"]]})
        return run(cls, layout=own, table=False, colors=colors)[0]["preview"]

    palette, red = preview({}), preview({"color": "#ff0000"})
    assert not torch.equal(palette, red)
    assert torch.equal(preview({"color": "#00ff00"}, "#ff0000 " * 5), red)
    assert torch.equal(preview({}, ""), palette)
    with pytest.raises(ValueError, match=r"color of instance 1 .* 'red'"):
        preview({}, "red")


def test_the_page_knows_what_reads_a_layout(pack, root):
    """``web/editor/sent.js`` sends a layout without colours and labels where no connected node shows them."""
    text = (root / "web" / "editor" / "sent.js").read_text(encoding="utf-8")
    readers = [
        cls.GET_SCHEMA().node_id
        for name in pack.module("nodes").MODULES
        for cls in pack.module(f"nodes.{name}").NODES
        if any(entry.io_type == "ROICTRL_LAYOUT" for entry in cls.GET_SCHEMA().inputs)
    ]
    table = text[text.index("const READERS = {") :]
    table = table[: table.index("};")].replace("[PREVIEW]", "ROICtrlPreviewLayout")
    assert len(readers) > 6
    assert [name for name in readers if f" {name}: " not in table] == []


def test_preview_warns_about_tiny_boxes(node, pack):
    layout = pack.module("roictrl_core.layout").Layout.from_dict(
        {"width": 512, "height": 512, "instances": [{"box": [0.5, 0.5, 0.505, 0.505], "caption": "an ant"}]}
    )
    out, ui = run(node("ROICtrlPreviewLayout"), layout=layout)
    assert "('an ant') covers no feature cell at any level" in out["report"]
    assert ui["roictrl"][0]["notes"]


def test_layout_to_prompt(node, layout, pack):
    cls = node("ROICtrlLayoutToPrompt")
    assert run(cls, layout=layout)[0]["prompt"] == "a red fox, a blue owl"
    text = run(cls, layout=layout, prefix="a photo of", separator=" and ", suffix="best quality")[0]["prompt"]
    assert text == "a photo of a red fox and a blue owl and best quality"
    whole = pack.module("roictrl_core.layout").Layout.from_dict({**LAYOUT, "caption": "a forest"})
    assert run(cls, layout=whole)[0]["prompt"] == "a forest"


def test_layout_to_prompt_has_styles(node, layout, pack):
    cls = node("ROICtrlLayoutToPrompt")
    inputs, outputs = cls.GET_SCHEMA().inputs, cls.GET_SCHEMA().outputs
    assert [entry.id for entry in inputs] == ["layout", "prefix", "separator", "suffix", "style"]
    assert inputs[-1].optional and inputs[-1].default == "captions" == inputs[-1].options[0]
    assert [(one.display_name, one.io_type) for one in outputs] == [("prompt", "STRING"), ("elements", "ARRAY")]
    out, ui = run(cls, layout=layout, style="places in words")
    assert out["prompt"] == "a red fox in the upper left, a blue owl filling much of the right"
    assert ui == {"roictrl": [{"notes": []}]}
    elements = run(node("ROICtrlExportLayout"), layout=layout, format="layout")[0]["elements"]
    for style in inputs[-1].options:
        assert run(cls, layout=layout, style=style)[0]["elements"] == elements
    out, ui = run(cls, layout=layout, style="elements JSON")
    assert json.loads(out["prompt"]) == elements
    assert [note["code"] for note in ui["roictrl"][0]["notes"]] == ["write.not_carried"]


def test_layout_to_prompt_explains_every_style(node, root):
    style = node("ROICtrlLayoutToPrompt").GET_SCHEMA().inputs[-1]
    page = (root / "web" / "docs" / "ROICtrlLayoutToPrompt.md").read_text(encoding="utf-8")
    sent = (root / "web" / "editor" / "sent.js").read_text(encoding="utf-8")
    words = json.loads(sent[sent.index("const WORDS = ") + 14 :].split(";")[0])
    assert all(f"| `{name}` |" in page and f"{name}: " in style.tooltip for name in style.options)
    assert words == [name for name in style.options if "JSON" not in name]


def test_layout_to_prompt_of_drafts(node, pack, caplog):
    """Words without places need no sound boxes; the rest names the first that is not."""
    drafts = pack.module("roictrl_core.layout").Layout.from_dict(
        {**LAYOUT, "instances": [*BROKEN, *LAYOUT["instances"]]}
    )
    cls = node("ROICtrlLayoutToPrompt")
    out, ui = run(cls, layout=drafts)
    assert out["prompt"] == "a draft, afar, a red fox, a blue owl"
    assert [element["desc"] for element in out["elements"]] == ["a red fox", "a blue owl"]
    assert "Layout to Prompt: Instance 1 ('a draft') cannot be used as it is, and was left out" in caplog.text
    assert ui["roictrl"][0]["notes"][0]["code"] == "write.draft"
    for style in ("places in words", "elements JSON", "JSON caption"):
        with pytest.raises(ValueError, match="Layout to Prompt: The box of instance 1 .'a draft'. has no area"):
            run(cls, layout=drafts, style=style)


def test_merge_keeps_order_and_size(node, layout, caplog):
    other = layout.resized(128, 64)
    merged = run(node("ROICtrlMergeLayouts"), layout_1=layout, layout_2=other)[0]["layout"]
    assert len(merged.instances) == 4 and (merged.width, merged.height) == (64, 64)
    assert "different shapes" in caplog.text


def test_merge_says_what_it_cannot_keep_twice(node, pack, caplog):
    read = pack.module("roictrl_core.layout").Layout.from_dict
    one, two = ({**LAYOUT, "caption": caption, "source": caption} for caption in ("a forest", "a town"))
    merged = run(node("ROICtrlMergeLayouts"), layout_1=read(one), layout_2=read(two))[0]["layout"]
    assert merged.caption == "a forest" and merged.extra == {"source": "a forest"}
    assert "Both layouts have a global caption; the first one's is kept." in caplog.text
    assert "Both layouts have their own source; the first one's is kept." in caplog.text


def test_edit_instance_changes_only_what_is_set(node, layout):
    cls = node("ROICtrlEditInstance")
    assert run(cls, layout=layout, instance="2")[0]["layout"] == layout
    changed = run(
        cls,
        layout=layout,
        instance="fox",
        caption="a white fox",
        strength=0.25,
        start=0.1,
        end=0.9,
        negative="dark",
        enabled="off",
        conditioning=[["cond", {}]],
    )[0]["layout"].instances
    assert changed[1] == layout.instances[1]
    first = changed[0]
    assert (first.caption, first.strength, first.start, first.end) == ("a white fox", 0.25, 0.1, 0.9)
    assert (first.negative, first.enabled, first.conditioning) == ("dark", False, [["cond", {}]])
    assert run(cls, layout=layout, instance="a blue owl", strength=0.0)[0]["layout"].instances[1].strength == 0


def test_edit_instance_sets_shapes(node, layout):
    changed = run(
        node("ROICtrlEditInstance"),
        layout=layout,
        instance="1",
        point="0.25, 0.5",
        mask=MASK[:1],
        scribble="[[[0.1, 0.2], [0.3, 0.4]]]",
    )[0]["layout"].instances[0]
    assert changed.point == (0.25, 0.5) and changed.scribble == (((0.1, 0.2), (0.3, 0.4)),)
    assert np.array_equal(changed.mask.to_array(), MASK[0].numpy() > 0.5) and changed.box == layout.instances[0].box


@pytest.mark.parametrize(
    "which, changes, sentence",
    [
        ("3", {}, "no instance '3'.*holds instance 1 .'fox'., instance 2"),
        ("", {}, "no instance ''"),
        ("1" * 5000, {}, "Edit Instance: There is no instance '1{40}' in the layout. Give an index"),
        ("1", {"mask": torch.zeros(0, 64, 64)}, r"Edit Instance: The mask input is empty: its shape is \[0, 64, 64\]"),
        ("1", {"mask": torch.zeros(1, 0, 64)}, r"Edit Instance: The mask input is empty: its shape is \[1, 0, 64\]"),
        ("1", {"point": "0.5"}, "The point must be a list of two numbers"),
        ("1", {"point": "here"}, "The point is not valid JSON"),
        ("1", {"point": "2, 2"}, "point or scribble of instance 1 .'fox'. leaves the picture"),
        ("1", {"scribble": "[0.5, 0.5]"}, "The scribble must be a list of strokes"),
        ("1", {"start": 0.8, "end": 0.2}, "schedule of instance 1 .'fox'. runs from 0.8 to 0.2"),
    ],
)
def test_edit_instance_refuses(node, layout, which, changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        run(node("ROICtrlEditInstance"), layout=layout, instance=which, **changes)


def test_edit_instance_needs_one_meaning(node, layout):
    twice = run(node("ROICtrlMergeLayouts"), layout_1=layout, layout_2=layout)[0]["layout"]
    with pytest.raises(ValueError, match="Instances 1, 3 all have the label 'fox'"):
        run(node("ROICtrlEditInstance"), layout=twice, instance="fox")


def test_layout_instance(node, layout, pack):
    cls = node("ROICtrlLayoutInstance")
    out, _ = run(cls, layout=layout, instance="a blue owl")
    assert {key: out["bbox"][key] for key in ("x", "y", "width", "height")} == {
        "x": 32,
        "y": 16,
        "width": 32,
        "height": 48,
    }
    assert (out["caption"], out["label"]) == ("a blue owl", "")
    assert out["mask"].shape == out["union"].shape == (1, 64, 64) and out["mask"].dtype == torch.float32
    assert torch.equal(out["mask"][0], MASK[1]) and torch.equal(out["union"][0], MASK.amax(0))
    shape = torch.zeros(1, 64, 64)
    shape[0, 3, 5] = 1
    changed = run(node("ROICtrlEditInstance"), layout=layout, instance="1", mask=shape)[0]["layout"]
    out, _ = run(cls, layout=changed, instance="fox")
    assert (
        torch.equal(out["mask"], shape) and out["label"] == "fox" and torch.equal(out["union"][0], MASK[1] + shape[0])
    )


def test_layout_instance_says_what_takes_no_part(node, layout, caplog):
    off = run(node("ROICtrlEditInstance"), layout=layout, instance="1", enabled="off")[0]["layout"]
    out, _ = run(node("ROICtrlLayoutInstance"), layout=off, instance="1")
    assert torch.equal(out["mask"][0], MASK[0]) and torch.equal(out["union"][0], MASK[1])
    assert "Layout Instance: Instance 1 ('fox') is not enabled" in caplog.text


@pytest.mark.parametrize("which", ["3", "", "a green owl"])
def test_layout_instance_refuses(node, layout, which):
    with pytest.raises(
        ValueError, match=f"Layout Instance: There is no instance '{which}' in the layout. Give an index"
    ):
        run(node("ROICtrlLayoutInstance"), layout=layout, instance=which)


def test_layout_from_masks(node, caplog):
    masks = MASK.clone()
    masks[1, 20, 40] = 0
    made = run(node("ROICtrlLayoutFromMasks"), masks=masks, captions="a fox\nan owl\na third")[0]["layout"]
    assert [i.caption for i in made.instances] == ["a fox", "an owl"]
    assert made.instances[0].mask is None  # no more than its box
    assert np.array_equal(made.instances[1].mask.to_array(), masks[1].numpy() > 0.5)
    assert "3 captions for 2 masks" in caplog.text
    plain = run(node("ROICtrlLayoutFromMasks"), masks=masks, keep_masks=False)[0]["layout"]
    assert all(i.mask is None for i in plain.instances)


def test_export_round_trip(node, layout):
    out, _ = run(node("ROICtrlExportLayout"), layout=layout, format="layout")
    assert json.loads(out["text"]) == LAYOUT and out["notes"] == ""
    out, _ = run(node("ROICtrlExportLayout"), layout=layout, format="coco")
    assert "cannot carry the negative, strength of instance 2 ('a blue owl')" in out["notes"]


BROKEN = [
    {"box": [0.5, 0.5, 0.5, 0.5], "caption": "a draft"},
    {"box": [1.5, 0.5, 1.7, 0.7], "caption": "afar"},
    {"box": [0.5, 0.5, 0.4, 0.4], "caption": "off", "enabled": False},
]


def test_export_of_drafts(node, pack, layout, caplog):
    """The pack's own format keeps them; the elements hold the rest, and that is said."""
    drafts = pack.module("roictrl_core.layout").Layout.from_dict(
        {**LAYOUT, "instances": [*BROKEN, *LAYOUT["instances"]]}
    )
    out, _ = run(node("ROICtrlExportLayout"), layout=drafts, format="layout")
    assert json.loads(out["text"])["instances"] == [*BROKEN, *LAYOUT["instances"]]
    assert [element["desc"] for element in out["elements"]] == ["a red fox", "a blue owl"]
    said = out["notes"].split("\n")
    assert said[0] == "Instance 1 ('a draft') cannot be used as it is, and was left out of the elements."
    assert said[1].startswith("The box of instance 1 ('a draft') has no area") and len(said) == 4
    assert "Export Layout: Instance 2 ('afar') cannot be used" in caplog.text
    with pytest.raises(ValueError, match="Export Layout: The box of instance 1 .'a draft'. has no area"):
        run(node("ROICtrlExportLayout"), layout=drafts, format="yolo")
    out, _ = run(node("ROICtrlExportLayout"), layout=layout.resized(0, 64), format="layout")
    assert out["elements"] == [] and "The layout's size is 0 x 64" in out["notes"]


@pytest.mark.parametrize("kind", ["coco", "instancediffusion"])
@pytest.mark.parametrize(
    "side, counts, sentence",
    [
        (16384, "01", "is written at the picture's size, and 16384 x 16384 pixels are more than a mask may have"),
        (64, "1" * (2**21 + 1), "is too ragged for this format"),
        (8192, "1" * 2**15, "is too ragged for this format"),
    ],
)
def test_export_refuses_masks_before_it_scales_them(node, pack, monkeypatch, kind, side, counts, sentence):
    masks, layouts = pack.module("roictrl_core.masks"), pack.module("roictrl_core.layout")
    monkeypatch.setattr(masks.RunLengthMask, "to_array", None)
    instance = layouts.Instance((0, 0, 1, 1), "a fox", mask=masks.RunLengthMask((64, 64), counts))
    with pytest.raises(ValueError, match=f"Export Layout: The mask of instance 1 .'a fox'. {sentence}"):
        run(node("ROICtrlExportLayout"), layout=layouts.Layout(side, side, (instance,)), format=kind)


@pytest.mark.parametrize("name", ["ROICtrlInstanceBoxPrompt", "ROICtrlPreviewLayout"])
def test_an_empty_batch_of_pictures_is_said(node, layout, name):
    rest = {"layout": layout} if name == "ROICtrlPreviewLayout" else {"layout": "", "width": 64, "height": 64}
    with pytest.raises(ValueError, match=r"The image input is empty: its shape is \[0, 64, 64, 3\]"):
        run(node(name), image=torch.zeros(0, 64, 64, 3), **rest)


@pytest.mark.parametrize("name", ["ROICtrlInstanceBoxPrompt", "ROICtrlPreviewLayout"])
def test_previews_say_how_many_boxes_they_show(node, pack, layout, name, monkeypatch):
    monkeypatch.setattr(pack.module("roictrl_core.drawing"), "MAX_DRAWN", 1)
    rest = {"layout": json.dumps(LAYOUT), "width": 64, "height": 64}
    _, ui = run(node(name), **({"layout": layout} if name == "ROICtrlPreviewLayout" else rest))
    assert "preview.first_boxes" in [note["code"] for note in ui["roictrl"][0]["notes"]]


def test_export_explains_every_format(node, root):
    formats = node("ROICtrlExportLayout").GET_SCHEMA().inputs[1]
    page = (root / "web" / "docs" / "ROICtrlExportLayout.md").read_text(encoding="utf-8")
    assert formats.id == "format" and all(f"| `{name}` |" in page for name in formats.options)


def test_export_gives_elements_last(node, layout):
    out, _ = run(node("ROICtrlExportLayout"), layout=layout, format="yolo")
    assert list(out) == ["text", "notes", "elements"]
    assert out["elements"] == [
        {"type": "obj", "bbox": [0, 0, 500, 500], "desc": "a red fox"},
        {"type": "obj", "bbox": [250, 500, 1000, 1000], "desc": "a blue owl"},
    ]
    assert [output.io_type for output in node("ROICtrlExportLayout").GET_SCHEMA().outputs] == [
        "STRING",
        "STRING",
        "ARRAY",
    ]


@pytest.mark.skipif(
    "not __import__('importlib').util.find_spec('comfy_extras.nodes_bounding_boxes')",
    reason="this ComfyUI has no bounding-box nodes of its own",
)
def test_core_reads_our_boxes_and_we_read_cores(node):
    from comfy_extras.nodes_bounding_boxes import boxes_from_input, boxes_to_regions, build_elements

    ours, _ = prompt(node, LAYOUT)
    regions = boxes_to_regions(boxes_from_input(ours["bboxes"], 64, 64), 64, 64)
    assert [region["desc"] for region in regions] == ["a red fox", "a blue owl"]
    back, _ = prompt(node, boxes=build_elements(regions))
    assert [i.box for i in back["layout"].instances] == [i.box for i in ours["layout"].instances]


@pytest.mark.skipif(
    "not __import__('importlib').util.find_spec('comfy_extras.nodes_bounding_boxes')",
    reason="this ComfyUI has no bounding-box nodes of its own",
)
def test_core_takes_one_instance_and_our_elements(node, layout):
    from comfy_extras.nodes_bounding_boxes import boxes_from_input
    from comfy_extras.nodes_images import ImageCropV2
    from comfy_extras.nodes_json_prompt import BuildJsonPromptIdeogram
    from comfy_extras.nodes_rtdetr import DrawBBoxes

    out, _ = run(node("ROICtrlLayoutInstance"), layout=layout, instance="2")
    picture = torch.arange(64 * 64, dtype=torch.float32).reshape(1, 64, 64, 1).expand(-1, -1, -1, 3) / 4096
    assert torch.equal(ImageCropV2.execute(picture, out["bbox"]).result[0], picture[:, 16:, 32:])
    assert DrawBBoxes.execute(out["bbox"], picture).result[0].shape == (1, 64, 64, 3)
    elements = run(node("ROICtrlExportLayout"), layout=layout, format="layout")[0]["elements"]
    caption = BuildJsonPromptIdeogram.execute(elements, {"style": "none"}).result[0]
    assert caption["compositional_deconstruction"]["elements"] == elements
    assert [box["metadata"]["desc"] for box in boxes_from_input(elements, 64, 64)] == ["a red fox", "a blue owl"]
