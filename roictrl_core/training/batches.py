"""From cache rows to batches. Every random number of a sample comes from (seed, position in the run).

So a batch does not depend on how many processes share it, and a resumed run needs no other state than its step.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ..instances import InstanceBatch
from .cache import DROPPED, Row, TrainingCache
from .pictures import mirror_boxes


@dataclass(frozen=True)
class Augmentation:
    """Probabilities per picture (flip, global caption) or per instance (box, instance caption).

    A dropped box leaves its slot empty: no ROI, null token. A dropped caption is the empty one.
    random_slots: instances sit in a fresh random choice of slots, as in the paper; otherwise in the first ones.
    """

    flip: float = 0.5
    box_dropout: float = 0.1
    caption_dropout: float = 0.5
    instance_caption_dropout: float = 0.0
    random_slots: bool = True

    def __post_init__(self) -> None:
        for name in ("flip", "box_dropout", "caption_dropout", "instance_caption_dropout"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a probability; {getattr(self, name)} is not in 0..1")


@dataclass(frozen=True)
class Batch:
    """B pictures, M used instances in `instances.pairs` order, U different texts."""

    latents: Tensor  # [B, C, h, w] float32, before the model's scaling
    noise: Tensor  # [B, C, h, w] float32
    timesteps: Tensor  # [B] int64
    instances: InstanceBatch
    context: Tensor  # [B, L, c] the global captions
    pooled: Tensor | None  # [B, p] of the global captions
    texts: tuple[Tensor, ...]  # U of [L_u, c]: the different instance captions
    instance_text: tuple[int, ...]  # M numbers into `texts`
    rows: tuple[int, ...]  # the cache rows, for messages and previews

    @property
    def instance_contexts(self) -> list[Tensor]:
        """M of [L, c]; equal captions are the same object, so that keys and values are computed once."""
        return [self.texts[number] for number in self.instance_text]

    def to(self, device: torch.device | str) -> Batch:
        if torch.device(device).type == "cpu":
            return self
        moved = {
            name: getattr(self, name).to(device, non_blocking=True)
            for name in ("latents", "noise", "timesteps", "context")
        }
        pooled = None if self.pooled is None else self.pooled.to(device)
        texts = tuple(text.to(device) for text in self.texts)
        return replace(self, instances=self.instances.to(device), pooled=pooled, texts=texts, **moved)


@dataclass(frozen=True)
class _Sample:
    """What one position of the run shows: [S]-wide instance data, with -1 in the empty slots of `text`."""

    row: int
    latents: Tensor
    noise: np.ndarray
    timestep: int
    boxes: np.ndarray
    text: np.ndarray
    caption: int


class BatchStream:
    """The run's batches. Position p of the run shows cache row permutation_e(p mod rows), e = p // rows.

    Rank r of R takes, in every micro-batch, the r-th run of `batch_size` positions.
    """

    def __init__(
        self,
        cache: TrainingCache,
        *,
        batch_size: int,
        slots: int,
        timesteps: int,
        seed: int,
        augmentation: Augmentation,
        accumulation: int = 1,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        self.cache, self.slots, self.timesteps, self.seed, self.augmentation = (
            cache,
            slots,
            timesteps,
            seed,
            augmentation,
        )
        self.batch_size, self.accumulation, self.rank, self.ranks = batch_size, accumulation, rank, ranks
        self._permutation = lru_cache(maxsize=2)(self._draw_permutation)
        self._tokens = lru_cache(maxsize=4096)(lambda number: cache.embedding(number).tokens.float())

    @property
    def samples_per_step(self) -> int:
        return self.batch_size * self.accumulation * self.ranks

    def step(self, step: int) -> Iterator[Batch]:
        """This rank's `accumulation` micro-batches of optimiser step `step` (from 0)."""
        for micro in range(self.accumulation):
            first = step * self.samples_per_step + (micro * self.ranks + self.rank) * self.batch_size
            yield self.collate([self._sample(position) for position in range(first, first + self.batch_size)])

    def collate(self, samples: Sequence[_Sample]) -> Batch:
        text = np.stack([s.text for s in samples])  # [B, S], -1 = empty
        used = torch.from_numpy(text >= 0)
        numbers, inverse = np.unique(text[text >= 0], return_inverse=True)  # [U], [M] row-major, as in pairs
        instances = InstanceBatch(torch.from_numpy(np.stack([s.boxes for s in samples])), used, used, used.float())
        captions = [s.caption for s in samples]
        pooled = [self.cache.embedding(number).pooled for number in captions]
        return Batch(
            latents=torch.stack([s.latents for s in samples]).float(),
            noise=torch.from_numpy(np.stack([s.noise for s in samples])),
            timesteps=torch.tensor([s.timestep for s in samples]),
            instances=instances,
            context=_stack_contexts([self._tokens(number) for number in captions]),
            pooled=None if pooled[0] is None else torch.stack(pooled).float(),
            texts=tuple(self._tokens(int(number)) for number in numbers),
            instance_text=tuple(inverse.tolist()),
            rows=tuple(s.row for s in samples),
        )

    def _draw_permutation(self, epoch: int) -> np.ndarray:
        return _generator(self.seed, epoch, stream=1).permutation(len(self.cache))

    def _sample(self, position: int) -> _Sample:
        epoch, place = divmod(position, len(self.cache))
        index = int(self._permutation(epoch)[place])
        row, rng, chance = self.cache.row(index), _generator(self.seed, position, stream=0), self.augmentation
        # All draws are made whatever the settings, so that changing one setting leaves the others' numbers alone.
        level, pick, flip, drop_caption = rng.random(4)
        # One timestep from each of as many equal ranges as the step has samples: less noise in the gradient.
        timestep = int((position % self.samples_per_step + level) / self.samples_per_step * self.timesteps)
        slots, noise = rng.permutation(self.slots), rng.standard_normal(row.latents.shape[1:], np.float32)
        mirrored = row.mirrorable and flip < chance.flip
        caption = (
            DROPPED if drop_caption < chance.caption_dropout else int(row.global_text[int(pick * len(row.global_text))])
        )
        boxes, text = self._place(row, mirrored, slots, rng)
        return _Sample(index, row.latents[int(mirrored)], noise, timestep, boxes, text, caption)

    def _place(
        self, row: Row, mirrored: bool, slots: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Instances into slots: boxes [S, 4] float32, text [S] int64. More instances than slots: a random choice."""
        count, chance = len(row.boxes), self.augmentation
        order = np.sort(rng.permutation(count)[: self.slots])
        kept = order[rng.random(len(order)) >= chance.box_dropout]
        dropped = rng.random(len(kept)) < chance.instance_caption_dropout
        where = slots[: len(kept)] if chance.random_slots else np.arange(len(kept))
        boxes, text = np.zeros((self.slots, 4), np.float32), np.full(self.slots, -1, np.int64)
        boxes[where] = mirror_boxes(row.boxes[kept]) if mirrored else row.boxes[kept]
        text[where] = np.where(dropped, DROPPED, row.instance_text[kept])
        return boxes, text


def _generator(seed: int, number: int, stream: int) -> np.random.Generator:
    """Counter-based (Philox): its state is its key, so any sample's numbers can be had without those before it."""
    return np.random.Generator(np.random.Philox(key=[seed, number << 1 | stream]))


def _stack_contexts(contexts: Sequence[Tensor]) -> Tensor:
    """[L_i, c] each -> [B, L, c]; shorter ones are repeated to the common multiple, as ComfyUI does."""
    length = math.lcm(*{len(context) for context in contexts})
    return torch.stack([context.repeat(length // len(context), 1) for context in contexts])
