"""What an adapter is built for: the transformer blocks of a UNet, grids, slots and widths;
saved in the weights' metadata."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from .notes import quote
from .settings import MAX_SLOTS, MAX_WIDTH, check_share, check_whole, list_in, made_of, object_of_json

VERSION = 2  # of the config's JSON; 1 also named ComfyUI's ids of the blocks
GRIDS = (25, 19, 13, 7)  # P at stride 8, 16, 32, 64 px (U-Net levels 0..3)
MAX_GRID = 64  # an ROI of as many cells as the finest map of a 512 x 512 picture
MAX_BLOCKS = 1000  # SDXL has 70
MAX_LEVEL = 999
PARTS = ("down", "mid", "up")
BLOCK_NAME = (
    r"(?P<block>(?P<part>down|mid|up)_blocks?\.(?:(?P<level>\d{1,3})\.)?"
    r"attentions\.(?P<layer>\d{1,3})\.transformer_blocks\.(?P<index>\d{1,3}))"
)
BLOCK_KEY = re.compile(rf"^{BLOCK_NAME}\.roifuser\.")


@dataclass(frozen=True)
class BlockConfig:
    """One transformer block.

    Attributes:
        name: the block's name in diffusers' UNet, as in the published checkpoint.
        channels, heads: C and the block's head count.
        level: U-Net level, 0 at stride 8 px; names the ROI grid.
    """

    name: str
    channels: int
    heads: int
    level: int

    def __post_init__(self) -> None:
        """Raises ValueError with a sentence for what is no block of a UNet."""
        if not isinstance(self.name, str) or not re.fullmatch(BLOCK_NAME, self.name):
            raise ValueError(
                f"The adapter's config names a block {quote(self.name)}; blocks are named as in diffusers' UNets."
            )
        what = f"of block {self.name}"
        check_whole(self.level, 0, MAX_LEVEL, f"The U-Net level {what}")
        check_whole(self.channels, 1, MAX_WIDTH, f"The number of channels {what}")
        check_whole(self.heads, 1, self.channels, f"The number of heads {what}")
        if self.channels % self.heads:
            raise ValueError(f"The {self.channels} channels {what} cannot be shared among {self.heads} heads.")


@dataclass(frozen=True)
class AdapterConfig:
    """Everything that `ROICtrlAdapter` is built from."""

    blocks: tuple[BlockConfig, ...]
    grids: tuple[int, ...] = GRIDS
    slots: int = 30
    token_width: int = 64
    token_hidden: int = 512
    dropout: float = 0.2
    version: int = VERSION

    def __post_init__(self) -> None:
        """Raises ValueError with a sentence for values that no adapter can be built from."""
        for level, grid in enumerate(self.grids):
            check_whole(grid, 1, MAX_GRID, f"The ROI grid of U-Net level {level}")
        check_whole(self.slots, 1, MAX_SLOTS, "The adapter's number of slots")
        check_whole(self.token_width, 1, MAX_WIDTH, "The width of the box tokens")
        check_whole(self.token_hidden, 1, MAX_WIDTH, "The hidden width of the box embedding")
        check_share(self.dropout, "The adapter's dropout")
        check_whole(len(self.blocks), 0, MAX_BLOCKS, "The adapter's number of blocks")
        if len({block.name for block in self.blocks}) < len(self.blocks):
            raise ValueError("The adapter's config names a block twice.")
        for block in self.blocks:
            if block.level >= len(self.grids):
                raise ValueError(
                    f"Block {block.name} is on U-Net level {block.level}, but the adapter's config has ROI grids "
                    f"for {len(self.grids)} levels only."
                )

    def block(self, name: str) -> BlockConfig | None:
        """The block of that name, or None where the adapter has none there."""
        return next((block for block in self.blocks if block.name == name), None)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> AdapterConfig:
        """Raises ValueError for text that is no config, or one of a later version."""
        data = object_of_json(text)
        version = data.get("version")
        if version not in (1, VERSION):
            raise ValueError(f"It is of version {quote(version)}; this pack reads version {VERSION}.")
        blocks = tuple(_block_of_json(block, version) for block in list_in(data, "blocks"))
        return made_of(
            cls, {**data, "blocks": blocks, "grids": tuple(list_in(data, "grids")), "version": VERSION}, "The config"
        )

    @classmethod
    def sd15(cls, width: int = 320, heads: int = 8) -> AdapterConfig:
        """SD1.5's topology; `width` is the UNet's model channels (320), with 1, 2, 4, 4 times that per level."""
        return cls.for_unet(
            {
                "model_channels": width,
                "channel_mult": [1, 2, 4, 4],
                "num_res_blocks": [2, 2, 2, 2],
                "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0],
                "transformer_depth_output": [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
                "transformer_depth_middle": 1,
                "num_heads": heads,
            }
        )

    @classmethod
    def for_unet(cls, unet: Mapping, **settings: object) -> AdapterConfig:
        """An adapter for every text-conditioned block of a UNet described by ComfyUI's `unet_config`.

        Args:
            unet: `model_channels`, `channel_mult`, `num_res_blocks`, `transformer_depth` (per block of the encoder),
                `transformer_depth_output` (per block of the decoder, in its order of execution reversed per level as
                ComfyUI stores it), `transformer_depth_middle`, `num_heads` or `num_head_channels`.
            settings: any other field of the config.
        """
        return cls(blocks=tuple(_blocks_of_unet(unet)), **settings)

    @classmethod
    def from_state_dict(cls, shapes: Mapping[str, Sequence[int]], heads: int | None = None) -> AdapterConfig:
        """Recognises blocks and widths from the published key names.

        Args:
            shapes: tensor shapes by key.
            heads: head count; not visible in the weights. None: 8 in UNets of depth-1 blocks
                (SD1.x), else 64 channels each.

        Raises:
            ValueError: no adapter block among the keys, or sizes that no adapter has.
            KeyError: a tensor that tells a size is missing.
        """
        blocks = _blocks_of_keys(shapes, heads)
        if not blocks:
            raise ValueError("The weights hold no ROICtrl block: no key contains '.roifuser.'.")
        gate = _first_size(shapes, f"{blocks[0].name}.roifuser.roiattn_fuser.channel_gate.mlp.0.weight")
        hidden, width = (_first_size(shapes, f"position_net.linears.{layer}.weight") for layer in (0, 4))
        return cls(blocks=tuple(blocks), slots=gate - 1, token_width=width, token_hidden=hidden)


def _first_size(shapes: Mapping[str, Sequence[int]], key: str) -> int:
    if not shapes[key]:
        raise ValueError(f"{key} is a single number.")
    return shapes[key][0]


def _block_of_json(data: object, version: int) -> BlockConfig:
    if version == 1 and isinstance(data, dict):
        data = {key: value for key, value in data.items() if key not in ("comfy", "index")}
    return made_of(BlockConfig, data, "A block in the config")


def _blocks_of_keys(shapes: Mapping[str, Sequence[int]], heads: int | None) -> list[BlockConfig]:
    found = {m["block"]: m for m in map(BLOCK_KEY.match, shapes) if m}
    if not found:
        return []
    down = {int(m["level"]) for m in found.values() if m["part"] == "down"}
    up = {int(m["level"]) for m in found.values() if m["part"] == "up"}
    # The decoder mirrors the encoder: its first level with attention is the encoder's last.
    levels = max(down) + min(up) + 1 if down and up else 4
    deep = any(int(m["index"]) for m in found.values())
    blocks = []
    for name, match in found.items():
        channels = _first_size(shapes, f"{name}.roifuser.norm1.weight")
        count = heads or (channels // 64 if deep else 8)
        below = {"mid": 0, "down": levels - 1 - int(match["level"] or 0), "up": int(match["level"] or 0)}[match["part"]]
        blocks.append(BlockConfig(name, channels, count, levels - 1 - below))
    return sorted(blocks, key=_forward_order)


def _forward_order(block: BlockConfig) -> tuple[int, ...]:
    match = re.fullmatch(BLOCK_NAME, block.name)
    return PARTS.index(match["part"]), *(int(match[number] or 0) for number in ("level", "layer", "index"))


def _blocks_of_unet(unet: Mapping) -> Iterable[BlockConfig]:
    mult, res = list(unet["channel_mult"]), list(unet["num_res_blocks"])
    width, levels = unet["model_channels"], len(mult)

    def blocks(name: str, level: int, depth: int) -> Iterable[BlockConfig]:
        channels = width * mult[level]
        per_head = unet.get("num_head_channels", -1)
        heads = channels // per_head if per_head and per_head > 0 else unet["num_heads"]
        for index in range(depth):
            yield BlockConfig(f"{name}.transformer_blocks.{index}", channels, heads, level)

    depths = list(unet["transformer_depth"])
    for level in range(levels):
        for layer in range(res[level]):
            yield from blocks(f"down_blocks.{level}.attentions.{layer}", level, depths.pop(0))
    yield from blocks("mid_block.attentions.0", levels - 1, max(unet["transformer_depth_middle"], 0))
    depths = list(unet["transformer_depth_output"])
    per_block = [[depths.pop(0) for _ in range(res[level] + 1)] for level in range(levels)]
    for up, level in enumerate(reversed(range(levels))):
        for layer, depth in enumerate(reversed(per_block[level])):
            yield from blocks(f"up_blocks.{up}.attentions.{layer}", level, depth)


def in_words(blocks: Sequence) -> str:
    """A UNet with these blocks, each with ``channels`` and ``heads``."""
    widths = "/".join(str(width) for width in sorted({block.channels for block in blocks}))
    heads = "/".join(str(count) for count in sorted({block.heads for block in blocks}))
    return f"a UNet with {len(blocks)} text blocks of {widths} channels and {heads} heads"
