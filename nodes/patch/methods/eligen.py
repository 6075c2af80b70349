"""EliGen: entities' prompts beside the global one, with or without its LoRA on the model.

The arithmetic is in `roictrl_core.eligen` and `roictrl_core.segments`.
"""

from __future__ import annotations

import torch

from ....roictrl_core.eligen import region
from ....roictrl_core.instances import InstanceBatch
from ..control import PROMPT
from ..hosts import Host
from ..points import TEXT, Points, Reading, Segment, Size
from ..run import Run
from .beside import once, segments
from .captioned import CaptionedSession, Order


class EliGen:
    """Nothing to load: the LoRA is the model's."""

    title, trained_for = "EliGen", ("Qwen-Image", "FLUX.1")
    acts = (frozenset({TEXT}),)
    models = ()

    def open(self, run: Run) -> EliGenSession:
        """A session for one sampling run."""
        return EliGenSession(self, run)

    def slot_count(self, used: int) -> int:
        """As many as there are entities."""
        return used


class EliGenSession(CaptionedSession):
    """One sampling run of EliGen."""

    def points(self, instances: InstanceBatch, reading: Reading, order: Order) -> Points:
        """In the text; on the negative, where it has entities, each of them reads the negative prompt."""
        control = self.run.control

        def make(size: Size) -> list[Segment]:
            cells = reading.rows.size[-2:]
            boxes = instances.pair_boxes.tolist()
            regions = [
                region(box, instances.masks.get(pair), *cells) for pair, box in zip(reading.pairs, boxes, strict=True)
            ]
            regions = torch.stack(regions) if regions else torch.zeros(0, *size[-2:], dtype=torch.bool)
            return segments(instances, reading, regions, control.strength, own=control.uncond == PROMPT)

        return Points(text=once(self.run.memo, instances, make))


def check_fits(host: Host) -> None:
    """Raises ValueError where the method's LoRAs are for other models."""
    if host.name not in EliGen.trained_for:
        raise ValueError(
            f"EliGen is trained for {' and '.join(EliGen.trained_for)}, and this model ({host.family}) is {host.name}. "
            "Use Apply Boxes, which picks what this model can do."
        )
