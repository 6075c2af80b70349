"""Palettes that the add-ons are tuned on: other hues and another night, in which the judge still reads every attribute."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Style:
    """hue: turn, degrees.  saturation: factor.  tint: what the dark gets of red, green and blue, 0..1."""

    hue: float
    saturation: float
    tint: tuple[float, float, float]

    def apply(self, picture: np.ndarray) -> np.ndarray:
        """uint8 [H, W, 3] -> uint8 [H, W, 3]; the brightest channel of bright pixels stays."""
        hsv = np.array(Image.fromarray(picture).convert("HSV")).astype(np.float32)
        hsv[..., 0] = (hsv[..., 0] + self.hue / 360 * 256) % 256
        hsv[..., 1] *= self.saturation
        turned = np.array(Image.fromarray(hsv.round().astype(np.uint8), "HSV").convert("RGB")).astype(np.float32) / 255
        dark = 1 - turned.max(-1, keepdims=True)
        return ((turned + dark * np.array(self.tint, np.float32)).clip(0, 1) * 255 + 0.5).astype(np.uint8)


STYLES = {
    "community": Style(hue=16, saturation=0.9, tint=(0.0, 0.02, 0.08)),
    "lora": Style(hue=-14, saturation=1.0, tint=(0.08, 0.03, 0.0)),
}
