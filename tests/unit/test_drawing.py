"""Layouts drawn on pictures, and the feature cells that boxes cover."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image, ImageFont

from roictrl_core import cells, drawing
from roictrl_core.layout import Instance, Layout
from roictrl_core.masks import RunLengthMask
from roictrl_core.notes import sentences
from roictrl_core.roi import fills_cell, unpool_taps

# "A red fox sits in the snow", "fox", "red fox": escaped, as every source file can be read in Windows' own encoding.
CHINESE = "\u4e00\u53ea\u7ea2\u8272\u7684\u72d0\u72f8\u5750\u5728\u96ea\u5730\u91cc"
RUSSIAN, ARABIC = "\u043b\u0438\u0441\u0430", "\u062b\u0639\u0644\u0628 \u0623\u062d\u0645\u0631"
BOX = Instance((0.25, 0.25, 0.75, 0.75), color="#00ff00")


def pixels(*instances: Instance, ground: int = 0, size: int = 256) -> np.ndarray:
    picture = drawing.draw_layout(Layout(size, size, instances), Image.new("RGB", (size, size), (ground,) * 3))
    return np.asarray(picture).astype(int)


def test_a_box_is_drawn_where_it_lies():
    drawn = pixels(BOX)
    assert drawn[191, 128].tolist() == [0, 255, 0] and drawn[128, 190].tolist() == [0, 255, 0]
    assert drawn[128, 128].tolist() == [0, 31, 0]  # the faint tint
    assert not drawn[:60].any() and not drawn[:, 196:].any()


def test_edges_between_pixels_are_shared_among_them():
    third = pixels(replace(BOX, box=(0.25, 0.25, 0.75, 192.5 / 256)), ground=255)
    row = third[190:194, 128, 0]  # red falls where the green line lies
    assert row[1] == 0 and 0 < row[2] < 255  # the last row of the line is half covered


def test_the_picture_keeps_its_own_size():
    assert drawing.draw_layout(Layout(64, 64, (BOX,)), Image.new("L", (100, 50))).size == (100, 50)
    assert drawing.draw_layout(Layout(64, 32, (BOX,))).size == (64, 32)


def test_of_very_many_boxes_the_first_are_drawn_and_that_is_said(monkeypatch):
    monkeypatch.setattr(drawing, "MAX_DRAWN", 3)
    here, there = replace(BOX, box=(0, 0, 0.2, 0.2), caption=""), replace(BOX, box=(0.5, 0.5, 0.7, 0.7), caption="")
    assert drawing.undrawn(Layout(256, 256, (here,) * 3)) == []
    assert np.array_equal(pixels(here, here, here, there), pixels(here, here, here))
    assert sentences(drawing.undrawn(Layout(256, 256, (here,) * 4))) == [
        "The preview shows the first 3 of 4 boxes; the others are in the layout all the same."
    ]


def test_of_very_many_large_boxes_the_last_are_not_filled(monkeypatch):
    monkeypatch.setattr(drawing, "MAX_TINTED", 0)  # four times the picture all the same
    whole = replace(BOX, box=(0, 0, 1, 1), caption="")
    assert np.array_equal(pixels(*[whole] * 6)[128, 128], pixels(*[whole] * 4)[128, 128])
    assert pixels(*[whole] * 4)[128, 128, 1] > pixels(*[whole] * 3)[128, 128, 1]


def test_of_very_many_strokes_the_first_are_drawn(monkeypatch):
    monkeypatch.setattr(drawing, "MAX_STROKED", 3)
    one, other = ((0.1, 0.9), (0.3, 0.9)), ((0.6, 0.9), (0.8, 0.9))
    assert np.array_equal(pixels(replace(BOX, scribble=(one, other))), pixels(replace(BOX, scribble=(one,))))
    assert pixels(replace(BOX, scribble=(one,)))[230, 50].any()


def test_only_the_sides_of_a_frame_are_touched():
    canvas = np.zeros((40, 50, 3), np.float32)
    windows = drawing._sides((slice(0, 40), slice(0, 50)), (2.5, 3.5, 47.5, 36.5))
    for window in windows:
        canvas[window] += 1
    assert canvas.max() == 1 and not canvas[4:36, 3:47].any() and canvas.sum() == 3 * (40 * 50 - 32 * 44)


@pytest.mark.parametrize("text", ["x" * 400, "word " * 80, "a fox", "a", "x" * 17, "  x"])
@pytest.mark.parametrize("room", [1, 7, 100, 1e6])
def test_lines_break_where_trying_every_length_breaks_them(text, room):
    """And few lengths are measured, each of which costs a text's length."""
    tried = []

    class Draw:
        def textlength(self, text, font):
            tried.append(len(text))
            return len(text)

    lines, rest = [], text
    while rest and len(lines) < 3:
        count = max([n for n in range(1, len(rest) + 1) if n <= room], default=1)
        cut = rest.rfind(" ", 0, count + 1)
        count = cut if count < len(rest) and cut > 0 else count
        lines.append(rest[:count])
        rest = rest[count:].lstrip()
    if rest:
        lines[-1] = lines[-1].rstrip(" .,") + "\u2026"
    assert drawing._wrapped(Draw(), text, None, room, 3) == "\n".join(lines) and sum(tried) < 3 * 4 * 400


def test_disabled_boxes_are_thin_and_grey():
    drawn = pixels(replace(BOX, enabled=False))
    assert drawn[128, 128].tolist() == [0, 0, 0]
    assert len(set(drawn[191, 128].tolist())) == 1 and drawn[191, 128].max() > 0
    assert drawn[190, 128].max() < 100 < pixels(BOX)[190, 128].max()


def test_a_mask_is_tinted():
    drawn = pixels(replace(BOX, mask=RunLengthMask.from_array(np.array([[0, 0], [0, 1]]))))
    assert drawn[170, 170].tolist() == [0, 89, 0] and not drawn[170, 100].any()


def test_points_and_strokes_are_drawn():
    drawn = pixels(replace(BOX, enabled=True, point=(0.5, 0.9), scribble=(((0.1, 0.9), (0.3, 0.9)), ((0.9, 0.1),))))
    assert drawn[230, 128].tolist() == drawn[230, 50].tolist() == [0, 255, 0] and not drawn[230, 90].any()


def test_a_caption_is_drawn_at_its_box(monkeypatch):
    for font in (drawing._font, lambda size: BitmapFont()):
        monkeypatch.setattr(drawing, "_font", font)
        without, fox, owl = (pixels(replace(BOX, caption=caption)) for caption in ("", "a red fox", "a blue owl"))
        changed = (fox != without).any(-1)
        assert changed.any() and not changed[:40].any() and not changed[200:].any()
        assert (fox != owl).any()


@pytest.mark.parametrize(
    "caption",
    [
        "",
        " ",
        "a red fox",
        "word " * 80,
        "x" * 500,
        CHINESE,
        RUSSIAN,
        ARABIC,
        "\U0001f98a",
        "a\nb\tc",
        "\ud800",
        "\x00",
    ],
)
@pytest.mark.parametrize("box", [(0, 0, 1, 1), (0.99, 0.99, 1, 1), (-1, -1, 0.01, 0.01), (0.4, 0.4, 0.6, 0.401)])
def test_any_caption_in_any_place(caption, box):
    instances = (Instance(box, caption), Instance(box, label=caption))
    picture = drawing.draw_layout(
        Layout(96, 64, instances), rows=[["#", "caption"], ["1", caption]], notes=[caption or "-"]
    )
    assert picture.mode == "RGB" and picture.width >= 96


def test_captions_do_not_need_a_scalable_font(monkeypatch):
    """A Pillow without FreeType has one bitmap font, which knows Latin letters alone."""
    monkeypatch.setattr(drawing, "_font", lambda size: BitmapFont())
    assert drawing.draw_layout(Layout(96, 64, (Instance((0, 0, 1, 1), CHINESE[:2] + " fox"),))).size == (96, 64)


class BitmapFont(ImageFont.ImageFont):
    size = 12

    def __init__(self) -> None:
        loaded = ImageFont.load_default_imagefont()
        self.font, self.info = loaded.font, loaded.info


def test_tags_do_not_cover_one_another():
    placed = []
    for _ in range(5):
        placed.append(drawing._free_place((10, 10), (40, 12), (200, 200), placed))
    assert len({tag[1] for tag in placed}) == 5
    assert all(a[3] <= b[1] for a, b in pairwise(placed))


@pytest.mark.parametrize("color", [*drawing.PALETTE, "#000000", "#ffffff", "#808080"])
def test_ink_is_readable(color):
    """At least 4.5 : 1, WCAG 2's level AA."""
    rgb = tuple(int(color[i : i + 2], 16) for i in (1, 3, 5))
    assert contrast(rgb, drawing.ink_on(rgb)) >= 4.5


def contrast(one, other) -> float:
    def luminance(rgb):
        linear = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in rgb]
        return sum(share * value for share, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_many_boxes_get_colours_in_turn():
    found = [drawing.color_of(Instance((0, 0, 1, 1)), i) for i in range(1, 10)]
    assert len(set(found[:8])) == 8 and found[8] == found[0] == (230, 159, 0)


# How eyes without one of the three kinds of cones see linear sRGB (Machado, Oliveira and Fernandes 2009, severity 1).
VISION = {
    "all": np.eye(3),
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "no blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


@pytest.mark.parametrize("cones", VISION)
def test_the_colour_beside_okabe_and_itos_is_told_apart_by_every_eye(cones):
    """From their seven, and from the grey of what takes no part."""
    colors = [lab(color, VISION[cones]) for color in (*drawing.PALETTE, drawing.DISABLED)]
    assert min(np.linalg.norm(colors[7] - other) for i, other in enumerate(colors) if i != 7) > 30


def lab(color: str, vision) -> np.ndarray:
    """CIE L*a*b* of "#rrggbb" under D65."""
    share = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.clip(vision @ np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4), 0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
    x, y, z = np.cbrt(xyz / (0.9505, 1, 1.089))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


# --- feature cells ---


def test_cells_are_those_that_unpool_writes():
    layout = Layout(512, 768, (Instance((0.1, 0.2, 0.45, 0.83)), Instance((-0.2, 0.9, 0.3, 1.4))))
    for instance in layout.instances:
        x1, y1, x2, y2 = torch.tensor([instance.box]).unbind(-1)
        for stride, (width, height) in zip(cells.STRIDES, ((64, 96), (32, 48), (16, 24), (8, 12)), strict=True):
            # A grid of 100 bins is finer than any box: nothing is dropped.
            filled = fills_cell(unpool_taps(y1, y2, 100, height).weight, unpool_taps(x1, x2, 100, width).weight)[0]
            [(columns, rows)] = cells.covered([instance.box], layout.width, layout.height, stride)
            assert (columns, rows) == (int(filled.any(0).sum()), int(filled.any(1).sum()))


@pytest.mark.parametrize(
    "side, sizes", [(512, [64, 32, 16, 8]), (520, [65, 33, 17, 9]), (8, [1, 1, 1, 1]), (1023, [127, 64, 32, 16])]
)
def test_levels_round_as_the_unet_does(side, sizes):
    assert [cells.level_size(side, stride) for stride in cells.STRIDES] == sizes


def test_table_and_warnings():
    layout = Layout(
        512,
        512,
        (
            Instance((0.05, 0.2, 0.45, 0.8), "a red fox"),
            Instance((0, 0, 1, 1), "off", enabled=False),
            Instance((0.6, 0.6, 0.63, 0.63), "an ant"),
            Instance((0.5, 0.5, 0.503, 0.503), "dust"),
        ),
    )
    assert cells.table(layout) == [
        ["#", "caption", "8 px", "16 px", "32 px", "64 px"],
        ["1", "a red fox", "26 x 38", "12 x 20", "6 x 10", "4 x 4"],
        ["3", "an ant", "2 x 2", "1 x 1", "0 x 0", "0 x 0"],
        ["4", "dust", "0 x 0", "0 x 0", "0 x 0", "0 x 0"],
    ]
    assert sentences(cells.warnings(layout)) == [
        "The box of instance 3 ('an ant') covers no feature cell at the levels of 32 px and up; its control will be "
        "weak. Make it larger, or the picture.",
        "The box of instance 4 ('dust') covers no feature cell at any level (8 px and up) and will have no effect. "
        "Make it larger.",
    ]


def test_long_tables_and_many_notes_are_cut():
    layout = Layout(64, 64, (Instance((0, 0, 1, 1), "a"),) * 200)
    sheet = drawing.draw_layout(layout, rows=cells.table(layout), notes=sentences(layout.warnings()))
    assert len(layout.warnings()) == 199 and sheet.height < 5000
