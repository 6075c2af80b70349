"""Image prompts as packs put them on a model, by a small stand-in."""

from __future__ import annotations

import comfy.ldm.modules.attention as comfy_attention
import torch


class ImagePrompt:
    """An image prompt per entry of ``prompts``, as such packs keep them: added to cross-attention where its mask is.

    Entries: ``seeds``, of the image tokens of each picture of a batch; ``mask`` of the whole picture, resized to
    whatever map the tokens are said to form; ``until``, the sigma from which on it acts.
    """

    def __init__(self, *prompts: dict) -> None:
        self.kwargs = list(prompts)

    def __call__(self, q, k, v, options):
        out = comfy_attention.optimized_attention(q, k, v, options["n_heads"])
        chunks, size = options["cond_or_uncond"], options["original_shape"]
        rows, scale = q.shape[0] // len(chunks), (size[2] * size[3] / q.shape[1]) ** 0.5
        pictures = (options.get("ad_params") or {}).get("sub_idxs") or list(range(rows))
        for prompt in self.kwargs:
            if float(options["sigmas"][0]) > prompt.get("until", 1e9):
                continue
            seeds = [
                prompt["seeds"][min(picture, len(prompt["seeds"]) - 1)] + 1000 * chunk
                for chunk in chunks
                for picture in pictures
            ]
            tokens = torch.stack(
                [torch.randn(4, q.shape[2], generator=torch.Generator().manual_seed(seed)) for seed in seeds]
            )
            image = comfy_attention.optimized_attention(q, tokens, tokens, options["n_heads"])
            if prompt.get("mask") is not None:
                side = round(size[2] / scale), round(size[3] / scale)
                image = image * torch.nn.functional.interpolate(prompt["mask"][None, None], side, mode="area").reshape(
                    1, -1, 1
                )
            out = out + image
        return out


def on(model, replacement, *blocks: tuple):
    """The model with it in some blocks, or in the first that reads text."""
    patched = model.clone()
    for block in blocks or (("input", 1),):
        # A function: up to ComfyUI 0.12 clone() deep-copies callable objects.
        patched.set_model_attn2_replace(lambda q, k, v, options: replacement(q, k, v, options), *block)
    return patched
