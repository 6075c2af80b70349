"""What a crop of a picture shows by CLIP: which of a layout's captions is nearest to it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ..roictrl_core.check import Agree, by_words
from ..roictrl_core.fields import Box
from ..roictrl_core.formats.comfyui import pixel_box
from ..roictrl_core.layout import Instance, Layout


def by_similarity(vision, clip, image: Tensor, layout: Layout) -> Agree:
    """Whether of the layout's captions an instance's own is the nearest to the crop of an object.

    Similarities have no scale of their own, so captions are compared with one another; where the layout has only one,
    words decide.  ``image`` is [H, W, C].  Raises ValueError with a sentence where text and picture have no common
    space.
    """
    if vision is None or clip is None:
        raise ValueError("clip_vision and clip are a pair. Connect both, or neither.")
    texts = list(dict.fromkeys(filter(None, (_text(one) for _, one in layout.enabled))))
    if len(texts) < 2:
        return by_words
    _check_projected(clip)
    captions = torch.cat([_of_text(clip, text) for text in texts])  # [captions, D]
    seen: dict[Box, str] = {}

    def agree(wanted: Instance, found: Instance) -> bool | None:
        if not _text(wanted):
            return None
        if found.box not in seen:
            seen[found.box] = texts[int((captions @ _of_crop(vision, image, found.box, captions).T).argmax())]
        return seen[found.box] == _text(wanted)

    return agree


def _text(instance: Instance) -> str:
    return instance.caption.strip() or instance.label.strip()


def _of_text(clip, text: str) -> Tensor:
    """[1, D], of length 1."""
    pooled = clip.encode_from_tokens(clip.tokenize(text), return_pooled=True)[1]
    return F.normalize(pooled.float().cpu(), dim=-1)


def _of_crop(vision, image: Tensor, box: Box, captions: Tensor) -> Tensor:
    """[1, D], of length 1."""
    x1, y1, x2, y2 = pixel_box(box, image.shape[1], image.shape[0])
    crop = image[None, y1:y2, x1:x2, :3]
    found = vision.encode_image(crop, crop=False)["image_embeds"].float().cpu()
    if found.shape[-1] != captions.shape[-1]:
        raise ValueError(
            f"clip_vision gives {found.shape[-1]} numbers for a picture, and clip {captions.shape[-1]} for a text. "
            "Connect two halves of one CLIP: clip_l with a ViT-L of CLIP Vision, or clip_g with a ViT-bigG."
        )
    return F.normalize(found, dim=-1)


def _check_projected(clip) -> None:
    """Checkpoints leave out the layer that takes texts to where pictures are; ComfyUI puts an identity in its place."""
    layers = [weight for name, weight in clip.get_sd().items() if name.endswith("text_projection.weight")]
    if not any(not torch.equal(layer.cpu().float(), torch.eye(*layer.shape)) for layer in layers):
        raise ValueError(
            "the CLIP of clip has no text projection, as those of SD1.x checkpoints, so its texts cannot be compared "
            "with pictures. Load a whole one with Load CLIP, such as OpenAI's clip_l or OpenCLIP's clip_g."
        )
