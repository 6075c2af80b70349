"""A small image prompt after IP-Adapter (Ye et al., 2023, equation 5), with random weights, for SD1.x.

Each text block's cross-attention gets another on tokens of the picture, with keys and values of its own:
``attention(q, k, v) + weight * mask * attention(q, k', v')``; the tokens of the negative pass are those of zeros.  A
mask of the whole picture is scaled to the block's tokens.
"""

from __future__ import annotations

import comfy.ldm.modules.attention as comfy_attention
import torch
from torch import Tensor
from torch.nn import functional as F

TOKENS, WIDTH = 4, 48  # of a picture
BLOCKS = (
    *(("input", number) for number in (1, 2, 4, 5, 7, 8)),
    ("middle", 0),
    *(("output", number) for number in range(3, 12)),
)


def tokens_of(image: Tensor) -> Tensor:
    """``[1, H, W, C]`` to ``[1, TOKENS, WIDTH]``: 4 x 12 mean colours."""
    pooled = F.adaptive_avg_pool2d(image[:1, ..., :3].movedim(-1, 1), (4, 4))  # [1, 3, 4, 4]
    return 4 * pooled.reshape(1, TOKENS, -1).repeat(1, 1, 4) - 2


def scaled_mask(mask: Tensor, tokens: int, size: tuple[int, ...]) -> Tensor:
    """``[1, H, W]`` to ``[1, tokens, 1]`` for a latent of ``size``."""
    height = round((tokens * size[-2] / size[-1]) ** 0.5)
    return F.interpolate(mask[:1, None], (height, tokens // height), mode="bilinear").reshape(1, -1, 1)


def replacement(image: Tensor, weight: float, mask: Tensor | None, number: int):
    """What takes attn2's place in the ``number``-th block."""

    def attend(q: Tensor, k: Tensor, v: Tensor, options: dict) -> Tensor:
        out = comfy_attention.optimized_attention(q, k, v, options["n_heads"])  # [rows, T, I]
        chunks = options["cond_or_uncond"]
        made = torch.Generator().manual_seed(number)
        keys, values = (torch.randn(WIDTH, q.shape[2], generator=made).to(q) / WIDTH**0.5 for _ in range(2))
        picture = tokens_of(image).to(q)
        rows = q.shape[0] // len(chunks)
        read = torch.cat([(picture if chunk == 0 else 0 * picture).expand(rows, -1, -1) for chunk in chunks])
        added = weight * comfy_attention.optimized_attention(q, read @ keys, read @ values, options["n_heads"])
        return out + (added if mask is None else added * scaled_mask(mask, q.shape[1], options["original_shape"]).to(q))

    return attend


def stacked(before, then):
    """Two image prompts in one block: the second adds its own to what the first gives, as such packs do."""

    def attend(q: Tensor, k: Tensor, v: Tensor, options: dict) -> Tensor:
        plain = comfy_attention.optimized_attention(q, k, v, options["n_heads"])
        return before(q, k, v, options) + then(q, k, v, options) - plain

    return attend


class ImagePrompt:
    """MODEL, a picture, a weight and perhaps a mask -> MODEL."""

    CATEGORY, FUNCTION, RETURN_TYPES = "tests", "apply", ("MODEL",)

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        required = {"model": ("MODEL",), "image": ("IMAGE",), "weight": ("FLOAT", {"default": 1.0})}
        return {"required": required, "optional": {"attn_mask": ("MASK",)}}

    def apply(self, model, image, weight: float, attn_mask=None) -> tuple:
        patched = model.clone()
        options = model.model_options.get("transformer_options", {})
        there = options.get("patches_replace", {}).get("attn2", {})
        for number, block in enumerate(BLOCKS):
            own = replacement(image, weight, attn_mask, number)
            before = there.get(block)
            patched.set_model_attn2_replace(stacked(before, own) if before else own, *block)
        return (patched,)
