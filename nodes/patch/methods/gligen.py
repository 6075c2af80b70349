"""GLIGEN (CVPR 2023): gated self-attention over grounding tokens before cross-attention, by ComfyUI's own modules.

Equal to ComfyUI's GLIGEN Textbox Apply where that rounds a box to cells of 8 pixels and this does not need to; rows
that do not read captions get the null tokens that the model was trained with for the unconditional case.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import torch
from comfy.gligen import Gligen
from torch import Tensor

from ..control import Slot
from ..frames import project_box
from ..hosts import Host
from ..points import BEFORE, Points, Spot
from ..roles import CAPTION
from ..rows import Rows
from ..run import Call, Run


class GLIGEN:
    """``patcher`` is what GLIGENLoader gives; ``texts`` the pooled captions ``[width]`` of the Apply's slots."""

    title, trained_for = "GLIGEN", ("SD1.x",)
    acts = (frozenset({BEFORE}),)

    def __init__(self, patcher, texts: Iterable[tuple[Slot, Tensor]]) -> None:
        self.network: Gligen = patcher.model
        self.models = [patcher]
        self.texts = dict(texts)

    def open(self, run: Run) -> GLIGENSession:
        """A session for one sampling run."""
        return GLIGENSession(self, run)


class GLIGENSession:
    """One sampling run: the grounding tokens of equal rows are made once."""

    def __init__(self, method: GLIGEN, run: Run) -> None:
        self.network, self.texts, self.run = method.network, method.texts, run

    def __call__(self, call: Call) -> Points:
        tokens = self.run.memo.make(("tokens", call.rows, call.device), lambda: self._tokens(call.rows, call.device))
        return Points(before=partial(self._fuse, tokens))

    def _fuse(self, tokens: Tensor, h: Tensor, spot: Spot) -> Tensor:
        fused = self.network.module_list[spot.block.number](h, tokens.to(device=h.device, dtype=h.dtype))
        strength = self.run.control.strength
        return fused if strength == 1 else h + strength * (fused - h)

    def _tokens(self, rows: Rows, device: torch.device) -> Tensor:
        """``[rows, max_objs, width]`` float32."""
        count = self.network.max_objs
        boxes, masks = torch.zeros(len(rows), count, 4), torch.zeros(len(rows), count)
        texts = torch.zeros(len(rows), count, text_width(self.network))
        for r, (chunk, slots, _) in enumerate(rows):
            for s, slot in enumerate(slots):
                box = None if slot is None or chunk.role != CAPTION else project_box(slot.box, chunk.frame)
                if box is not None:
                    boxes[r, s], texts[r, s] = torch.tensor(box).clamp(0, 1), self.texts[slot]
                    masks[r, s] = min(slot.strength, 1.0)  # a weaker one is nearer to the null token
        return self.network.position_net(*(tensor.to(device) for tensor in (boxes, masks, texts)))


def text_width(network: Gligen) -> int:
    """Numbers of a pooled caption that the weights read."""
    return network.position_net.in_dim


def check_fits(host: Host, network: Gligen) -> None:
    """Raises ValueError where the weights were made for another model."""
    wanted = [module.norm1.normalized_shape[0] for module in network.module_list]
    if wanted != [block.channels for block in host.blocks]:
        widths = "/".join(str(width) for width in sorted(set(wanted)))
        raise ValueError(
            f"the GLIGEN weights are for {len(wanted)} text blocks of {widths} channels, and this model "
            f"({host.family}) is {host.shape}. Use the checkpoint that they were trained on, or a fine-tune of it."
        )
