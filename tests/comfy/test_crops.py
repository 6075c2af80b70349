"""Crop Layout, Tile Layout, Join Tiles and Layout to Masks through the real comfy_api."""

from __future__ import annotations

import pytest
import torch

INSTANCES = [
    {"box": [0.0, 0.0, 0.5, 0.5], "caption": "a red fox", "label": "fox"},
    {"box": [0.5, 0.25, 1.0, 1.0], "caption": "a blue owl"},
    {"box": [0.0, 0.5, 0.5, 1.0], "caption": "a cup", "enabled": False},
]
IMAGE = torch.rand(2, 128, 128, 3, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def layout(pack):
    data = {"width": 64, "height": 64, "caption": "a wood", "instances": INSTANCES}
    return pack.module("roictrl_core.layout").Layout.from_dict(data)


@pytest.fixture(scope="module")
def run(pack):
    """Runs a node by its class; outputs by display name, and the notes' sentences."""
    classes = {cls.__name__: cls for name in ("crops", "layout_masks") for cls in pack.module(f"nodes.{name}").NODES}

    def run(name, **inputs):
        result = classes[name].EXECUTE_NORMALIZED(**inputs)
        ui = result.ui if isinstance(result.ui, dict) or result.ui is None else result.ui.as_dict()
        said = [note["text"] for note in ui["roictrl"][0]["notes"]] if ui else []
        outputs = classes[name].GET_SCHEMA().outputs
        return dict(zip((entry.display_name for entry in outputs), result.result, strict=True)), said

    return run


def crop(x, y, width, height):
    return {"x": x, "y": y, "width": width, "height": height}


def test_a_crop_in_the_layouts_pixels(run, layout):
    found, said = run("CropLayout", layout=layout, **crop(32, 0, 100, 64))
    assert [(one.caption, one.box) for one in found["layout"].instances] == [("a blue owl", (0.0, 0.25, 1.0, 1.0))]
    assert (found["layout"].width, found["layout"].height, found["layout"].caption) == (32, 64, "a wood")
    assert found["bbox"] == crop(32, 0, 32, 64) and not said


def test_a_crop_in_the_pixels_of_an_enlarged_picture_and_as_a_bounding_box(run, layout):
    numbers, _ = run("CropLayout", layout=layout, image=IMAGE, **crop(0, 0, 64, 96))
    for bbox in (crop(0, 0, 64, 96), [[crop(0, 0, 64, 96)]]):
        assert run("CropLayout", layout=layout, image=IMAGE, bbox=bbox, **crop(9, 9, 9, 9))[0] == numbers
    fox, cup = numbers["layout"].instances
    assert fox.box == (0.0, 0.0, 1.0, 2 / 3) and not cup.enabled


def test_what_a_crop_leaves_out_is_said(run, layout):
    _, said = run("CropLayout", layout=layout, min_visible=0.2, **crop(30, 0, 20, 10))
    assert len(said) == 2 and said[0].startswith("The crop has 2 % of instance 1 ('fox')") and "sees no box" in said[1]


def test_what_is_wrong_with_a_crop_is_said(run, layout, pack):
    with pytest.raises(ValueError, match="Crop Layout: The crop of 8 x 8 pixels at 64, 0 has nothing of the picture"):
        run("CropLayout", layout=layout, **crop(64, 0, 8, 8))
    with pytest.raises(ValueError, match="Crop Layout: A bounding box must be an object with x, y, width, height"):
        run("CropLayout", layout=layout, bbox=[], **crop(0, 0, 8, 8))
    with pytest.raises(ValueError, match="not text. Connect one of ComfyUI's own"):
        run("CropLayout", layout=layout, bbox="1", **crop(0, 0, 8, 8))
    with pytest.raises(ValueError, match="Crop Layout: min_visible is 2; it must be a number from 0 to 1"):
        run("CropLayout", layout=layout, min_visible=2, **crop(0, 0, 8, 8))
    bad = pack.module("roictrl_core.layout").Layout.from_dict(
        {"instances": [{"box": [0.5, 0, 0.1, 1], "caption": "x"}]}
    )
    with pytest.raises(ValueError, match="Crop Layout: .*instance 1"):
        run("CropLayout", layout=bad, **crop(0, 0, 8, 8))


SIDES = {"tile_width": 64, "tile_height": 64, "overlap": 16}


def test_tiles_with_their_boxes_and_the_picture_again(run, layout):
    found, said = run("TileLayout", image=IMAGE, layout=layout, **SIDES)
    assert len(found["tiles"]) == len(found["layouts"]) == len(found["bboxes"]) == 9 and not said
    for tile, bbox in zip(found["tiles"], found["bboxes"], strict=True):
        assert tile.shape == (2, 64, 64, 3) and bbox["width"] == bbox["height"] == 64
    assert [one.caption for one in found["layouts"][0].instances] == ["a red fox"]
    assert [one.caption for one in found["layouts"][-1].instances] == ["a blue owl"]
    again, _ = run("JoinTiles", image=[IMAGE], tiles=found["tiles"], bboxes=found["bboxes"], feather=[8])
    torch.testing.assert_close(again["image"], IMAGE)


def test_each_tile_is_what_crop_layout_gives(run, layout):
    found, _ = run("TileLayout", image=IMAGE, layout=layout, **SIDES)
    for one, bbox in zip(found["layouts"], found["bboxes"], strict=True):
        assert run("CropLayout", layout=layout, image=IMAGE, **bbox)[0]["layout"] == one


def test_the_tiles_lie_where_cores_do(run, layout):
    core = pytest.importorskip("comfy_extras.nodes_images")
    if not hasattr(core, "SplitImageToTileList"):
        pytest.skip("this ComfyUI does not split pictures")
    for width, height, tile, overlap in ((130, 100, 64, 16), (64, 64, 64, 0), (300, 90, 64, 60), (50, 200, 64, 8)):
        image = torch.zeros(1, height, width, 3)
        sides = {"tile_width": tile, "tile_height": tile, "overlap": overlap}
        found, _ = run("TileLayout", image=image, layout=layout, **sides)
        wanted = core.SplitImageToTileList.get_grid_coords(width, height, tile, tile, overlap)
        ours = [(b["x"], b["y"], b["x"] + b["width"], b["y"] + b["height"]) for b in found["bboxes"]]
        assert ours == [tuple(place) for place in wanted]


def test_cores_crop_cuts_what_crop_layout_says(run, layout):
    core = pytest.importorskip("comfy_extras.nodes_images")
    if not hasattr(core, "ImageCropV2"):
        pytest.skip("this ComfyUI's Crop Image takes no bounding box")
    for x in (0, 100):
        found, _ = run("CropLayout", layout=layout, image=IMAGE, **crop(x, 8, 64, 64))
        cut = core.ImageCropV2.execute(IMAGE, found["bbox"]).result[0]
        assert cut.shape[1:3] == (found["layout"].height, found["layout"].width)
        assert torch.equal(cut, IMAGE[:, 8:72, x : x + 64])
    found, _ = run("TileLayout", image=IMAGE, layout=layout, **SIDES)
    for tile, bbox in zip(found["tiles"], found["bboxes"], strict=True):
        assert torch.equal(core.ImageCropV2.execute(IMAGE, bbox).result[0], tile)


def test_a_crop_is_laid_back(run):
    drawn = torch.ones(2, 32, 32, 3)
    joined, _ = run("JoinTiles", image=[IMAGE], tiles=[drawn], bboxes=[crop(32, 32, 32, 32)], feather=[4])
    assert (joined["image"][:, 40:56, 40:56] == 1).all()
    assert torch.equal(joined["image"][:, :32], IMAGE[:, :32]) and torch.equal(joined["image"][:, 64:], IMAGE[:, 64:])


def test_tiles_that_do_not_belong_together_are_named(run):
    one = torch.ones(2, 32, 32, 3)
    for tiles, sentence in (
        ([one, one], "There are 2 tiles and 1 bounding boxes"),
        ([one[:1]], "Tile 1 has the shape"),
        ([one[:, :0]], "Tile 1 is empty"),
        ([], "there are no tiles"),
    ):
        with pytest.raises(ValueError, match=f"Join Tiles: {sentence}"):
            run("JoinTiles", image=[IMAGE], tiles=tiles, bboxes=[crop(0, 0, 32, 32)], feather=[4])
    with pytest.raises(ValueError, match="Join Tiles: image holds a list of 2 pictures"):
        run("JoinTiles", image=[IMAGE, IMAGE], tiles=[one], bboxes=[crop(0, 0, 32, 32)], feather=[4])
    with pytest.raises(ValueError, match="Join Tiles: A bounding box must be an object with x, y, width, height"):
        run("JoinTiles", image=[IMAGE], tiles=[one], bboxes=[crop(float("nan"), 0, 32, 32)], feather=[4])
    with pytest.raises(ValueError, match="Join Tiles: feather is -1; it must be a whole number from 0 to 2048"):
        run("JoinTiles", image=[IMAGE], tiles=[one], bboxes=[crop(0, 0, 32, 32)], feather=[-1])


def test_masks_of_all_enabled_instances(run, layout):
    found, said = run("LayoutToMasks", layout=layout)
    assert [mask.shape for mask in found["each"]] == [(1, 64, 64)] * 2 and not said
    assert torch.equal(torch.cat(found["each"]), found["batch"]) and found["captions"] == ["a red fox", "a blue owl"]
    assert torch.equal(found["union"] + found["outside"], torch.ones(1, 64, 64))
    assert found["union"].sum() == 32 * 32 + 32 * 48


def test_masks_of_named_instances(run, layout):
    found, said = run("LayoutToMasks", layout=layout, instances="a blue owl\n\n fox \n2")
    assert found["captions"] == ["a blue owl", "a red fox"] and found["each"][0][0, 16:, 32:].all() and not said
    found, said = run("LayoutToMasks", layout=layout, instances="3")
    assert found["batch"].sum() == 32 * 32 and said == [
        "Instance 3 ('a cup') is not enabled: it takes no part in pictures, but its mask is given."
    ]
    with pytest.raises(ValueError, match="Layout to Masks: There is no instance 'a dog' in the layout"):
        run("LayoutToMasks", layout=layout, instances="a dog")


def test_masks_of_no_instance(run, pack):
    found, said = run("LayoutToMasks", layout=pack.module("roictrl_core.layout").Layout(64, 64))
    assert found["batch"].shape == (1, 64, 64) and not found["batch"].any() and found["captions"] == [""]
    assert found["outside"].all() and said == [
        "The layout has no enabled box, so one empty mask is given. Draw or enable a box."
    ]
