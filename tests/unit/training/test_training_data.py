"""Crop, mirror, cache and batches: boxes stay on their things, and a batch depends on nothing but (seed, position)."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import load_file, save_file

from roictrl_core.training.batches import Augmentation, BatchStream
from roictrl_core.training.cache import DROPPED, CacheWriter, Embedding, TrainingCache
from roictrl_core.training.pictures import Prepared, crop_boxes, mirror_boxes, prepare
from roictrl_core.training.rows import BadRow, Example

PLAIN = Augmentation(flip=0, box_dropout=0, caption_dropout=0, random_slots=False)


def box_of_red(pixels: np.ndarray) -> np.ndarray:
    """xyxy, normalised, of the reddish pixels."""
    rows, columns = np.nonzero((pixels[..., 0] > 0.5) & (pixels[..., 1] < 0.5))
    height, width = pixels.shape[:2]
    return np.array(
        [columns.min() / width, rows.min() / height, (columns.max() + 1) / width, (rows.max() + 1) / height]
    )


@pytest.mark.parametrize(
    "size, target", [((200, 100), (64, 64)), ((100, 200), (64, 64)), ((120, 80), (128, 64)), ((64, 64), (64, 64))]
)
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
    return [
        Embedding(torch.full((6 if len(text) > 20 else 3, 4), float(len(text))), torch.full((2,), float(len(text))))
        for text in texts
    ]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr("roictrl_core.training.cache.ROWS_PER_PART", 3)
    monkeypatch.setattr("roictrl_core.training.cache.TEXTS_PER_PART", 4)
    writer = CacheWriter(tmp_path / "cache", {"made": "here"}, torch.float32)
    for n in range(7):
        boxes = np.array([[0.1 * i, 0.1, 0.1 * i + 0.25, 0.5] for i in range(n)], np.float32)
        latents = torch.stack([torch.full((4, 2, 2), float(n)), torch.full((4, 2, 2), -float(n))])
        writer.add(
            latents,
            boxes,
            [f"picture {n}", "a caption of more than twenty letters"],
            [f"thing {i}" for i in range(n)],
            mirrorable=n != 5,
        )
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
        assert all(
            (cache.embedding(t).tokens == len(cache.text(t))).all() for t in (*row.instance_text, *row.global_text)
        )


def test_unfinished_cache_is_refused(cache):
    (cache.folder / "manifest.json").unlink()
    with pytest.raises(ValueError, match="no finished training cache"):
        TrainingCache(cache.folder)


def test_cache_without_pictures_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no pictures"):
        CacheWriter(tmp_path).finish(encode)
    assert not (tmp_path / "manifest.json").exists()


@pytest.mark.parametrize(
    "boxes, latents, sentence",
    [
        ([[0.1, 0.1, 0.5, 0.5, 0.0]] * 4, torch.zeros(4, 2, 2), "every box must be four finite numbers"),
        ([[0.1, 0.1, 0.5, float("nan")]] * 4, torch.zeros(4, 2, 2), "every box must be four finite numbers"),
        ([0.1, 0.1, 0.5, 0.5] * 4, torch.zeros(4, 2, 2), "every box must be four finite numbers"),
        ([[0.1, 0.1, 0.5, 0.5]] * 4, torch.full((4, 2, 2), float("nan")), "the VAE made values that are not numbers"),
        ([[0.1, 0.1, 0.5, 0.5]] * 4, torch.full((4, 2, 2), 1e6), "the VAE made values that are not numbers"),
        ([[0.1, 0.1, 0.5, 0.5]] * 3, torch.zeros(4, 2, 2), "3 boxes with 4 instance captions"),
    ],
)
def test_a_row_is_checked_before_it_is_packed(tmp_path, boxes, latents, sentence):
    """Four boxes of five numbers would otherwise become five of four."""
    with pytest.raises(ValueError, match=sentence):
        CacheWriter(tmp_path).add(latents, boxes, ["a"], ["b"] * 4)


def test_texts_that_become_no_numbers_are_said(tmp_path):
    writer = CacheWriter(tmp_path)
    writer.add(torch.zeros(4, 2, 2), [[0.1, 0.1, 0.5, 0.5]], ["fine"], ["a red fox"])
    with pytest.raises(ValueError, match="text encoder made values that are not numbers of the caption 'a red fox'"):
        writer.finish(
            lambda texts: [
                Embedding(torch.full((3, 4), float("nan") if text == "a red fox" else 0.0)) for text in texts
            ]
        )


def change_manifest(folder, **changes):
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, **changes}))


def change_part(folder, name, **changes):
    save_file({**load_file(folder / name), **changes}, folder / name)


DAMAGES = {
    "manifest cut": lambda folder: (folder / "manifest.json").write_text((folder / "manifest.json").read_text()[:50]),
    "manifest a list": lambda folder: (folder / "manifest.json").write_text("[]"),
    "another version": lambda folder: change_manifest(folder, version=2),
    "rows of another number": lambda folder: change_manifest(folder, rows=[3, 2, 1]),
    "rows no numbers": lambda folder: change_manifest(folder, rows=["3"]),
    "no rows": lambda folder: change_manifest(folder, rows=[]),
    "rows an object": lambda folder: change_manifest(folder, rows=[3, 3, {}]),
    "latents of another size": lambda folder: change_manifest(folder, latent_shape=[2, 4, 9, 9]),
    "part missing": lambda folder: (folder / "rows-00001.safetensors").unlink(),
    "part cut": lambda folder: (folder / "rows-00001.safetensors").write_bytes(
        (folder / "rows-00001.safetensors").read_bytes()[:200]
    ),
    "boxes of another width": lambda folder: change_part(folder, "rows-00001.safetensors", boxes=torch.zeros(12, 5)),
    "captions that do not exist": lambda folder: change_part(
        folder, "rows-00001.safetensors", instance_text=torch.full((12,), 99)
    ),
    "offsets that fall": lambda folder: change_part(
        folder, "rows-00001.safetensors", first_instance=torch.tensor([0, 9, 7, 12])
    ),
    "texts cut off": lambda folder: change_part(folder, "texts-00000.safetensors", tokens=torch.zeros(2, 4)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_caches_are_said(cache, damage):
    DAMAGES[damage](cache.folder)
    with pytest.raises(
        ValueError,
        match=(
            "holds a training cache that is damaged or of another version .*: "
            "delete the folder and prepare the data again"
        ),
    ):
        TrainingCache(cache.folder)


def test_a_manifest_of_thousands_of_digits_is_said_without_pythons_advice(cache):
    (cache.folder / "manifest.json").write_text('{"format": ' + "1" * 5000 + "}")
    with pytest.raises(ValueError, match=r"or of another version \(a number of thousands of digits\): delete"):
        TrainingCache(cache.folder)


def test_a_cache_that_will_not_fit_is_said_after_the_first_rows(tmp_path, monkeypatch):
    """A million pictures of 32 bytes and 1000 captions of 24, not after hours but with the first of them."""
    writer = CacheWriter(tmp_path)
    writer.add(torch.zeros(4, 2, 2), [], ["a"], [])
    for free in (32_024_000, 32_023_999):
        monkeypatch.setattr("shutil.disk_usage", lambda folder, free=free: SimpleNamespace(free=free))
        if free == 32_024_000:
            writer.check_room(1_000_000, 1000, Embedding(torch.zeros(3, 4)))
    with pytest.raises(
        ValueError,
        match=(
            r"has 32.0 MB left on its disk; "
            r"the training cache \(1000000 pictures, 1000 different captions\) needs 32.0 MB"
        ),
    ):
        writer.check_room(1_000_000, 1000, Embedding(torch.zeros(3, 4)))


def stream(cache, augmentation=PLAIN, **changes):
    return BatchStream(
        cache, **{"batch_size": 4, "slots": 5, "timesteps": 1000, "seed": 3, "augmentation": augmentation, **changes}
    )


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
    for b in range(len(batch.rows)):
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
    batches = [
        b
        for step in range(150)
        for b in stream(cache, Augmentation(0, 0.25, 0.5, 0.125, True), batch_size=7, slots=6).step(step)
    ]
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
