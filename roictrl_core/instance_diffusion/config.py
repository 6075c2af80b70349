"""The shape of an InstanceDiffusion model and the format switches it is run with."""
from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass

SLOTS = 30  # structural: `in_conv` reads one channel per slot

_SD15_FUSERS = (
    ("input_blocks.1.1", 320), ("input_blocks.2.1", 320),
    ("input_blocks.4.1", 640), ("input_blocks.5.1", 640),
    ("input_blocks.7.1", 1280), ("input_blocks.8.1", 1280),
    ("middle_block.1", 1280),
    ("output_blocks.3.1", 1280), ("output_blocks.4.1", 1280), ("output_blocks.5.1", 1280),
    ("output_blocks.6.1", 640), ("output_blocks.7.1", 640), ("output_blocks.8.1", 640),
    ("output_blocks.9.1", 320), ("output_blocks.10.1", 320), ("output_blocks.11.1", 320),
)
_SD15_SCALEU = (1280,) * 7 + (640,) * 3 + (320,) * 2
_SECTIONS = ("input_blocks", "middle_block", "output_blocks")
_FUSER_KEY = re.compile(
    r"((input_blocks|middle_block|output_blocks)\.(\d+)(?:\.1)?)\.transformer_blocks\.0\.fuser\.linear\.weight"
)


@dataclass(frozen=True)
class InstanceDiffusionConfig:
    """Widths and places of the three trained parts (spec sections 1 to 3 and 7).

    `fusers` lists (official block name, channels) in execution order, which is ComfyUI's `transformer_index`;
    `scaleu` the decoder channels of each output block. Heads cannot be read from weights: 8 in every published file.
    """

    fusers: tuple[tuple[str, int], ...] = _SD15_FUSERS
    scaleu: tuple[int, ...] = _SD15_SCALEU
    heads: int = 8
    text_width: int = 768
    token_width: int = 768
    hidden_width: int = 3072
    slots: int = SLOTS

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> InstanceDiffusionConfig:
        data = json.loads(text)
        data["fusers"] = tuple((str(name), int(channels)) for name, channels in data["fusers"])
        data["scaleu"] = tuple(int(channels) for channels in data["scaleu"])
        return cls(**data)

    @classmethod
    def from_shapes(cls, shapes: Mapping[str, tuple[int, ...]], heads: int = 8) -> InstanceDiffusionConfig:
        """Read the widths from official key names and shapes.

        Raises ValueError, naming the missing part, when position net, fusers or ScaleU are not there.
        """
        mlp = "position_net.linears_list.4"
        if f"{mlp}.4.weight" not in shapes or "position_net.null_positive_feature" not in shapes:
            raise ValueError("InstanceDiffusion: the position net (position_net.*) is missing from the weights.")
        found = [match for match in map(_FUSER_KEY.fullmatch, shapes) if match]
        if not found:
            raise ValueError("InstanceDiffusion: the fusers (*.transformer_blocks.0.fuser.*) are missing from the weights.")
        found.sort(key=lambda match: (_SECTIONS.index(match[2]), int(match[3])))
        scaleu = []
        while f"scaleu_b_{len(scaleu)}" in shapes:
            scaleu.append(shapes[f"scaleu_b_{len(scaleu)}"][0])
        if not scaleu:
            raise ValueError("InstanceDiffusion: ScaleU (scaleu_b_*, scaleu_s_*) is missing from the weights.")
        token_width, hidden_width = shapes[f"{mlp}.4.weight"]
        return cls(
            fusers=tuple((match[1], shapes[match[0]][0]) for match in found),
            scaleu=tuple(scaleu),
            heads=heads,
            text_width=shapes["position_net.null_positive_feature"][0],
            token_width=token_width,
            hidden_width=hidden_width,
            slots=shapes["position_net.in_conv.weight"][1],
        )


@dataclass(frozen=True)
class Formats:
    """Which location formats a run reads (True) and which it replaces by their learned nulls (spec section 2.2).

    If nothing at all is kept the box is, as published.
    """

    box: bool = True
    point: bool = True
    scribble: bool = False
    mask: bool = True

    def __post_init__(self):
        if not (self.box or self.point or self.scribble or self.mask):
            object.__setattr__(self, "box", True)

    @property
    def instance_attention(self) -> bool:
        """Whether instance-masked attention applies: not when box and mask are both dropped (spec section 4)."""
        return self.box or self.mask


FORMATS = {
    "box": Formats(box=True, point=True, scribble=False, mask=False),
    "mask": Formats(box=True, point=True, scribble=False, mask=True),
    "point": Formats(box=False, point=True, scribble=False, mask=False),
    "scribble": Formats(box=True, point=True, scribble=True, mask=True),
}
"""The published test configurations, by the name of the format they are meant for."""
