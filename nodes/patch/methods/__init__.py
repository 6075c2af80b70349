"""What instances do at a model's points.

One file per method, each an object that opens a session for every sampling run:

captioned.py           ROIs that read captions after cross-attention: what the next two share
roictrl.py             ROICtrl's adapter
roi_prompts.py         captions through the model's own cross-attention, without an adapter
instance_diffusion.py  InstanceDiffusion's fusers and ScaleU
gligen.py              GLIGEN's fusers
eligen.py              EliGen: captions beside the prompt, by its own rule of places
beside.py              captions beside the prompt: which rows have which
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ..hosts import Host
    from ..points import Points
    from ..run import Call, Run

# What acts in a call of the model; None: nothing, and the call is the model's own.
Session = Callable[["Call"], "Points | None"]


class Method(Protocol):
    """One way to let instances act.

    Attributes:
        title: as people know it.
        acts: the sets of points of which it needs one.
        trained_for: the families for which there are weights; None: it needs none, and acts wherever the points are.
    """

    title: str
    acts: Sequence[frozenset[str]]
    trained_for: Sequence[str] | None
    models: Sequence  # ModelPatchers that ComfyUI is to load along with the model

    def open(self, run: Run) -> Session:
        """A session for one sampling run; it ends with the run."""


def acts_in(method: Method | type[Method], host: Host | type[Host]) -> bool:
    """Whether a host has the points that a method needs."""
    return any(needed <= host.offers for needed in method.acts)
