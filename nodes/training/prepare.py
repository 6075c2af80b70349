"""Pictures, boxes and captions -> a training cache, through a VAE and a CLIP."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from ...roictrl_core.files import WriteError
from ...roictrl_core.training.cache import CacheWriter, Embedding, TrainingCache
from ...roictrl_core.training.pictures import Prepared, prepare
from ...roictrl_core.training.rows import BadRow, Example
from ...roictrl_core.training.sources import listing, survey

PICTURES_AT_A_TIME = 8
Rows = Callable[[], Iterable[Example | BadRow]]


@dataclass(frozen=True)
class Preparation:
    """size: training pictures, (width, height) in pixels.  mirror: keep mirrored latents as well.

    refuse: raise at bad rows instead of leaving them out.  say: takes lines for the user.
    checked: called with the number of rows read so far.
    progress: called with (done, total) of pictures, then of texts.
    """

    size: tuple[int, int]
    mirror: bool
    refuse: bool
    say: Callable[[str], None]
    checked: Callable[[int], None]
    progress: Callable[[int, int], None]


def build_cache(rows: Rows, folder: Path, description: dict, vae, clip, preparation: Preparation) -> TrainingCache:
    """Read the data twice: once to name every bad row before hours are spent, once to encode the good ones."""
    texts: set[int] = set()
    good, bad = survey(_noting(rows(), texts), preparation.checked)
    _judge(bad, good, preparation)
    if not good:
        raise ValueError("no pictures to train on: every row is bad, or the data is empty")
    writer, done = CacheWriter(folder, description), 0
    known = {row.where for row in bad}
    for group in _groups(_prepared(rows(), known, good, preparation)):
        for picture, latents in zip(group, encode_pictures(vae, group, preparation.mirror), strict=True):
            _add(writer, picture, latents)
        if not done:
            writer.check_room(good, len(texts), encode_text(clip, ""))
        done += len(group)
        preparation.progress(done, good)
    writer.finish(lambda texts: [encode_text(clip, text) for text in texts], progress=preparation.progress)
    return TrainingCache(folder)


def _noting(rows: Iterable[Example | BadRow], texts: set[int]) -> Iterator[Example | BadRow]:
    """The rows; `texts` gets a number of each different caption."""
    for row in rows:
        if isinstance(row, Example):
            texts.update(map(hash, (*row.captions, *row.instance_captions)))
        yield row


def _add(writer: CacheWriter, picture: Prepared, latents: torch.Tensor) -> None:
    try:
        writer.add(latents, picture.boxes, picture.captions, picture.instance_captions, picture.mirrorable)
    except WriteError:
        raise
    except ValueError as error:
        raise ValueError(f"{picture.where}: {error}") from None


def _judge(bad: list[BadRow], good: int, preparation: Preparation) -> None:
    if not bad:
        return
    text = f"{len(bad)} bad rows beside {good} good ones:\n{listing(bad)}"
    if preparation.refuse:
        raise ValueError(f"{text}\nMend them, or choose to skip bad rows")
    preparation.say(f"{text}\nThey are left out")


def _prepared(
    rows: Iterable[Example | BadRow], known: set[str], good: int, preparation: Preparation
) -> Iterator[Prepared]:
    """The good rows' pictures. What has gone bad since the survey is judged as soon as it is met."""
    for row in rows:
        if row.where in known:
            continue
        picture = prepare(row, *preparation.size) if isinstance(row, Example) else row
        if isinstance(picture, BadRow):
            _judge([picture], good, preparation)
        else:
            yield picture


def _groups(pictures: Iterator[Prepared]) -> Iterator[list[Prepared]]:
    while group := list(islice(pictures, PICTURES_AT_A_TIME)):
        yield group


@torch.no_grad()
def encode_pictures(vae, pictures: Sequence[Prepared], mirror: bool) -> torch.Tensor:
    """Latents [n, V, C, h, w] before the model's scaling; V = 2 with the mirrored pictures, encoded as such."""
    pixels = torch.from_numpy(np.stack([picture.pixels for picture in pictures]))  # [n, H, W, 3]
    views = [pixels, pixels.flip(2)] if mirror else [pixels]
    return torch.stack([vae.encode(view) for view in views], 1)


@torch.no_grad()
def encode_text(clip, text: str) -> Embedding:
    """As `CLIP Text Encode` does: prompt weights and more than 77 tokens included."""
    tokens, pooled = clip.encode_from_tokens(clip.tokenize(text), return_pooled=True)
    return Embedding(tokens[0], None if pooled is None else pooled[0])
