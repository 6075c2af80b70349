"""A transformer block's own cross-attention, read from inside the ROIs.

Whatever sits on attn2 acts here as it does outside: its layers are called (LoRA, fp8 and offloaded weights act only in
forward), an attention override is told what the ROIs are, other packs' attn2_patches (hypernetworks) see each ROI's
context, and a registered replacement (IP-Adapter) acts as `unet_replacements.py` found: called with a copy of the
options that describes the ROIs, or by what it adds on the map.  A box with an image prompt of its own has that instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import comfy.ldm.modules.attention as comfy_attention
import torch
from torch import Tensor

from ....roictrl_core.attention import BlockAttention
from ....roictrl_core.notes import listed
from ..points import Carry, Reading, Size
from .unet_replacements import EFFECT, NOISE, Effect, Replacement, named_rows, replacement_in, unfit

if TYPE_CHECKING:
    from .unet import UNetBlock

OVERRIDE = "optimized_attention_override"  # in transformer_options: another pack's attention kernel


class CaptionAttention(BlockAttention):
    """attn2 of one block in one call; ROI m (an index into the reading's pairs) reads ``reading.texts[m]``.

    ``carry`` reads maps at the ROIs as the method reads its own.
    """

    def __init__(
        self, block: UNetBlock, reading: Reading, options: dict, context_patches: Sequence[Callable], carry: Carry
    ) -> None:
        texts = [text.tokens for text in reading.texts]
        super().__init__(block.module.attn2, texts, layer=block.layer, cache=reading.cache, key=block.key)
        self.block, self.reading, self.options, self.carry = block, reading, options, carry
        self.context_patches = context_patches
        self._size: Size = (0, 0)  # of the grid that the queries of the ROIs at hand form
        effect = options.get(EFFECT, Effect())
        self.replacement, self.added = effect.inside, effect.added
        if self.added is not None and reading.rows.chosen is not None:
            self.added = self.added[reading.rows.chosen]
        self._is_plain = not (self.replacement or context_patches or any(text.image_prompt for text in reading.texts))

    def attend(self, rois: Tensor, pairs: Sequence[int], grid: Size) -> Tensor:
        self._size = grid
        if self._is_plain:
            return super().attend(rois, pairs, grid)
        return self._by_chunk(rois, pairs, projected=False)

    def project_queries(self, n: Tensor) -> Tensor | None:
        # A patch on attn2's input wants the ROIs themselves, not their queries.
        return None if self.context_patches else super().project_queries(n)

    def attend_queries(self, queries: Tensor, pairs: Sequence[int], grid: Size) -> Tensor:
        self._size = grid
        if self._is_plain:
            return super().attend_queries(queries, pairs, grid)
        return self._by_chunk(queries, pairs, projected=True)

    def attention(self, q: Tensor, k: Tensor, v: Tensor, pairs: Sequence[int]) -> Tensor:
        # An override may ask where its rows are; without one nobody reads the options.
        return self._kernel(q, k, v, self._options(pairs) if OVERRIDE in self.options else self.options)

    def _kernel(self, q: Tensor, k: Tensor, v: Tensor, options: dict) -> Tensor:
        if OVERRIDE in options and self._is_deaf(q, k, v, options):
            self.reading.say("run.text_ignored")
            options = {key: value for key, value in options.items() if key != OVERRIDE}
        return self._attend(q, k, v, options)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, options: dict) -> Tensor:
        # Looked up at the call: some packs replace the function in its module.
        return comfy_attention.optimized_attention(
            q, k, v, self.attn2.heads, attn_precision=self.attn2.attn_precision, transformer_options=options
        )

    def _is_deaf(self, q: Tensor, k: Tensor, v: Tensor, options: dict) -> bool:
        """Whether an attention override gives the same whatever the text's values are; asked once per run and block."""

        def look() -> bool:
            heard, without = (self._attend(q, k, values, options) for values in (v, torch.zeros_like(v)))
            return bool((heard - without).abs().amax() <= NOISE * v.abs().amax())

        return self.reading.memo.make(("deaf override", id(options[OVERRIDE]), self.block.key), look)

    def attended(self, queries: Tensor, pairs: Sequence[int]) -> Tensor:
        return self._with_added(super().attended(queries, pairs), pairs)

    def _with_added(self, attended: Tensor, pairs: Sequence[int]) -> Tensor:
        return attended if self.added is None else attended + self.carry(self.added, pairs).to(attended.dtype)

    def _by_chunk(self, x: Tensor, pairs: Sequence[int], projected: bool) -> Tensor:
        """ROIs of one cond chunk, one kind of caption and one image prompt at a time: a replacement is told whose rows
        it gets."""
        groups: dict[tuple, list[int]] = {}
        for position, pair in enumerate(pairs):
            own = id(self.reading.texts[pair].image_prompt)
            kind = self.contexts[pair].shape[-2], self._chunk_number(pair), self._in_pairs(pair), own
            groups.setdefault(kind, []).append(position)
        members = torch.tensor([position for group in groups.values() for position in group], device=x.device)
        parts = [self._read(x[group], [pairs[i] for i in group], projected) for group in groups.values()]
        return torch.cat(parts)[members.argsort()]  # [m, T, C]

    def _read(self, x: Tensor, pairs: Sequence[int], projected: bool) -> Tensor:
        options = self._options(pairs, one_chunk=True)
        contexts = [self.contexts[pair] for pair in pairs]
        contexts = torch.stack([text if text.ndim == 2 else text[self.layer] for text in contexts])  # [m, L, c]
        keys_from, values_from = self._patched(x, contexts, self._in_pairs(pairs[0]), options)
        q = x if projected else self.attn2.to_q(x)
        k, v = self.attn2.to_k(keys_from), self.attn2.to_v(values_from)
        prompt = self.reading.texts[pairs[0]].image_prompt
        if prompt is not None:
            own = replacement_in(prompt, self.block.key)
            return self.project_out(
                self._kernel(q, k, v, options) if own is None else self._own(own, q, k, v, options, pairs)
            )
        attend = self.replacement or self._kernel
        return self.project_out(self._with_added(attend(q, k, v, options), pairs))

    def _own(
        self, replacement: Replacement, q: Tensor, k: Tensor, v: Tensor, options: dict, pairs: Sequence[int]
    ) -> Tensor:
        """Read by a box's own image prompt; of each block's it is asked once whether it fits a box."""
        out, key = replacement(q, k, v, options), ("image prompt", id(replacement), self.block.key)
        if key not in self.reading.memo:
            notes = unfit(replacement, q, k, v, out, self._kernel(q, k, v, options), options)
            if notes is not None:
                self.reading.memo[key] = notes
            for code in notes or ():
                self.reading.say(code, name=self._box(pairs[0]))
        return out

    def _box(self, pair: int) -> str:
        """What the box of an ROI is called."""
        row, slot = self.reading.pairs[pair]
        _, slots, _ = list(self.reading.rows)[row]
        return listed([slots[slot].name])

    def _in_pairs(self, pair: int) -> bool:
        """Whether a caption's tokens come by two, one for the key and one for the value, as from NegPip's CLIP."""

        def look() -> tuple[Tensor, bool]:
            keys, values = text[..., ::2, :], text[..., 1::2, :]
            # The two differ in the words that weigh less than 0 alone, and every text has others: begin and end.
            return text, keys.shape == values.shape and bool((keys == values).all(-1).any())

        text = self.contexts[pair]
        return bool(self.context_patches) and self.reading.memo.make(("in pairs", id(text)), look)[1]

    def _patched(self, x: Tensor, contexts: Tensor, in_pairs: bool, options: dict) -> tuple[Tensor, Tensor]:
        """The contexts as other packs' attn2_patches leave them; one that changes the batch, or does not read them, is
        left out."""
        keys_from = values_from = contexts
        for patch in self.context_patches:
            n, k, v = patch(x, keys_from, values_from, options)
            if not in_pairs and _takes_every_second(k, keys_from):
                self.reading.say("run.text_not_in_pairs")
                n, k, v = patch(x, keys_from.repeat_interleave(2, 1), values_from.repeat_interleave(2, 1), options)
            if not n.shape[0] == k.shape[0] == v.shape[0] == x.shape[0]:
                self.reading.say("run.batch_patch")
            elif self._ignores_text(patch, x, contexts, k, options):
                self.reading.say("run.text_ignored")
            else:
                keys_from, values_from = k, v
        return keys_from, values_from

    def _ignores_text(self, patch: Callable, x: Tensor, contexts: Tensor, k: Tensor, options: dict) -> bool:
        """Whether an attn2_patch gives the same keys whatever the text is; asked once per run and block."""

        def look() -> bool:
            nothing = torch.zeros_like(contexts)
            return torch.equal(patch(x, nothing, nothing, dict(options))[1], k)

        return self.reading.memo.make(("deaf patch", id(patch), self.block.key), look)

    def _options(self, pairs: Sequence[int], one_chunk: bool = False) -> dict:
        """The block's options as if the ROIs were latents.

        Latents of one cond chunk, or each of its own.
        """
        rows, size = self.reading.rows, self._size
        chunks = [self._chunk_number(pair) for pair in (pairs[:1] if one_chunk else pairs)]
        own = {
            **self.options,
            "cond_or_uncond": [rows.chunks[chunk].index for chunk in chunks],
            "original_shape": [len(pairs), self.options["original_shape"][1], *size],
            "activations_shape": [len(pairs), self.block.channels, *size],
        }
        own.update(named_rows(own, [self.reading.pairs[pair].row % rows.count for pair in pairs], rows.count))
        if "uuids" in own:
            own["uuids"] = [rows.uuids[chunk] for chunk in chunks]
        return own

    def _chunk_number(self, pair: int) -> int:
        """Which chunk the row of an ROI belongs to."""
        return self.reading.pairs[pair].row // self.reading.rows.count


def _takes_every_second(k: Tensor, context: Tensor) -> bool:
    """Whether a patch reads keys and values by turns out of ``context`` ``[m, L, c]``, as NegPip does."""
    return k.shape[1] < context.shape[1] and torch.equal(k, context[:, ::2])
