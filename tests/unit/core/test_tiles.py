"""A grid of overlapping tiles: where they lie, what layouts they have, and the picture that they make again."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from roictrl_core.crop import Crop
from roictrl_core.layout import Instance, Layout
from roictrl_core.notes import sentences
from roictrl_core.tiles import grid, join, starts, tile_layouts


def test_places_by_hand():
    assert starts(1024, 512, 64) == [0, 448, 512]
    assert starts(960, 512, 64) == [0, 448] and starts(512, 512, 64) == [0] and starts(300, 512, 64) == [0]
    assert starts(100, 40, 40) == [0, 10, 20, 30, 40, 50, 60]  # a quarter of a tile at least
    assert [crop.box for crop in grid(200, 100, 100, 100, 0)] == [(0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)]


@given(length=st.integers(1, 3000), tile=st.integers(1, 700), overlap=st.integers(0, 800))
def test_tiles_cover_the_side_and_overlap_enough(length, tile, overlap):
    found = starts(length, tile, overlap)
    assert found[0] == 0 and found[-1] + min(tile, length) == length
    assert all(0 < after - before <= tile for before, after in zip(found, found[1:], strict=False))
    kept = min(overlap, tile - max(1, round(tile / 4)))
    assert all(before + tile - after >= kept for before, after in zip(found, found[1:], strict=False))


def test_too_many_are_refused():
    with pytest.raises(ValueError, match="64 x 64 tiles of 16 x 16 pixels would cover the picture of 1024 x 1024"):
        grid(1024, 1024, 16, 16, 0)


def test_each_tile_has_what_it_sees_and_what_none_sees_is_said():
    layout = Layout(200, 100, (Instance((0.1, 0.1, 0.4, 0.9), "a fox"), Instance((0.3, 0.4, 0.9, 0.8), "an owl")))
    crops = grid(200, 100, 100, 100, 0)
    layouts, notes = tile_layouts(layout, crops, 0.5)
    assert [[one.caption for one in tile.instances] for tile in layouts] == [["a fox"], ["an owl"]] and not notes
    assert [(tile.width, tile.height) for tile in layouts] == [(100, 100)] * 2
    _, notes = tile_layouts(layout, crops, 0.9)
    assert [note.instance for note in notes] == [2]
    assert sentences(notes)[0].startswith("No tile has 90 % of instance 2 ('an owl')")


@pytest.mark.parametrize("feather", [0, 8, 32, 500])
def test_unchanged_tiles_make_the_picture_that_they_were_cut_from(feather):
    picture = torch.rand(2, 100, 170, 3)
    crops = grid(170, 100, 64, 64, 32)
    tiles = [picture[:, crop.top : crop.bottom, crop.left : crop.right] for crop in crops]
    torch.testing.assert_close(join(picture, tiles, crops, feather), picture)
    if feather <= 16:  # half of the overlap: nothing of the ground is left
        torch.testing.assert_close(join(torch.zeros_like(picture), tiles, crops, feather), picture)


def test_a_tile_fades_into_the_ground_but_not_at_the_pictures_border():
    crop = Crop.of(64, 64, 0, 0, 32, 32)
    joined = join(torch.zeros(1, 64, 64, 1), [torch.ones(1, 32, 32, 1)], [crop], 8)[0, ..., 0]
    assert (joined[:24, :24] == 1).all() and (joined[32:] == 0).all() and (joined[:, 32:] == 0).all()
    assert joined[0, 24:32].tolist() == [(7.5 - i) / 8 for i in range(8)]


def test_a_tile_of_another_size_is_scaled_to_its_place():
    crop = Crop.of(64, 64, 16, 16, 32, 32)
    joined = join(torch.zeros(1, 64, 64, 3), [torch.full((1, 64, 64, 3), 0.5)], [crop], 0)
    assert (joined[0, 16:48, 16:48] - 0.5).abs().max() < 1e-5 and joined.sum() == pytest.approx(
        0.5 * 32 * 32 * 3, rel=1e-4
    )
