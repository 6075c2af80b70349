"""One view of a picture file.

Boxes turn with it, its colours are those that are seen, and what cannot be read is said.
"""

from __future__ import annotations

import json
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from roictrl_core.training.picture_files import read_rgb, stored
from roictrl_core.training.pictures import prepare
from roictrl_core.training.rows import BadRow, Example
from roictrl_core.training.sources import read_coco, read_imagefolder, survey

SIZE = 96, 48  # as stored
BOX = 16, 8, 48, 24  # of the red thing, in the stored file's pixels
FORMATS = {"png": {}, "jpg": {"quality": 95}, "tif": {}, "webp": {"lossless": True}}


def turned_picture(folder, orientation, suffix="png"):
    """A red thing at BOX on white; the file says how it is turned."""
    pixels = np.full((SIZE[1], SIZE[0], 3), 255, np.uint8)
    pixels[BOX[1] : BOX[3], BOX[0] : BOX[2], 1:] = 0
    picture = Image.fromarray(pixels)
    exif = picture.getexif()
    exif[274] = orientation
    picture.save(folder / f"a.{suffix}", exif=exif, **FORMATS[suffix])
    return folder / f"a.{suffix}"


def rows_of(folder, file, instance):
    (folder / "metadata.jsonl").write_text(
        json.dumps({"file_name": file.name, "caption": "x", "instances": [{**instance, "caption": "red"}]})
    )
    return list(read_imagefolder(folder))


def coco_rows(folder, file, size, box):
    x1, y1, x2, y2 = box
    image = {"id": 1, "file_name": file.name, "width": size[0], "height": size[1]}
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [x1, y1, x2 - x1, y2 - y1]}
    (folder / "i.json").write_text(
        json.dumps({"images": [image], "annotations": [annotation], "categories": [{"id": 1, "name": "red"}]})
    )
    (folder / "c.json").write_text(json.dumps({"annotations": [{"image_id": 1, "caption": "x"}]}))
    return list(read_coco(folder / "i.json", folder / "c.json", folder))


def assert_red_fills_its_box(row):
    """The box, of the picture as it is seen and as it is trained on, holds the red thing and nothing else."""
    assert isinstance(row, Example), row
    seen = ImageOps.exif_transpose(Image.open(row.file)).convert("RGB")
    for made in (prepare(row, *seen.size), prepare(row, 48, 48)):
        height, width = made.pixels.shape[:2]
        red = (made.pixels[..., 0] > 0.6) & (made.pixels[..., 1] < 0.4)
        rows, columns = np.nonzero(red)
        found = [columns.min() / width, rows.min() / height, (columns.max() + 1) / width, (rows.max() + 1) / height]
        np.testing.assert_allclose(made.boxes[0], found, atol=1.1 / min(width, height))


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pixel_boxes_turn_with_the_picture(tmp_path, orientation, suffix):
    file = turned_picture(tmp_path, orientation, suffix)
    assert stored(file).size == SIZE
    (by_pixels,), (by_coco,) = rows_of(tmp_path, file, {"box_px": BOX}), coco_rows(tmp_path, file, SIZE, BOX)
    assert_red_fills_its_box(by_pixels)
    assert_red_fills_its_box(by_coco)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_shares_are_of_the_picture_as_it_is_seen(tmp_path, orientation):
    file = turned_picture(tmp_path, orientation)
    (row,) = rows_of(tmp_path, file, {"box_px": BOX})
    (again,) = rows_of(tmp_path, file, {"box": row.boxes[0]})
    assert again.boxes == row.boxes
    assert_red_fills_its_box(again)


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_coco_sizes_of_the_turned_picture_mean_boxes_drawn_on_it(tmp_path, orientation):
    file = turned_picture(tmp_path, orientation)
    (row,) = rows_of(tmp_path, file, {"box_px": BOX})
    box = [value * side for value, side in zip(row.boxes[0], (48, 96, 48, 96), strict=True)]
    (found,) = coco_rows(tmp_path, file, (48, 96), box)
    assert_red_fills_its_box(found)


def test_coco_boxes_of_a_resized_copy(tmp_path):
    """The file was made smaller after its boxes were drawn on 641 x 320 pixels."""
    file = turned_picture(tmp_path, 6)
    (row,) = coco_rows(tmp_path, file, (641, 320), [value * 320 / 48 for value in BOX])
    assert_red_fills_its_box(row)


def test_coco_boxes_of_a_picture_of_another_shape_are_refused(tmp_path):
    (row,) = coco_rows(tmp_path, turned_picture(tmp_path, 1), (48, 96), BOX)
    assert (
        isinstance(row, BadRow) and "`width` and `height` are 48 x 96, but the picture is 96 x 48 pixels" in row.problem
    )


@pytest.mark.parametrize("orientation", [0, 9, 255])
def test_an_orientation_that_does_not_exist_turns_nothing(tmp_path, orientation):
    (row,) = rows_of(tmp_path, turned_picture(tmp_path, orientation), {"box_px": BOX})
    assert_red_fills_its_box(row)


RAMP = np.linspace(0, 1, 4096).reshape(64, 64)


def saved(file, values, **options):
    Image.fromarray(values).save(file, **options)
    return file


def grey(kind, folder):
    """The ramp from black to white in a file of some mode."""
    eight, sixteen = (RAMP * 255).round().astype(np.uint8), (RAMP * 65535).round().astype(np.uint16)
    opaque = np.full_like(eight, 255)
    if kind == "big-endian tif":
        (folder / "a.tif").write_bytes(saved(folder / "b.tif", sixteen).read_bytes())
        return saved(folder / "a.tif", sixteen.astype(">u2"))
    if kind == "pgm":
        (folder / "a.pgm").write_bytes(b"P5 64 64 65535\n" + sixteen.astype(">u2").tobytes())
        return folder / "a.pgm"
    if kind == "palette":
        palette = Image.fromarray(eight).convert("P")
        palette.save(folder / "a.png")
        return folder / "a.png"
    if kind == "white is zero":
        return saved(folder / "a.tif", 65535 - sixteen, tiffinfo={262: 0})
    if kind == "cmyk":
        Image.fromarray(eight).convert("RGB").convert("CMYK").save(folder / "a.tif")
        return folder / "a.tif"
    arrays = {
        "8 bits": eight,
        "16 bits": sixteen,
        "decimals": RAMP.astype(np.float32),
        "grey and alpha": np.dstack([eight, opaque]),
        "rgb": np.dstack([eight] * 3),
        "rgba": np.dstack([eight] * 3 + [opaque]),
    }
    return saved(folder / ("a.tif" if kind == "decimals" else "a.png"), arrays[kind])


@pytest.mark.parametrize(
    "kind",
    [
        "8 bits",
        "16 bits",
        "big-endian tif",
        "pgm",
        "decimals",
        "grey and alpha",
        "rgb",
        "rgba",
        "palette",
        "white is zero",
        "cmyk",
    ],
)
def test_greys_of_every_mode_stay_what_they_are(tmp_path, kind):
    made = prepare(Example(grey(kind, tmp_path), ("c",), (), (), "line 1"), 64, 64)
    np.testing.assert_allclose(made.pixels, np.dstack([RAMP] * 3), atol=1.01 / 255)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_white(tmp_path, mode):
    """As everyone sees it; the colour under it may be anything."""
    picture = Image.new("RGBA", (32, 32), (0, 0, 0, 0))
    picture.paste((200, 0, 0, 255), (0, 0, 16, 32))
    if mode == "P":
        picture.quantize(4).save(tmp_path / "a.png")
    else:
        picture.convert(mode).save(tmp_path / "a.png")
    pixels = np.asarray(read_rgb(tmp_path / "a.png"))
    assert (pixels[:, 20:] == 255).all() and (pixels[:, :12, 1] < 100).all()


@pytest.mark.parametrize(
    "values, sentence",
    [
        (RAMP.astype(np.float32) * 900, "decimal values that are not all in 0..1"),
        (np.full((4, 4), np.nan, np.float32), "decimal values that are not all in 0..1"),
        ((RAMP * 70_000).astype(np.int32), "whole numbers of 32 bits, whose white is not known"),
    ],
)
def test_pictures_without_a_known_white_are_refused(tmp_path, values, sentence):
    bad = prepare(Example(saved(tmp_path / "a.tif", values), ("c",), (), (), "metadata.jsonl line 9"), 64, 64)
    assert (
        isinstance(bad, BadRow)
        and str(bad).startswith("metadata.jsonl line 9: picture a.tif has ")
        and sentence in bad.problem
    )


def png_of(width, height):
    """A PNG that says it is huge, of a few bytes."""

    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([1, 0, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def unreadable(kind, folder):
    data = {
        "text": b"no picture",
        "empty": b"",
        "bomb": png_of(60_000, 60_000),
        "program": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n",
    }
    if kind == "cut":
        Image.effect_noise((64, 64), 90).convert("RGB").save(folder / "a.jpg")
        data["cut"] = (folder / "a.jpg").read_bytes()[:900]
    (folder / "a.png").write_bytes(data[kind])
    return folder / "a.png"


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("instance", [{"box": [0, 0, 1, 1]}, {"box_px": [0, 0, 9, 9]}])
@pytest.mark.parametrize(
    "kind, sentence",
    [
        ("text", "cannot be read"),
        ("empty", "cannot be read"),
        ("cut", "cannot be read"),
        ("bomb", "cannot be read"),
        ("program", "is a PostScript program, which is not run"),
    ],
)
def test_unreadable_pictures_are_listed_before_anything_is_encoded(tmp_path, kind, sentence, instance):
    file = unreadable(kind, tmp_path)
    good, (bad,) = survey(rows_of(tmp_path, file, instance))
    assert good == 0 and bad.where == "metadata.jsonl line 1" and bad.problem.startswith(f"picture a.png {sentence}")
    good, (bad,) = survey(coco_rows(tmp_path, file, (64, 64), (0, 0, 9, 9)))
    assert good == 0 and bad.where == "i.json image 1 (a.png)" and bad.problem.startswith(f"picture a.png {sentence}")


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    (tmp_path / "data").mkdir()
    file = turned_picture(tmp_path, 1)
    (tmp_path / "data" / "b.png").symlink_to(file)
    (bad,) = rows_of(tmp_path / "data", tmp_path / "data" / "b.png", {"box": [0, 0, 1, 1]})
    assert isinstance(bad, BadRow) and bad.problem == "`file_name` b.png leads out of the data folder"


def test_a_link_to_itself_is_refused(tmp_path):
    (tmp_path / "b.png").symlink_to("b.png")
    (bad,) = rows_of(tmp_path, tmp_path / "b.png", {"box": [0, 0, 1, 1]})
    assert isinstance(bad, BadRow) and "b.png" in bad.problem
