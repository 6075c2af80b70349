"""IP-Adapter (Ye et al., 2023) for SD1.x, small: the two nodes that our workflows use of ComfyUI_IPAdapter_plus, by
their ids and inputs, for machines without that pack.

It reads the published files: a projection of the picture's embedding to four tokens, and per cross-attention a key and
a value projection of those.  Each block that reads text then gives ``attention(q, k, v) + weight * mask *
attention(q, k', v')`` (equation 5); the negative pass reads the tokens of an embedding of zeros.
"""

from __future__ import annotations

import comfy.ldm.modules.attention as comfy_attention
import comfy.utils
import folder_paths
import torch
from torch import Tensor
from torch.nn import functional as F

FOLDER, TOKENS = "ipadapter", 4
# In the order of the file's projections, which is diffusers': down, up, middle.
BLOCKS = (
    *(("input", number) for number in (1, 2, 4, 5, 7, 8)),
    *(("output", number) for number in range(3, 12)),
    ("middle", 0),
)
folder_paths.add_model_folder_path(FOLDER, f"{folder_paths.models_dir}/{FOLDER}")


class IPAdapterModelLoader:
    """A file in models/ipadapter -> IPADAPTER."""

    CATEGORY, FUNCTION, RETURN_TYPES = "ipadapter", "load", ("IPADAPTER",)

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        return {"required": {"ipadapter_file": (folder_paths.get_filename_list(FOLDER),)}}

    def load(self, ipadapter_file: str) -> tuple:
        tensors = comfy.utils.load_torch_file(folder_paths.get_full_path_or_raise(FOLDER, ipadapter_file))
        return ({key: tensor.float() for key, tensor in tensors.items()},)


class IPAdapterAdvanced:
    """MODEL, IPADAPTER, a picture and CLIP_VISION -> MODEL."""

    CATEGORY, FUNCTION, RETURN_TYPES = "ipadapter", "apply", ("MODEL",)

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        share = {"min": 0.0, "max": 1.0, "step": 0.001}
        required = {
            "model": ("MODEL",),
            "ipadapter": ("IPADAPTER",),
            "image": ("IMAGE",),
            "weight": ("FLOAT", {"default": 1.0, "min": -1, "max": 5, "step": 0.05}),
            "weight_type": (["linear"],),
            "combine_embeds": (["concat"],),
            "start_at": ("FLOAT", {"default": 0.0, **share}),
            "end_at": ("FLOAT", {"default": 1.0, **share}),
            "embeds_scaling": (["V only"],),
        }
        optional = {"image_negative": ("IMAGE",), "attn_mask": ("MASK",), "clip_vision": ("CLIP_VISION",)}
        return {"required": required, "optional": optional}

    def apply(
        self, model, ipadapter, image, weight, start_at, end_at, attn_mask=None, clip_vision=None, **settings
    ) -> tuple:
        seen = clip_vision.encode_image(image)["image_embeds"].float()
        tokens = [tokens_of(ipadapter, embedding) for embedding in (seen, torch.zeros_like(seen))]
        sampling, patched = model.get_model_object("model_sampling"), model.clone()
        window = sampling.percent_to_sigma(start_at), sampling.percent_to_sigma(end_at)
        there = model.model_options.get("transformer_options", {}).get("patches_replace", {}).get("attn2", {})
        for number, block in enumerate(BLOCKS):
            project = [ipadapter[f"ip_adapter.{2 * number + 1}.to_{name}_ip.weight"] for name in "kv"]
            own = replacement(tokens, project, weight, window, attn_mask)
            before = there.get(block)
            patched.set_model_attn2_replace(stacked(before, own) if before else own, *block)
        return (patched,)


def tokens_of(ipadapter: dict, embedding: Tensor) -> Tensor:
    """``[1, c]`` to ``[1, TOKENS, width of the text]``."""
    weight, bias, *norm = (
        ipadapter[f"image_proj.{name}"] for name in ("proj.weight", "proj.bias", "norm.weight", "norm.bias")
    )
    tokens = F.linear(embedding, weight, bias).unflatten(-1, (TOKENS, -1))
    return F.layer_norm(tokens, tokens.shape[-1:], *norm)


def scaled_mask(mask: Tensor, tokens: int, size: tuple[int, ...]) -> Tensor:
    """``[1, H, W]`` to ``[1, tokens, 1]`` for a latent of ``size``."""
    height = round((tokens * size[-2] / size[-1]) ** 0.5)
    return F.interpolate(mask[:1, None], (height, tokens // height), mode="bilinear").reshape(1, -1, 1)


def replacement(tokens: list[Tensor], project: list[Tensor], weight: float, window: tuple, mask: Tensor | None):
    """What takes attn2's place in a block; ``tokens``: of the positive and the negative pass."""

    def attend(q: Tensor, k: Tensor, v: Tensor, options: dict) -> Tensor:
        out = comfy_attention.optimized_attention(q, k, v, options["n_heads"])  # [rows, T, I]
        if not window[1] <= float(options["sigmas"][0]) <= window[0]:
            return out
        chunks = options["cond_or_uncond"]
        rows = q.shape[0] // len(chunks)
        read = torch.cat([tokens[chunk].expand(rows, -1, -1) for chunk in chunks]).to(q)
        keys, values = (F.linear(read, matrix.to(q)) for matrix in project)
        added = weight * comfy_attention.optimized_attention(q, keys, values, options["n_heads"])
        return out + (added if mask is None else added * scaled_mask(mask, q.shape[1], options["original_shape"]).to(q))

    return attend


def stacked(before, then):
    """Two image prompts in one block: the second adds its own to what the first gives, as that pack does."""

    def attend(q: Tensor, k: Tensor, v: Tensor, options: dict) -> Tensor:
        plain = comfy_attention.optimized_attention(q, k, v, options["n_heads"])
        return before(q, k, v, options) + then(q, k, v, options) - plain

    return attend


NODE_CLASS_MAPPINGS = {"IPAdapterModelLoader": IPAdapterModelLoader, "IPAdapterAdvanced": IPAdapterAdvanced}
NODE_DISPLAY_NAME_MAPPINGS = {
    "IPAdapterModelLoader": "IPAdapter Model Loader",
    "IPAdapterAdvanced": "IPAdapter Advanced",
}
