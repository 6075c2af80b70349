"""What differs between the families with text cross-attention: where it is, how it is called, how text gets there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import comfy.ops
import torch
from torch import Tensor, nn

from ..control import Text
from ..memo import Memo
from ..points import CannotAct, Size
from .swap import Swap, base_of, marked, unwrapped
from .transformer import Family

Pack = Callable[[Tensor], object]
_PASSED = "calls of the text blocks"  # forward, time embedding and keywords of each


@dataclass(frozen=True)
class OwnCall:
    """How a block just called its cross-attention: the module's forward, its input ``[B, T, C]`` and what came with
    it; the model call's ``options``, and what is kept for its time."""

    base: Callable
    x: Tensor
    args: tuple
    kwargs: Mapping
    options: Mapping
    memo: Memo


class CrossFamily(Family):
    """One class of diffusion models with text cross-attention."""

    blocks, attention = "blocks", "cross_attn"

    def attentions(self) -> list[tuple[str, nn.Module]]:
        return [
            (f"{self.blocks}.{number}", getattr(unwrapped(block), self.attention))
            for number, block in enumerate(getattr(self.module, self.blocks))
        ]

    def reader(self, block: str) -> str:
        """The name in the model of a block's cross-attention."""
        return f"{block}.{self.attention}"

    def tokens(self, size: Sequence[int]) -> Size:
        """(Frames,) rows and columns of the tokens of latents of ``size``."""
        *frames, height, width = size
        return (*frames, -(-height // self.patch), -(-width // self.patch))

    def swaps(self, memo: Memo) -> Sequence[Swap]:
        """Further modules whose forward is to be another for the time of a call, of which ``memo`` is."""
        return ()

    def text(self, text: Text) -> Tensor:
        """A caption ``[1, L, D]`` as the blocks read it."""
        return text.tokens[None]

    def own(
        self,
        call: OwnCall,
        cells: Tensor,
        text: Text,
        read: Tensor,
        rows: Sequence[int],
        at_cells: Callable[[Tensor], Tensor],
    ) -> Tensor:
        """``[m, T, C]``: the block's cross-attention on cells of the same places in m ``rows``.

        ``read`` is the caption ``[1, L, D]`` of `text`, and ``at_cells`` takes maps ``[B, T, I]`` to ``[m, T, I]``.
        """
        _, *others = call.args
        return call.base(cells, read.expand(len(cells), -1, -1), *others, **call.kwargs)

    def unpacked(self, out: object) -> tuple[Tensor, Pack]:
        """The tensor in what the cross-attention gives, and how it is put back."""
        return out, lambda a: a


class Cosmos(CrossFamily):
    """Cosmos-Predict2 and Anima, whose adapter of the text is part of the model's door."""

    names = ("Cosmos-Predict2",)

    def measures(self) -> tuple[int, int, int]:
        attention = self.attentions()[0][1]
        return attention.q_proj.in_features, attention.n_heads, attention.k_proj.in_features

    def own(self, call, cells, text, read, rows, at_cells) -> Tensor:
        if "attn2_patch" in call.options.get("patches", {}):
            # Such a patch counts tokens and rows: it gets the whole map, and the cells are taken from the result.
            _, *others = call.args
            return at_cells(call.base(call.x, read.expand(len(call.x), -1, -1), *others, **call.kwargs))
        return super().own(call, cells, text, read, rows, at_cells)


class Anima(Cosmos):
    """Anima: the same blocks."""

    names = ("Anima",)


class Wan(CrossFamily):
    """Wan 2.1 and 2.2; image to video has the start image's tokens before the text's."""

    names = ("Wan 2.1 and 2.2",)

    def measures(self) -> tuple[int, int, int]:
        return self.module.dim, self.module.num_heads, self.module.text_dim

    def text(self, text: Text) -> Tensor:
        return self.module.text_embedding(text.tokens[None])

    def own(self, call, cells, text, read, rows, at_cells) -> Tensor:
        context, read = call.args[0], read.expand(len(cells), -1, -1)
        image_tokens = call.kwargs.get("context_img_len")
        if image_tokens:
            read = torch.cat([context[rows, :image_tokens], read], 1)
        return call.base(cells, read, *call.args[1:], **call.kwargs)


class LTX(CrossFamily):
    """LTX-Video; the mask of the text acts in every block."""

    names = ("LTX-Video",)
    blocks, attention = "transformer_blocks", "attn2"
    patch = 1

    def measures(self) -> tuple[int, int, int]:
        attention = self.attentions()[0][1]
        return attention.to_q.in_features, attention.heads, self.module.caption_projection.linear_1.in_features

    def why_not(self) -> str:
        if getattr(self.module, "cross_attention_adaln", False):
            return "changes the text in every block, captions too, so boxes cannot act in it"
        return ""

    def text(self, text: Text) -> Tensor:
        return self.module.caption_projection(text.tokens[None])

    def own(self, call, cells, text, read, rows, at_cells) -> Tensor:
        mask = text.others.get("attention_mask")
        if mask is not None and not torch.is_floating_point(mask):
            mask = (mask - 1).to(cells.dtype).reshape(1, 1, 1, -1) * torch.finfo(cells.dtype).max
        return call.base(cells, **{**call.kwargs, "context": read.expand(len(cells), -1, -1), "mask": mask})


class Kandinsky(CrossFamily):
    """Kandinsky 5: its text depends on the step, so captions go through the text blocks in every call."""

    names = ("Kandinsky 5",)
    blocks, attention = "visual_transformer_blocks", "cross_attention"

    def measures(self) -> tuple[int, int, int]:
        width = self.module.model_dim
        return width, self.attentions()[0][1].num_heads, self.module.text_embeddings.in_layer.in_features

    def swaps(self, memo: Memo) -> list[Swap]:
        """Notes how the text blocks are called with the prompt."""
        passed = memo.make(_PASSED, list)

        def noting(previous: Callable) -> Callable:
            base = base_of(previous)

            @torch.compiler.disable()
            def forward(x: Tensor, time_embed: Tensor, freqs: Tensor, **kwargs) -> Tensor:
                passed.append((base, time_embed, kwargs))
                return previous(x, time_embed, freqs, **kwargs)

            return marked(forward, previous)

        return [(unwrapped(block), noting) for block in self.module.text_transformer_blocks]

    def text(self, text: Text) -> Tensor:
        return self.module.text_embeddings(text.tokens[None])

    def own(self, call, cells, text, read, rows, at_cells) -> Tensor:
        now = call.memo.make(("now", id(text)), lambda: self._now(call, read))  # [B, L, D]
        return call.base(cells, now[rows], *call.args[1:], **call.kwargs)

    def _now(self, call: OwnCall, read: Tensor) -> Tensor:
        """The caption after the text blocks of this call, in every row."""
        read = read.expand(len(call.x), -1, -1)
        freqs = self.module.rope_encode_1d(read.shape[1], device=read.device, dtype=read.dtype)
        for base, time_embed, kwargs in call.memo[_PASSED]:
            read = base(read, time_embed, freqs, **kwargs)
        return read


class PixArt(CrossFamily):
    """PixArt: the texts of a batch arrive one after the other in one row."""

    names = ("PixArt",)

    def least_side(self, height: int, width: int) -> int:
        """It divides by a number that is 0 where the sides' mean is under 33."""
        return max(34, 66 - min(height, width))

    def measures(self) -> tuple[int, int, int]:
        attention = self.attentions()[0][1]
        return attention.d_model, attention.num_heads, self.module.y_embedder.y_proj.fc1.in_features

    def text(self, text: Text) -> Tensor:
        return self.module.y_embedder(text.tokens[None, None], False).squeeze(1)

    def own(self, call, cells, text, read, rows, at_cells) -> Tensor:
        return call.base(cells.contiguous(), read.expand(len(cells), -1, -1).reshape(1, -1, read.shape[-1]), None)


class HunyuanDiT(CrossFamily):
    """HunyuanDiT: CLIP's text and mT5's, masked places become learned vectors; queries carry the places' rotation."""

    names = ("HunyuanDiT",)
    attention = "attn2"

    def measures(self) -> tuple[int, int, int]:
        attention = self.attentions()[0][1]
        return attention.qdim, attention.num_heads, self.module.text_states_dim

    def text(self, text: Text) -> Tensor:
        names = ("encoder_hidden_states_t5", "text_embedding_mask", "text_embedding_mask_t5")
        if any(name not in text.others for name in names):
            raise CannotAct(
                "a caption has CLIP's text without mT5's, and HunyuanDiT reads both. Connect the CLIP that came with "
                "the model, or give an instance's custom conditioning from it."
            )
        module, clip = self.module, text.tokens[None]
        t5, *masks = (text.others[name] for name in names)
        t5 = module.mlp_t5(t5.to(clip.dtype))
        padding = comfy.ops.cast_to_input(module.text_embedding_padding, clip)
        lengths = (module.text_len, module.text_len_t5)
        parts = zip((clip, t5), masks, padding.split(lengths), lengths, strict=True)
        return torch.cat([_padded(states, mask.bool(), fill, length) for states, mask, fill, length in parts], 1)

    def own(self, call, cells, text, read, rows, at_cells) -> Tensor:
        rotation = [at_cells(table.expand(len(call.x), -1, -1))[0] for table in call.args[1]]
        (own,) = call.base(cells, read.expand(len(cells), -1, -1), tuple(rotation))
        return own

    def unpacked(self, out: tuple) -> tuple[Tensor, Pack]:
        return out[0], lambda a: (a,)


def _padded(states: Tensor, mask: Tensor, padding: Tensor, length: int) -> Tensor:
    """``[1, L, D]`` with learned vectors in the masked ones of the last ``length`` places, as the model has them."""
    last = torch.where(mask[:, -length:, None], states[:, -length:], padding)
    return torch.cat([states[:, :-length], last], 1)


FAMILIES: Mapping[str, type[CrossFamily]] = {
    "cosmos.predict2.MiniTrainDIT": Cosmos,
    "anima.model.Anima": Anima,
    "wan.model.WanModel": Wan,
    "lightricks.model.LTXVModel": LTX,
    "kandinsky5.model.Kandinsky5": Kandinsky,
    "pixart.pixartms.PixArtMS": PixArt,
    "hydit.models.HunYuanDiT": HunyuanDiT,
}
