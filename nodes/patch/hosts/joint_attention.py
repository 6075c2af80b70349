"""The host for diffusion transformers whose text and image attend together: FLUX, Qwen-Image, Z-Image and their like.

Its point is the text: captions stand beside the prompt, and who reads whom is a rule (`roictrl_core.segments`).  What
differs between the families is in `joint_families.py`.  All Applies bring their captions to a call first; one wrapper
joins them, as an inner Apply would take an outer one's for the prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ....roictrl_core.segments import Caption, Readers, attend, readers
from ..gates import Gate
from ..memo import Memo
from ..points import TEXT, CannotAct, Inputs, Points, Segment, Size
from .joint_families import FAMILIES, JointFamily
from .joint_gates import Tokens, gate_swaps, of_prompt
from .swap import marked, swapped, unwrapped
from .transformer import Transformer
from .unet_attention import OVERRIDE

BROUGHT = "roictrl.segments"  # in transformer_options: what the Applies brought to this call,
GATES = "roictrl.gates"  # and their LoRAs


class JointAttentionDiT(Transformer):
    """A transformer of one of the families with joint attention."""

    kinds = FAMILIES
    families = tuple(name for kind in FAMILIES.values() for name in kind.names)
    offers = frozenset({TEXT})

    @staticmethod
    def installer(key: str) -> Callable:
        """As `Host.installer`: what is brought waits for `together`."""

        def install(host, inputs: Inputs, points: Points, size: tuple[int, ...], memo: Memo, say: Callable):
            segments = points.text(host.kind.grid(size)) if points.text else ()
            if not segments:
                return nullcontext(inputs)
            brought = (*inputs.options.get(BROUGHT, ()), _Brought(host.kind, tuple(segments), memo))
            return nullcontext(inputs._replace(options={**inputs.options, BROUGHT: brought}))

        return install

    @contextmanager
    def gated(self, gates: Sequence[Gate], inputs: Inputs, memo: Memo) -> Iterator[Inputs]:
        """As `Host.gated`: which tokens there are is known when all captions are, in `together`."""
        brought = (*inputs.options.get(GATES, ()), (self, tuple(gates), memo))
        yield inputs._replace(options={**inputs.options, GATES: brought})

    @staticmethod
    @contextmanager
    def together(inputs: Inputs) -> Iterator[Inputs]:
        """A call in which the prompt, the image and all captions attend by the rule."""
        brought, gated = inputs.options.get(BROUGHT, ()), inputs.options.get(GATES, ())
        if not brought:
            with swapped(gate_swaps(gated, of_prompt(gated[0][0].kind, inputs) if gated else None)):
                yield inputs
            return
        kind, memo = brought[0].kind, brought[0].memo
        joint = _Joint(kind, inputs, tuple(segment for part in brought for segment in part.segments), memo)
        with swapped([*gate_swaps(gated, joint.sequence), *joint.swaps()]):
            yield joint.inputs
        # Only the first call must: caches that skip steps are no fault.
        if not memo.make("attention met", lambda: joint.met):
            raise CannotAct(
                "the model's attention does not go through ComfyUI's, so the whole picture would read every caption. "
                "Remove the node that replaces the model or its attention, or the boxes."
            )


@dataclass(frozen=True)
class _Brought:
    """What one Apply brings to a call of a model of a family, with its run's memo."""

    kind: JointFamily
    segments: tuple[Segment, ...]
    memo: Memo


class _Joint:
    """One call of the model with its captions: the inputs, and the attention that its blocks are to have."""

    def __init__(self, kind: JointFamily, inputs: Inputs, segments: Sequence[Segment], memo: Memo) -> None:
        self.kind, self.segments, self.memo = kind, segments, memo
        self.grids, self.rows, self.device = tuple(kind.grids(inputs)), len(inputs.x), inputs.x.device
        # Joint attentions so far, and the number of the block that runs, where that is to be known.
        self.met, self.block = 0, None
        self.numbered = kind.flagged or any(segment.blocks is not None for segment in segments)
        joined_inputs, self.joined = kind.joined(inputs, [segment.text for segment in segments])
        image = sum(rows * columns for rows, columns in self.grids)
        image += kind.image_pads(image)
        self.image, self.tokens = image, self.joined.tokens + image
        self.key = ("readers", *map(id, segments), self.joined, self.grids, self.rows, self.device)
        self.previous = inputs.options.get(OVERRIDE)
        options = {key: value for key, value in inputs.options.items() if key not in (BROUGHT, GATES)}
        self.inputs = joined_inputs._replace(options={**options, OVERRIDE: self._override()})

    @property
    def sequence(self) -> Tokens:
        """Its tokens."""
        return Tokens(self.kind, self.joined, self.segments, self.grids, self.image, self.rows)

    @property
    def groups(self) -> list[tuple[Tensor | None, list[Readers]]]:
        """Rows that have the same captions, and who reads whom in them, in the block that runs."""
        read = tuple(segment.blocks is None or self.block in segment.blocks for segment in self.segments)
        return self.memo.make((*self.key, read), lambda: self._groups(read))

    def _groups(self, read: Sequence[bool]) -> list[tuple[Tensor | None, list[Readers]]]:
        owner = self.kind.owners(self.joined, self.image)
        captions = [
            Caption(_on_image(segment.region, self.grids, self.image), segment.strength, segment.global_weight, is_read)
            for segment, is_read in zip(self.segments, read, strict=True)
        ]
        kinds: dict[tuple[bool, ...], list[int]] = {}
        for row in range(self.rows):
            kinds.setdefault(tuple(row in segment.rows for segment in self.segments), []).append(row)
        groups = []
        for has, rows in kinds.items():
            own = [caption if present else None for caption, present in zip(captions, has, strict=True)]
            chosen = None if len(rows) == self.rows else torch.tensor(rows, device=self.device)
            groups.append((chosen, [group.to(self.device) for group in readers(owner, own)]))
        return groups

    def swaps(self) -> list:
        """The family's, and its blocks where it matters which one runs."""
        found = self.kind.swaps(self.joined)
        if self.numbered:
            blocks = [unwrapped(block) for _, block in self.kind.attentions()]
            found += [(block, partial(self._numbering, number)) for number, block in enumerate(blocks)]
        return found

    def _numbering(self, number: int, previous: Callable) -> Callable:
        def forward(*args, **kwargs):
            self.block = number
            try:
                return previous(*args, **kwargs)
            finally:
                self.block = None

        return marked(forward, previous)

    def _is_joint(self, queries: int, keys: int) -> bool:
        """Whether an attention of a block is the joint one; raises CannotAct where it is and has other tokens."""
        if queries != keys or queries <= self.image:  # SD3.5's blocks have one over the image besides
            return False
        if queries != self.tokens:
            raise CannotAct(
                f"the model's blocks read {queries} tokens, and prompt, captions and picture have {self.tokens}. "
                "Another node adds tokens of its own, as a style reference does, and who may read them is not known. "
                "Remove that node, or the boxes."
            )
        return True

    def _override(self) -> Callable:
        @torch.compiler.disable()
        def override(func: Callable, q: Tensor, k: Tensor, v: Tensor, heads: int, mask: Tensor | None = None, **kwargs):
            run = func if self.previous is None else partial(self.previous, func)
            axis = 2 if kwargs.get("skip_reshape") else 1
            outside = self.numbered and self.block is None
            if outside or not self._is_joint(q.shape[axis], k.shape[axis]):
                return run(q, k, v, heads, mask=mask, **kwargs)
            self.met += 1
            return attend(
                lambda q, k, v, mask: run(q, k, v, heads, mask=mask, **kwargs),
                q,
                k,
                v,
                self.groups,
                mask,
                axis,
                2 if kwargs.get("skip_output_reshape") else 1,
            )

        return override


def _on_image(region: Tensor, grids: Sequence[Size], image: int) -> Tensor:
    """``[H, W]`` -> ``[image]`` bool: a reference picture of the picture's own size has the region too, others and
    tokens that only fill up have none."""
    parts = [region if grid == tuple(region.shape) else region.new_zeros(grid) for grid in grids]
    found = torch.cat([part.flatten() for part in parts])
    return torch.cat([found, found.new_zeros(image - len(found))])
