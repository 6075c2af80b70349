"""Crop, mirror, cache and batches: boxes stay on their things, and a batch depends on nothing but (seed, position)."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from roictrl_core.training.batches import Augmentation, BatchStream
from roictrl_core.training.cache import DROPPED, CacheWriter, Embedding, TrainingCache
from roictrl_core.training.pictures import Prepared, crop_boxes, mirror_boxes, prepare
from roictrl_core.training.sources import BadRow, Example

PLAIN = Augmentation(flip=0, box_dropout=0, caption_dropout=0, random_slots=False)


def box_of_red(pixels: np.ndarray) -> np.ndarray:
    """xyxy, normalised, of the reddish pixels."""
    rows, columns = np.nonzero((pixels[..., 0] > 0.5) & (pixels[..., 1] < 0.5))
    height, width = pixels.shape[:2]
    return np.array([columns.min() / width, rows.min() / height, (columns.max() + 1) / width, (rows.max() + 1) / height])


@pytest.mark.parametrize("size, target", [((200, 100), (64, 64)), ((100, 200), (64, 64)), ((120, 80), (128, 64)), ((64, 64), (64, 64))])
def test_crop_moves_boxes_with_the_picture(tmp_path, size, target):
    box = (0.4, 0.3, 0.6, 0.55)
    picture = Image.new("RGB", size, "white")
    px = [box[0] * size[0], box[1] * size[1], box[2] * size[0] - 1, box[3] * size[1] - 1]
    ImageDraw.Draw(picture).rectangle(px, fill="red")
    picture.save(tmp_path / "a.png")
    prepared = prepare(Example(tmp_path / "a.png", ("c",), (box,), ("red",), "line 1"), *target)
    assert prepared.pixels.shape == (target[1], target[0], 3)
    np.testing.assert_allclose(prepared.boxes[0], box_of_red(prepared.pixels), atol=1.5 / 64)


def test_crop_drops_what_is_cut_off():
    boxes = np.array([[0.0, 0, 0.2, 1], [0.2, 0, 0.4, 1], [0.3, 0, 0.6, 1]], np.float32)
    moved, kept = crop_boxes(boxes, (200, 100), (50, 50))  # the middle half is kept
    assert kept.tolist() == [False, True, True]
    np.testing.assert_allclose(moved[1], [0, 0, 0.3, 1], atol=1e-6)


def test_unreadable_picture_is_a_bad_row(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    bad = prepare(Example(tmp_path / "a.png", ("c",), (), (), "metadata.jsonl line 9"), 64, 64)
    assert isinstance(bad, BadRow) and bad.where == "metadata.jsonl line 9" and "cannot be read" in bad.problem


def test_mirror_moves_boxes():
    pixels = np.ones((32, 48, 3), np.float32)
    pixels[4:12, 6:20, 1:] = 0
    np.testing.assert_allclose(mirror_boxes(box_of_red(pixels)), box_of_red(pixels[:, ::-1]), atol=1e-6)


def test_sided_captions_are_not_mirrored():
    def prepared(text):
        return Prepared(np.zeros((1, 1, 3)), np.zeros((1, 4)), (text,), ("a cat",))
    assert not prepared("the cat on the Left").mirrorable and prepared("the cleft rock").mirrorable


def encode(texts):
    """[L, 4] with the text's length in it; long captions have two chunks."""
    return [Embedding(torch.full((6 if len(text) > 20 else 3, 4), float(len(text))), torch.full((2,), float(len(text)))) for text in texts]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr("roictrl_core.training.cache.ROWS_PER_PART", 3)
    monkeypatch.setattr("roictrl_core.training.cache.TEXTS_PER_PART", 4)
    writer = CacheWriter(tmp_path / "cache", {"made": "here"}, torch.float32)
    for n in range(7):
        boxes = np.array([[0.1 * i, 0.1, 0.1 * i + 0.25, 0.5] for i in range(n)], np.float32)
        latents = torch.stack([torch.full((4, 2, 2), float(n)), torch.full((4, 2, 2), -float(n))])
        writer.add(latents, boxes, [f"picture {n}", "a caption of more than twenty letters"], [f"thing {i}" for i in range(n)], mirrorable=n != 5)
    writer.finish(encode)
    return TrainingCache(tmp_path / "cache")


def test_cache_round_trip(cache):
    assert len(cache) == 7 and cache.description == {"made": "here"} and cache.latent_shape == (2, 4, 2, 2)
    assert cache.text_count == 1 + 7 + 1 + 6 and cache.text(DROPPED) == ""
    for n in range(7):
        row = cache.row(n)
        assert row.latents[0, 0, 0, 0] == n and row.boxes.shape == (n, 4)
        assert [cache.text(t) for t in row.instance_text] == [f"thing {i}" for i in range(n)]
        assert cache.text(row.global_text[0]) == f"picture {n}"
        assert all((cache.embedding(t).tokens == len(cache.text(t))).all() for t in (*row.instance_text, *row.global_text))


def test_unfinished_cache_is_refused(cache):
    (cache.folder / "manifest.json").unlink()
    with pytest.raises(ValueError, match="no finished training cache"):
        TrainingCache(cache.folder)


def test_cache_without_pictures_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no pictures"):
        CacheWriter(tmp_path).finish(encode)
    assert not (tmp_path / "manifest.json").exists()


def stream(cache, augmentation=PLAIN, **changes):
    return BatchStream(cache, **{"batch_size": 4, "slots": 5, "timesteps": 1000, "seed": 3, "augmentation": augmentation, **changes})


def test_batch_is_what_the_cache_holds(cache):
    for batch in (b for step in range(4) for b in stream(cache).step(step)):
        contexts = iter(batch.instance_contexts)
        for b, index in enumerate(batch.rows):
            row = cache.row(index)
            used = batch.instances.roi_mask[b]
            assert used.sum() == min(len(row.boxes), 5) and (batch.latents[b] == index).all()
            boxes = batch.instances.boxes[b][used].numpy()
            assert all(any((box == other).all() for other in row.boxes) for box in boxes)
            for box in boxes:
                text = row.instance_text[int(np.where((row.boxes == box).all(1))[0][0])]
                assert torch.equal(next(contexts), cache.embedding(int(text)).tokens)
        assert next(contexts, None) is None


def test_equal_captions_are_one_object(cache):
    batch = next(stream(cache, batch_size=7).step(0))
    contexts = batch.instance_contexts
    assert len(contexts) == len(batch.instances.pairs) > len(batch.texts) == len({id(c) for c in contexts})


def test_an_epoch_shows_every_row_once(cache):
    rows = [batch.rows[0] for step in range(14) for batch in stream(cache, batch_size=1).step(step)]
    assert sorted(rows[:7]) == sorted(rows[7:]) == list(range(7)) and rows[:7] != rows[7:]


def test_mixed_lengths_are_repeated(cache):
    batch = next(stream(cache, batch_size=7).step(0))
    assert batch.context.shape[1] in (3, 6)
    for b, index in enumerate(batch.rows):
        assert len(batch.context[b].unique()) == 1 and batch.pooled[b, 0] == batch.context[b, 0, 0]


@pytest.mark.parametrize("split", [{"ranks": 2, "batch_size": 2}, {"accumulation": 2, "batch_size": 2}])
def test_a_global_batch_does_not_depend_on_its_split(cache, split):
    augmentation = Augmentation()
    whole = next(stream(cache, augmentation).step(5))
    ranks = split.get("ranks", 1)
    parts = [b for rank in range(ranks) for b in stream(cache, augmentation, rank=rank, **split).step(5)]
    assert sum((p.rows for p in parts), ()) == whole.rows
    for name in ("latents", "noise", "timesteps"):
        assert torch.equal(torch.cat([getattr(p, name) for p in parts]), getattr(whole, name))
    for name in ("boxes", "roi_mask", "token_mask"):
        assert torch.equal(torch.cat([getattr(p.instances, name) for p in parts]), getattr(whole.instances, name))


def test_flips_move_boxes_and_latents_together(cache):
    plain, flipped = (next(stream(cache, Augmentation(p, 0, 0, 0, False), batch_size=7).step(0)) for p in (0, 1))
    assert plain.rows == flipped.rows
    for b, index in enumerate(plain.rows):
        sign = -1 if index != 5 else 1  # row 5 must not be mirrored
        assert torch.equal(flipped.latents[b], sign * plain.latents[b])
        used = plain.instances.roi_mask[b]
        expected = plain.instances.boxes[b][used].numpy()
        expected = mirror_boxes(expected) if sign < 0 else expected
        np.testing.assert_array_equal(flipped.instances.boxes[b][used].numpy(), expected)


def test_dropout_rates(cache):
    batches = [b for step in range(150) for b in stream(cache, Augmentation(0, 0.25, 0.5, 0.125, True), batch_size=7, slots=6).step(step)]
    kept = sum(len(b.instances.pairs) for b in batches) / (150 * 21)
    dropped_caption = np.mean([(row == 0).all() for b in batches for row in b.context.numpy()])
    dropped_text = np.mean([(c == 0).all() for b in batches for c in b.instance_contexts])
    assert abs(kept - 0.75) < 0.03 and abs(dropped_caption - 0.5) < 0.06 and abs(dropped_text - 0.125) < 0.03
    slots = torch.stack([b.instances.roi_mask.float().mean(0) for b in batches]).mean(0)
    assert slots.max() - slots.min() < 0.08


def test_another_setting_leaves_the_other_numbers_alone(cache):
    one, two = (next(stream(cache, Augmentation(0, p, p, p, False)).step(2)) for p in (0, 0.9))
    assert torch.equal(one.noise, two.noise) and torch.equal(one.timesteps, two.timesteps) and one.rows == two.rows


def test_timesteps_cover_the_schedule_evenly(cache):
    for step in range(3):
        timesteps = torch.cat([b.timesteps for b in stream(cache, batch_size=5, accumulation=2).step(step)])
        assert (timesteps // 100).tolist() == list(range(10))


def test_probabilities_are_checked():
    with pytest.raises(ValueError, match="box_dropout"):
        Augmentation(box_dropout=1.5)


def test_manifest_is_plain_json(cache):
    assert json.loads((cache.folder / "manifest.json").read_text())["rows"] == [3, 3, 1]
