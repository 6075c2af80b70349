"""A transformer block's own cross-attention, read from inside the ROIs.

Whatever sits on attn2 acts here as it does outside: its layers are called (LoRA, fp8 and offloaded weights act only in
forward), an attention override gets its transformer_options, other packs' attn2_patches (hypernetworks) see each ROI's
context, and a registered replacement (IP-Adapter) is called with a copy of the options that describes the ROIs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import comfy.ldm.modules.attention as comfy_attention
import torch
from torch import Tensor

from ...roictrl_core.attention import BlockAttention

if TYPE_CHECKING:
    from .call import UNetCall
    from .topology import Block

Size = tuple[int, int]   # height, width of the grid that the queries of one ROI form


class CaptionAttention(BlockAttention):
    """attn2 of one block in one UNet call; ROI m (an index into the call's pairs) reads ``call.contexts[m]``."""

    def __init__(self, call: UNetCall, block: Block, options: dict) -> None:
        super().__init__(block.module.attn2, call.contexts, layer=block.layer, cache=call.cache, key=block.key)
        self.call, self.block, self.options = call, block, options
        self.replacement = call.replacements.get(block.key, call.replacements.get(block.key[:2]))

    def attend(self, rois: Tensor, pairs: Sequence[int]) -> Tensor:
        if self._is_plain:
            return super().attend(rois, pairs)
        return self._by_chunk(rois, pairs, projected=False)

    def project_queries(self, n: Tensor) -> Tensor | None:
        # A patch on attn2's input wants the ROIs themselves, not their queries.
        return None if self.call.context_patches else super().project_queries(n)

    def attend_queries(self, queries: Tensor, pairs: Sequence[int]) -> Tensor:
        if self._is_plain:
            return super().attend_queries(queries, pairs)
        return self._by_chunk(queries, pairs, projected=True)

    def attend_cells(self, cells: Tensor, pairs: Sequence[int], size: Size) -> Tensor:
        """``[m, T, C]`` -> ``[m, T, C]``: patches of the map, each of ``size`` = (height, width), T = height * width, as ROIs."""
        if self._is_plain:
            return super().attend(cells, pairs)
        return self._by_chunk(cells, pairs, projected=False, size=size)

    def attention(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        # Looked up at the call: some packs replace the function in its module.
        return comfy_attention.optimized_attention(
            q, k, v, self.attn2.heads, attn_precision=self.attn2.attn_precision, transformer_options=self.options)

    @property
    def _is_plain(self) -> bool:
        return self.replacement is None and not self.call.context_patches

    def _by_chunk(self, x: Tensor, pairs: Sequence[int], projected: bool, size: Size | None = None) -> Tensor:
        """ROIs of one cond chunk and one caption length at a time: a replacement is told whose rows it gets."""
        size = size or (round(x.shape[1] ** 0.5),) * 2
        groups: dict[tuple, list[int]] = {}
        for position, pair in enumerate(pairs):
            groups.setdefault((self.contexts[pair].shape[-2], self.call.chunk_number(pair)), []).append(position)
        members = torch.tensor([position for group in groups.values() for position in group], device=x.device)
        parts = [self._read(x[group], [pairs[i] for i in group], size, projected) for group in groups.values()]
        return torch.cat(parts)[members.argsort()]  # [m, T, C]

    def _read(self, x: Tensor, pairs: Sequence[int], size: Size, projected: bool) -> Tensor:
        options = self._options(pairs, size)
        contexts = [self.contexts[pair] for pair in pairs]
        contexts = torch.stack([text if text.ndim == 2 else text[self.layer] for text in contexts])  # [m, L, c]
        keys_from, values_from = self._patched(x, contexts, options)
        q = x if projected else self.attn2.to_q(x)
        k, v = self.attn2.to_k(keys_from), self.attn2.to_v(values_from)
        attend = self.replacement or (lambda q, k, v, _: self.attention(q, k, v))
        return self.project_out(attend(q, k, v, options))

    def _patched(self, x: Tensor, contexts: Tensor, options: dict) -> tuple[Tensor, Tensor]:
        """The contexts as other packs' attn2_patches leave them; one that changes the batch is left out."""
        keys_from = values_from = contexts
        for patch in self.call.context_patches:
            n, k, v = patch(x, keys_from, values_from, options)
            if n.shape[0] == k.shape[0] == v.shape[0] == x.shape[0]:
                keys_from, values_from = k, v
            else:
                self.call.say("run.batch_patch")
        return keys_from, values_from

    def _options(self, pairs: Sequence[int], size: Size) -> dict:
        """The block's options as if the ROIs were a batch of ``size`` latents of one cond chunk."""
        chunk = self.call.chunk_number(pairs[0])
        own = {**self.options, "cond_or_uncond": [self.call.chunks[chunk].index],
               "original_shape": [len(pairs), self.options["original_shape"][1], *size],
               "activations_shape": [len(pairs), self.block.channels, *size]}
        if "uuids" in own:
            own["uuids"] = [own["uuids"][chunk]]
        return own
