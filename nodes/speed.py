"""How fast an Apply is: whether every step is computed, or what an earlier one added is reused.

The numbers behind balanced and fast keep control on tuning layouts of the demo benchmark (docs/performance.md).
"""

from __future__ import annotations

from comfy_api.latest import io

from .patch.control import OFF, Reuse
from .types import advanced, share_input

EXACT, BALANCED, FAST = "exact", "balanced", "fast"
SHARE, EVERY = 0.3, 4


def speed_inputs(*choices: str, fast: str = "") -> list[io.Input]:
    """The inputs ``speed``, ``computed_share`` and ``compute_every``; ``fast`` says what that choice does besides.

    Optional and last: graphs saved before there were any still run.
    """
    return [
        io.Combo.Input(
            "speed",
            options=list(choices),
            default=EXACT,
            optional=True,
            tooltip=(
                "Exact computes the boxes in every step. Balanced does so in the first part of the schedule, which "
                f"decides what stands where, and afterwards in every n-th step, whose result serves the others.{fast}"
            ),
        ),
        advanced(
            share_input(
                "computed_share",
                SHARE,
                "Where speed is not exact: the share of the schedule, from its start, in which every step is computed.",
                optional=True,
            )
        ),
        advanced(
            io.Int.Input(
                "compute_every",
                default=EVERY,
                min=1,
                max=100,
                optional=True,
                tooltip="Where speed is not exact: after that share every n-th step is computed; the others reuse it.",
            )
        ),
    ]


def reuse_of(speed: str, computed_share: float, compute_every: int) -> Reuse | None:
    """What the inputs ask of a sampling run."""
    return None if speed == EXACT else Reuse(computed_share, compute_every)


def uncond_of(speed: str, uncond_boxes: str) -> str:
    """What the rows that read no captions have of the boxes."""
    return OFF if speed == FAST else uncond_boxes
