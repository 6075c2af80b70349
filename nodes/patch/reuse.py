"""What a method adds to the blocks, kept for a few steps: it changes slowly, and it is most of what boxes cost.

A step is known by its sigma, never by counting calls: samplers call twice, out of order and from the middle.  What one
step added serves the steps of its own part of the schedule, for the same rows of the same size at the same turn of an
evaluation, and nothing else.  Where calls cannot be told apart, as those of context windows or of two pictures that go
through one guider, all of them are computed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from ...roictrl_core.steps import serving_step, step_index
from .control import Reuse
from .points import Points, Spot
from .rows import Rows

LIMIT = 1 << 30  # bytes that one Apply keeps on one device: a guided pair at 2048 px in half precision is 0.7 GiB
ANOTHER = 0.4  # cosine: core's samplers from 4 steps on come back to an earlier latent by .35 at most (heunpp2)
TRAIL = 8  # calls that are looked back on
MANY = 32  # rows whose calls are looked back on: some packs make new ones in every step


class Place(NamedTuple):
    """Where in a run a call is: its rows, the turn of its batch in the sampler's evaluation, the noise level, and the
    number of the evaluation."""

    rows: Rows
    turn: int
    sigma: float
    evaluation: int


class Effects:
    """Of one sampling run on one device. ``border``: the sigma from which on not every step is computed."""

    def __init__(self, reuse: Reuse, border: float, say: Callable[..., None]) -> None:
        self.reuse, self.border, self.say = reuse, border, say
        self.bytes = self.peak = 0
        self.reused: set[int] = set()  # evaluations that reused something
        self._serving: tuple | None = None  # the schedule and the step of it that everything kept belongs to
        self._kept: dict[Hashable, Tensor] = {}
        self._trails: dict[Rows, deque[tuple[int, Tensor]]] = {}  # of each rows its last evaluations and their latents
        self._doubtful: set[Rows] = set()

    def points(self, points: Points, place: Place, sigmas: Sequence[float], x: Tensor) -> Points:
        """The method's functions for a call on ``x``, with results of an earlier step where those serve."""
        if self._is_doubtful(place, x):
            self.say("run.calls_alike")
            return points
        step, full = step_index(place.sigma, sigmas), sum(level > self.border for level in sigmas[:-1])
        serving, following = (serving_step(s, full, self.reuse.every) for s in (step, step + 1))
        if (serving, sigmas) != self._serving:
            self._serving, self.bytes = (serving, sigmas), 0
            self._kept.clear()
        at = partial(self._at, place, step != serving, following == serving)
        return points._replace(
            before=points.before and partial(_before, points.before, at),
            after=points.after and partial(_after, points.after, at),
        )

    def _is_doubtful(self, place: Place, x: Tensor) -> bool:
        """Whether rows were ever called with twice in one evaluation, or on two pictures by turns: nothing says then
        which of the two is which."""
        if place.rows in self._doubtful:
            return True
        trail = self._trails.setdefault(place.rows, deque(maxlen=TRAIL))
        direction = torch.nn.functional.normalize(x.flatten().float(), dim=0)
        if trail and (trail[-1][0] == place.evaluation or _returns([latent for _, latent in trail], direction)):
            self._doubtful.add(place.rows)
            del self._trails[place.rows]
            return True
        trail.append((place.evaluation, direction))
        if len(self._trails) > MANY:
            self._trails.pop(next(iter(self._trails)))
        return False

    def _at(
        self, place: Place, may: bool, keeps: bool, name: Hashable, state: Tensor, compute: Callable[[], Tensor]
    ) -> Tensor:
        """``state`` with the method's addition: the kept one where there ``may`` be one, else what it computes, which
        it ``keeps`` where the next step can want it."""
        key = (place.rows, place.turn, name, state.shape, state.dtype)
        if may and key in self._kept:
            self.reused.add(place.evaluation)
            return state + self._kept[key]
        out = compute()
        if keeps:
            self._keep(key, out - state)
        return out

    def _keep(self, key: Hashable, added: Tensor) -> None:
        before = self._kept.pop(key, None)
        self.bytes += added.nbytes - (0 if before is None else before.nbytes)
        if self.bytes > LIMIT:
            self.bytes -= added.nbytes
            self.say("run.kept_enough", limit=f"{LIMIT / (1 << 30):g}")
            return
        self._kept[key] = added
        self.peak = max(self.peak, self.bytes)


def _returns(trail: Sequence[Tensor], latent: Tensor) -> bool:
    """Whether a latent is much nearer to an earlier one than to the last: another picture was between them."""
    if len(trail) < 2:
        return False
    alike = torch.stack(tuple(trail)) @ latent
    return bool(alike[:-1].max() > alike[-1] + ANOTHER)


def _before(function: Callable, at: Callable, h: Tensor, spot: Spot) -> Tensor:
    return at(("before", spot.block.number), h, lambda: function(h, spot))


def _after(function: Callable, at: Callable, h: Tensor, a: Tensor, n: Tensor, spot: Spot) -> Tensor:
    return at(("after", spot.block.number), a, lambda: function(h, a, n, spot))
