"""UniFusion (`position_net`): captions and places of up to 30 instances become 184 grounding tokens.

docs/instance_diffusion.md section 2.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..layers import fourier_features, mlp
from .config import SLOTS, Formats
from .convnext import ConvNeXtTiny
from .grounding import MASK_SIDE, Grounding

FREQUENCIES = 16
SEG_TOKENS = 64
SEG_WIDTH = 3072  # 768 ConvNeXt channels x 256 positions / 64 tokens
_LOCATION_WIDTHS = {"position": 4, "point": 2, "scribble": 40, "polygon": 512}  # coordinates each
_DEFAULT_FORMATS = Formats()


class UniFusion(nn.Module):
    """Five token MLPs over nullable features; names are the published `position_net`'s."""

    def __init__(
        self, text_width=768, token_width=768, hidden_width=3072, slots=SLOTS, *, operations=nn, dtype=None, device=None
    ):
        super().__init__()
        kw = {"dtype": dtype, "device": device}
        self.null_positive_feature = nn.Parameter(torch.zeros(text_width, **kw))
        for name, coordinates in _LOCATION_WIDTHS.items():
            self.register_parameter(f"null_{name}_feature", nn.Parameter(torch.zeros(_features(coordinates), **kw)))
        self.null_seg_feature = nn.Parameter(torch.zeros(SEG_WIDTH, **kw))
        self.pos_embedding = nn.Parameter(torch.zeros(1, SEG_TOKENS, SEG_WIDTH, **kw))
        self.in_conv = operations.Conv2d(slots, 3, 3, padding=1, **kw)
        self.convnext_tiny_backbone = ConvNeXtTiny(operations=operations, **kw)
        widths = [text_width + _features(coordinates) for coordinates in _LOCATION_WIDTHS.values()]
        self.linears_list = nn.ModuleList(
            mlp(width, hidden_width, token_width, operations, **kw) for width in [*widths, SEG_WIDTH]
        )

    def forward(self, grounding: Grounding, formats: Formats = _DEFAULT_FORMATS, null_missing: bool = False) -> Tensor:
        """Grounding tokens [B, 4 n + 64, token_width]: n box, n point, n scribble, n polygon and 64 mask tokens.

        The result has the dtype of `grounding.text`, in which all but the Fourier features is computed; plain torch
        layers need it to be the weights' own. It depends on the conditioning alone: call it once per sampling run.
        null_missing: a used slot without scribble or polygon gets the learned null instead of the published features of
        zeros (docs/instance_diffusion.md section 2.4).
        """
        g, dtype = grounding, grounding.text.dtype
        used = g.used[..., None].float()  # [B, n, 1]
        text = _choose(used, g.text, self.null_positive_feature)  # [B, n, text_width]
        drawn = {
            name: _presence(xy, used, null_missing) for name, xy in (("scribble", g.scribbles), ("polygon", g.polygons))
        }
        places = (  # name, coordinates, presence [B, n, 1]
            ("position", g.boxes, used * formats.box),
            ("point", g.points, used * formats.point),
            ("scribble", g.scribbles, drawn["scribble"] * formats.scribble),
            ("polygon", g.polygons, drawn["polygon"] * formats.mask),
        )
        tokens, (*of_places, of_masks) = [], self.linears_list
        for linears, (name, coordinates, present) in zip(of_places, places, strict=True):
            feature = _choose(
                present, fourier_features(coordinates, FREQUENCIES), getattr(self, f"null_{name}_feature")
            )
            tokens.append(linears(torch.cat([text.to(dtype), feature.to(dtype)], -1)))  # [B, n, token_width]
        tokens.append(of_masks(self._mask_features(g.masks.to(dtype), formats.mask)))
        return torch.cat(tokens, 1)

    def _mask_features(self, masks: Tensor, keep: bool) -> Tensor:
        """Masks [B, n, S, S] -> [B, 64, 3072]; pictures without a mask get the null.

        docs/instance_diffusion.md section 2.5. The null costs no ConvNeXt.
        """
        batch = masks.shape[0]
        features = self.null_seg_feature.to(masks).expand(batch, SEG_TOKENS, -1).clone()
        present = masks.flatten(1).any(1)  # [B]
        if keep and present.any():
            features[present] = self.encode_masks(masks[present])
        return features + self.pos_embedding.to(masks)

    def encode_masks(self, masks: Tensor) -> Tensor:
        """The mask branch's raw features: [B, n, S, S] -> [B, 64, 3072].

        Tokens are not patches: the 768 x 256 values are read as 3072 rows of 64 columns, and columns are tokens.
        """
        pixels = F.interpolate(masks, size=(MASK_SIDE, MASK_SIDE))  # [B, n, 512, 512]
        features = self.convnext_tiny_backbone(self.in_conv(pixels))  # [B, 768, 16, 16]
        return features.reshape(masks.shape[0], SEG_WIDTH, SEG_TOKENS).transpose(1, 2)


def _features(coordinates: int) -> int:
    return 2 * FREQUENCIES * coordinates


def _presence(coordinates: Tensor, used: Tensor, null_missing: bool) -> Tensor:
    """1 where a slot's drawing counts as present [B, n, 1]; published: any coordinate,
    or the slot merely being used."""
    drawn = coordinates.float().sum(-1, keepdim=True)
    return ((drawn if null_missing else drawn + used) > 0).float()


def _choose(present: Tensor, feature: Tensor, null: Tensor) -> Tensor:
    """present [B, n, 1] * feature + (1 - present) * null, in float32."""
    return present * feature.float() + (1 - present) * null.to(present)
