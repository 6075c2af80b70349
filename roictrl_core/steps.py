"""Which step of a sampling schedule an evaluation belongs to, and which step's results serve it."""

from __future__ import annotations

from collections.abc import Sequence


def step_index(sigma: float, sigmas: Sequence[float]) -> int:
    """Which step of a descending schedule (steps + 1 values) an evaluation at ``sigma`` belongs to.

    An evaluation between two levels, as second-order samplers make, belongs to the step that it starts from.
    """
    tolerance = 1e-4 * sigma
    reached = sum(level >= sigma - tolerance for level in sigmas[:-1])
    return max(reached - 1, 0)


def serving_step(step: int, full: int, every: int) -> int:
    """The step whose results serve ``step``: its own for the first ``full`` steps, then those of each ``every``-th.

    The first step is always its own, and the last of the full ones serves on.
    """
    first = max(full - 1, 0)
    return step if step < first else first + (step - first) // every * every
