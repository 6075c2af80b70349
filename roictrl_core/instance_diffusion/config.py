"""The shape of an InstanceDiffusion model and the format switches it is run with."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from ..notes import quote
from ..settings import MAX_SLOTS, MAX_WIDTH, check_whole, list_in, made_of, object_of_json

MAX_BLOCKS = 64  # of either kind that a config may ask for; SD1.5 has 16 and 12
SLOTS = 30  # structural: `in_conv` reads one channel per slot

_SD15_FUSERS = (
    ("input_blocks.1.1", 320),
    ("input_blocks.2.1", 320),
    ("input_blocks.4.1", 640),
    ("input_blocks.5.1", 640),
    ("input_blocks.7.1", 1280),
    ("input_blocks.8.1", 1280),
    ("middle_block.1", 1280),
    ("output_blocks.3.1", 1280),
    ("output_blocks.4.1", 1280),
    ("output_blocks.5.1", 1280),
    ("output_blocks.6.1", 640),
    ("output_blocks.7.1", 640),
    ("output_blocks.8.1", 640),
    ("output_blocks.9.1", 320),
    ("output_blocks.10.1", 320),
    ("output_blocks.11.1", 320),
)
_SD15_SCALEU = (1280,) * 7 + (640,) * 3 + (320,) * 2
_SECTIONS = ("input_blocks", "middle_block", "output_blocks")
_BLOCK = r"((input_blocks|middle_block|output_blocks)\.(\d{1,3})(?:\.1)?)"
_FUSER_KEY = re.compile(_BLOCK + r"\.transformer_blocks\.0\.fuser\.linear\.weight")


@dataclass(frozen=True)
class InstanceDiffusionConfig:
    """Widths and places of the three trained parts (docs/instance_diffusion.md sections 2, 3 and 7).

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

    def __post_init__(self) -> None:
        """Raises ValueError with a sentence for values that no model can be built from."""
        check_whole(len(self.fusers), 1, MAX_BLOCKS, "The number of fusers")
        check_whole(len(self.scaleu), 1, MAX_BLOCKS, "The number of ScaleU blocks")
        check_whole(self.slots, 1, MAX_SLOTS, "InstanceDiffusion's number of slots")
        for name in ("heads", "text_width", "token_width", "hidden_width"):
            check_whole(getattr(self, name), 1, MAX_WIDTH, f"InstanceDiffusion's {name}")
        for channels in self.scaleu:
            check_whole(channels, 1, MAX_WIDTH, "A ScaleU block's number of channels")
        for name, channels in self.fusers:
            if not isinstance(name, str) or not re.fullmatch(_BLOCK, name):
                raise ValueError(
                    f"InstanceDiffusion's config names a fuser {quote(name)}; fusers are named "
                    "as the blocks of SD1.5's UNet."
                )
            check_whole(channels, self.heads, MAX_WIDTH, f"The number of channels of {name}")
            if channels % self.heads:
                raise ValueError(f"The {channels} channels of {name} cannot be shared among {self.heads} heads.")
        if len(dict(self.fusers)) < len(self.fusers):
            raise ValueError("InstanceDiffusion's config names a fuser twice.")

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> InstanceDiffusionConfig:
        """The inverse of `to_json`. Raises ValueError with a sentence."""
        data = object_of_json(text)
        fusers = tuple(tuple(fuser) if isinstance(fuser, list) else (fuser,) for fuser in list_in(data, "fusers"))
        if any(len(fuser) != 2 for fuser in fusers):
            raise ValueError("Each of the config's fusers must be a list of a name and its channels.")
        return made_of(cls, {**data, "fusers": fusers, "scaleu": tuple(list_in(data, "scaleu"))}, "The config")

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
            raise ValueError(
                "InstanceDiffusion: the fusers (*.transformer_blocks.0.fuser.*) are missing from the weights."
            )
        found.sort(key=lambda match: (_SECTIONS.index(match[2]), int(match[3])))
        scaleu = []
        while f"scaleu_b_{len(scaleu)}" in shapes:
            scaleu.append(_sizes(shapes, f"scaleu_b_{len(scaleu)}", 1)[0])
        if not scaleu:
            raise ValueError("InstanceDiffusion: ScaleU (scaleu_b_*, scaleu_s_*) is missing from the weights.")
        token_width, hidden_width = _sizes(shapes, f"{mlp}.4.weight", 2)
        return cls(
            fusers=tuple((match[1], _sizes(shapes, match[0], 2)[0]) for match in found),
            scaleu=tuple(scaleu),
            heads=heads,
            text_width=_sizes(shapes, "position_net.null_positive_feature", 1)[0],
            token_width=token_width,
            hidden_width=hidden_width,
            slots=_sizes(shapes, "position_net.in_conv.weight", 4)[1],
        )


def _sizes(shapes: Mapping[str, tuple[int, ...]], key: str, rank: int) -> tuple[int, ...]:
    """A tensor's shape; raises ValueError where it is missing or has another number of dimensions."""
    if len(shapes.get(key, ())) != rank:
        found = f"has the shape {list(shapes[key])}" if key in shapes else "is missing"
        raise ValueError(f"InstanceDiffusion: {key} {found}.")
    return shapes[key]


@dataclass(frozen=True)
class Formats:
    """Which location formats a run reads (True) and which it replaces by their learned nulls.

    docs/instance_diffusion.md section 2.2. If nothing at all is kept the box is, as published.
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
        """Whether masked attention applies (docs/instance_diffusion.md section 4): not with box and mask dropped."""
        return self.box or self.mask


FORMATS = {
    "box": Formats(box=True, point=True, scribble=False, mask=False),
    "mask": Formats(box=True, point=True, scribble=False, mask=True),
    "point": Formats(box=False, point=True, scribble=False, mask=False),
    "scribble": Formats(box=True, point=True, scribble=True, mask=True),
}
"""The published test configurations, by the name of the format they are meant for."""
