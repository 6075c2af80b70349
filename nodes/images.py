"""Between ComfyUI's IMAGE, [N, H, W, C] floats 0..1, and PIL; and layouts drawn as IMAGE."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from ..roictrl_core.drawing import draw_layout
from ..roictrl_core.layout import Layout


def to_pil(image: torch.Tensor) -> Image.Image:
    """[H, W, C] floats 0..1 with 1, 3 or more channels (the first three are used) to RGB."""
    array = np.clip(image.detach().float().cpu().numpy() * 255 + 0.5, 0, 255).astype(np.uint8)
    array = array.repeat(3, axis=2) if array.shape[2] == 1 else array[..., :3]
    return Image.fromarray(np.ascontiguousarray(array))


def to_tensor(pictures: list[Image.Image]) -> torch.Tensor:
    """RGB pictures of one size to [N, H, W, 3] floats 0..1."""
    arrays = [torch.from_numpy(np.array(picture.convert("RGB"), dtype=np.float32)) for picture in pictures]
    return torch.stack(arrays) / 255


def drawn(layout: Layout, image: torch.Tensor | None, **sheet) -> torch.Tensor:
    """The layout drawn on each picture of the batch, or on a dark ground: [N, H, W, 3]; ``sheet`` as in draw_layout."""
    if image is not None and not image.numel():
        raise ValueError(f"The image input is empty: its shape is {list(image.shape)}. Connect at least one picture.")
    grounds = [None] if image is None else [to_pil(picture) for picture in image]
    return to_tensor([draw_layout(layout, ground, **sheet) for ground in grounds])
