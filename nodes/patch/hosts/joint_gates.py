"""LoRAs in the layers of a model with joint attention: which of its tokens get how much.

The picture's tokens by their places, an instance's caption wholly; the prompt's tokens, and those that only fill up, as
much as the token of the picture that gets least: all of it where the box is the whole picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ....roictrl_core.segments import IMAGE, PROMPT
from ..gates import Gate
from ..points import Inputs, Segment, Size
from .gated import Masks, swaps
from .joint_families import Joined, JointFamily
from .swap import Swap


@dataclass(frozen=True)
class Tokens:
    """Those of a call of ``rows``: of prompt and captions, the ``segments``, and ``image`` ones on ``grids``."""

    kind: JointFamily
    joined: Joined
    segments: Sequence[Segment]
    grids: Sequence[Size]
    image: int
    rows: int

    def masks(self) -> Masks:
        """How much each token that enters a layer gets."""
        text = self.joined.tokens

        def mask(gate: Gate, name: str, x: Tensor) -> Tensor | None:
            if x.ndim != 3 or x.shape[0] != self.rows:
                return None
            if any(part in name for part in self.kind.text_layers):
                return self.of_text(gate) if x.shape[1] == text else None
            if x.shape[1] == self.image:
                return self.of_image(gate)
            return self.of_all(gate) if x.shape[1] == text + self.image else None

        return mask

    def of_image(self, gate: Gate) -> Tensor:
        """``[rows, image, 1]``: in every frame; reference pictures have none."""
        first = self.grids[0]
        here = gate.mask(first)
        parts = [
            here if grid == first else here.new_zeros(len(here), torch.Size(grid).numel(), 1) for grid in self.grids
        ]
        found = torch.cat(parts, 1)
        fill = _least(here).expand(-1, self.image - found.shape[1], -1)
        return torch.cat([found, fill], 1)

    def of_text(self, gate: Gate) -> Tensor:
        """``[rows, text, 1]``."""
        least = _least(gate.mask(self.grids[0]))
        parts = []
        for segment, length in zip(self.segments, self.joined.captions, strict=True):
            own = torch.zeros_like(least)
            if id(segment.text) in gate.texts:
                own[list(segment.rows)] = 1
            parts.append(torch.maximum(own, least).expand(-1, length, -1))
        return torch.cat([*parts, least.expand(-1, self.joined.prompt, -1)], 1)

    def of_all(self, gate: Gate) -> Tensor:
        """``[rows, text + image, 1]``, in the joint sequence's order."""
        owner = self.kind.owners(self.joined, self.image).to(gate.mask(self.grids[0]).device)
        text, image = self.of_text(gate), self.of_image(gate)
        mask = _least(image).expand(-1, len(owner), -1).clone()
        mask[:, owner == IMAGE] = image
        starts = [0, *torch.tensor(self.joined.lengths).cumsum(0).tolist()]
        for number, start in zip([*range(1, len(self.segments) + 1), PROMPT], starts, strict=False):
            mask[:, owner == number] = text[:, start : start + 1]
        return mask


def _least(mask: Tensor) -> Tensor:
    return mask.amin(1, keepdim=True)


def of_prompt(kind: JointFamily, inputs: Inputs) -> Tokens:
    """The tokens of a call without captions."""
    grids = kind.grids(inputs)
    image = sum(rows * columns for rows, columns in grids)
    image += kind.image_pads(image)
    return Tokens(kind, Joined((), kind.prompt_tokens(inputs.text.shape[1])), (), grids, image, len(inputs.x))


def gate_swaps(gated: Iterable[tuple], tokens: Tokens | None) -> Iterator[Swap]:
    """The layers that what several Applies brought changes."""
    for host, gates, memo in gated:
        yield from swaps(host, gates, tokens.masks(), memo)
