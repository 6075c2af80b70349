"""What a method adds to the blocks, kept for a few steps: it changes slowly, and it is most of what boxes cost.

A step is known by its sigma, never by counting calls: samplers call twice, out of order and from the middle.  What one
step added serves the steps of its own part of the schedule, for the same rows of the same size, and nothing else; where
several calls of one evaluation cannot be told apart, as those of context windows, all of them are computed.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import partial

from torch import Tensor

from ...roictrl_core.steps import serving_step, step_index
from .control import Reuse
from .points import Points, Spot
from .rows import Rows

LIMIT = 1 << 30  # bytes kept in one run on one device: a guided pair at 2048 px in half precision, 0.8 GB for SD1.x


class Effects:
    """Of one sampling run on one device. ``border``: the sigma from which on not every step is computed."""

    def __init__(self, reuse: Reuse, border: float, say: Callable[..., None]) -> None:
        self.reuse, self.border, self.say = reuse, border, say
        self.bytes = self.peak = 0
        self.reused: set[int] = set()  # evaluations that reused something
        self._serving: int | None = None  # the step that everything kept belongs to
        self._kept: dict[Hashable, Tensor] = {}
        self._evaluation, self._seen = -1, set()  # and the rows that it called with
        self._doubtful: set[Rows] = set()

    def points(self, points: Points, rows: Rows, sigma: float, sigmas: Sequence[float], evaluation: int) -> Points:
        """The method's functions for a call, with results of an earlier step in their place where those serve."""
        if self._is_doubtful(rows, evaluation):
            self.say("run.calls_alike")
            return points
        step, full = step_index(sigma, sigmas), sum(level > self.border for level in sigmas[:-1])
        serving = serving_step(step, full, self.reuse.every)
        if serving != self._serving:
            self._serving, self.bytes = serving, 0
            self._kept.clear()
        at = partial(self._at, rows, None if step == serving else evaluation)
        return points._replace(
            before=points.before and partial(_before, points.before, at),
            after=points.after and partial(_after, points.after, at),
        )

    def _is_doubtful(self, rows: Rows, evaluation: int) -> bool:
        """Whether an evaluation ever called twice with these rows: nothing says which of the two is which."""
        if evaluation != self._evaluation:
            self._evaluation, self._seen = evaluation, set()
        if rows in self._seen:
            self._doubtful.add(rows)
        self._seen.add(rows)
        return rows in self._doubtful

    def _at(self, rows: Rows, reusing: int | None, name: Hashable, state: Tensor, compute: Callable[[], Tensor]):
        """``state`` with the method's addition: the kept one in an evaluation that may, else what it computes."""
        key = (rows, name, state.shape, state.dtype)
        if reusing is not None and key in self._kept:
            self.reused.add(reusing)
            return state + self._kept[key]
        out = compute()
        self._keep(key, out - state)
        return out

    def _keep(self, key: Hashable, added: Tensor) -> None:
        before = self._kept.pop(key, None)
        self.bytes += added.nbytes - (0 if before is None else before.nbytes)
        if self.bytes > LIMIT:
            self.bytes -= added.nbytes
            self.say("run.kept_enough", limit=f"{LIMIT / 1e9:.1f}")
            return
        self._kept[key] = added
        self.peak = max(self.peak, self.bytes)


def _before(function: Callable, at: Callable, h: Tensor, spot: Spot) -> Tensor:
    return at(("before", spot.block.number), h, lambda: function(h, spot))


def _after(function: Callable, at: Callable, h: Tensor, a: Tensor, n: Tensor, spot: Spot) -> Tensor:
    return at(("after", spot.block.number), a, lambda: function(h, a, n, spot))
