"""What instances do at a model's points.

One file per method, each an object that opens a session for every sampling run:

captioned.py           ROIs that read captions after cross-attention: what the next two share
roictrl.py             ROICtrl's adapter
roi_prompts.py         captions through the model's own cross-attention, without an adapter
instance_diffusion.py  InstanceDiffusion's fusers and ScaleU
gligen.py              GLIGEN's fusers
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ..points import Points
    from ..run import Call, Run

# What acts in a call of the model; None: nothing, and the call is the model's own.
Session = Callable[["Call"], "Points | None"]


class Method(Protocol):
    """One way to let instances act."""

    models: Sequence  # ModelPatchers that ComfyUI is to load along with the model

    def open(self, run: Run) -> Session:
        """A session for one sampling run; it ends with the run."""
