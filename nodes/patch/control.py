"""What an Apply node asks for, ready for any number of sampling runs: immutable, shared by clones of the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from torch import Tensor

from ...roictrl_core.coverage import SoftMask
from ...roictrl_core.low_rank import Deltas
from ...roictrl_core.notes import Note

PROMPT, NONE, OFF = "negative prompt", "none", "off"  # what rows that read no captions have of the boxes
Window = tuple[float, float]  # percents of the schedule, 0..1; in a run: sigmas, high to low
Replacement = Callable[[Tensor, Tensor, Tensor, dict], Tensor]  # of a UNet's cross-attention: q, k, v, options
ImagePrompt = Mapping[tuple, Replacement]  # by block, ("input", 1) or ("input", 1, 0), as ComfyUI keys it


@dataclass(frozen=True, eq=False)
class Text:
    """A text as its encoder gives it, or as a model reads it; the same only as itself.

    ``tokens``: its embedding ``[L, c]``, or ``[layers, L, c]`` with one per transformer (ED-LoRA).
    ``others``: what comes with the embedding (masks, ids, a pooled vector), by its name in a CONDITIONING, or as the
    model's keyword.  ``lora``: what the layers that read it have beside their weights then; such a text has a tensor of
    its own, since keys and values are kept by its identity.  ``image_prompt``: what reads it in the attention's place.
    """

    tokens: Tensor
    others: Mapping[str, object] = field(default_factory=dict)
    lora: Deltas | None = None
    image_prompt: ImagePrompt | None = None

    def under(self, lora: Deltas | None) -> Text:
        """The same text, to be read under a LoRA."""
        return replace(self, tokens=self.tokens.clone(), lora=lora) if lora else self

    def beside(self, image_prompt: ImagePrompt | None) -> Text:
        """The same text, to be read beside an image prompt."""
        return replace(self, image_prompt=image_prompt) if image_prompt else self

    @property
    def is_plain(self) -> bool:
        """Whether it is read as the model's own texts are."""
        return self.lora is None and self.image_prompt is None


@dataclass(frozen=True, eq=False)
class Slot:
    """One instance in its slot; the same only as itself.

    Without a ``negative`` the uncond rows read their own context.  Equal captions share one `Text`.  With a ``mask``
    the instance shows only inside it.  ``lora``: under which its box reads whatever text, ``image_prompt``: beside
    which; ``everywhere``: LoRAs that act in all layers, for the box's tokens.
    """

    name: str
    box: tuple[float, float, float, float]
    strength: float
    window: Window
    enabled: bool
    caption: Text | None
    negative: Text | None = None
    mask: SoftMask | None = None
    lora: Deltas | None = None
    image_prompt: ImagePrompt | None = None
    everywhere: Deltas | None = None


@dataclass(frozen=True)
class Reuse:
    """How much of the schedule is computed, and how much reuses what an earlier step added.

    ``full``: the share of the schedule, from its start, whose steps are all computed; ``every``: after it, each n-th.
    """

    full: float
    every: int


@dataclass(frozen=True)
class OwnPass:
    """How each box is denoised by itself.

    ``share``: of the schedule, from its start, in which it is; ``patch``: the share in which only a patch is made of
    what it predicts.  Its crop is larger than the box by ``margin`` of the box's side on each side, and at least
    ``least`` of the latent's shorter side, of which its sides are multiples of the ``grain``; with ``feather`` the
    box's edge is soft.
    """

    share: float
    margin: float = 0.15
    patch: float = 0.3
    least: float = 0.375
    grain: float = 0.0625
    feather: bool = True


@dataclass(frozen=True)
class Control:
    """The slots and settings of one Apply.

    ``uncond``, for the rows that read the negative prompt: PROMPT, their ROIs read it as well; NONE, they have box
    tokens alone; OFF, they are the model's own.
    ``shuffle_seed`` permutes the slots for the gate, as the published code does, but from a seed.
    ``reuse``: None where every step is computed.  ``own``: None where no box is denoised by itself.
    ``picture``: width, height that the layout was drawn for, in pixels; None where it is not known.
    """

    node: str
    slots: tuple[Slot, ...]
    strength: float = 1.0
    window: Window = (0.0, 1.0)
    uncond: str = PROMPT
    shuffle_seed: int | None = None
    reuse: Reuse | None = None
    own: OwnPass | None = None
    picture: tuple[int, int] | None = None

    @property
    def is_off(self) -> bool:
        """Whether nothing of it can ever act: the model stays as it is."""
        return bool(self.why_off)

    @property
    def why_off(self) -> list[Note]:
        """Why it changes nothing, in one note; none where it acts. A picture without control must not be silent."""
        start, end = self.window
        if self.strength == 0:
            return [Note("apply.strength_zero")]
        if start >= end:
            return [Note("apply.window_empty", values={"start": start, "end": end})]
        return [] if any(slot.enabled for slot in self.slots) else [Note("apply.no_instance")]
