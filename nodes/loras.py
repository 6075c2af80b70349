"""LoRAs of single instances: as a layout holds them at run time, and as one Apply reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from torch import Tensor

from ..roictrl_core.layout import Instance
from ..roictrl_core.low_rank import Deltas
from ..roictrl_core.notes import Note
from .patch.hosts import Host
from .patch.hosts.loras import InModel, in_model, text_encoder_with

T = TypeVar("T")
WHERE = "Choose one that was made for this kind of model in Instance LoRA."


@dataclass(frozen=True, eq=False)
class LoRA:
    """A LoRA file on an instance; the same only as itself.

    ``everywhere``: it acts in all layers of the model, for the box's tokens, and not only where the caption is read.
    """

    file: str
    tensors: Mapping[str, Tensor]
    strength_model: float = 1.0
    strength_clip: float = 1.0
    everywhere: bool = False


Loras = tuple[LoRA, ...]


class LoRAs:
    """The LoRAs of a layout's instances in one model and its text encoder; what equal ones make is made once.

    Without a ``host`` they act in the text encoder alone.  ``reads``: whether the method reads captions by the model's
    own attention.  ``notes``: what there was to say.
    """

    def __init__(self, clip, host: Host | None = None, reads: bool = True) -> None:
        self.clip, self.host, self.reads = clip, host, reads
        self.notes: list[Note] = []
        self._clips: dict[Loras, object] = {(): clip}
        self._models: dict[LoRA, InModel] = {}
        self._changed: dict[LoRA, int] = {}  # weights of the text encoder
        self._joined: dict[tuple[Loras, bool], Deltas | None] = {}

    def text_encoder(self, loras: Loras):
        """The CLIP under the LoRAs, as Load LoRA makes it."""
        loras = tuple(lora for lora in loras if lora.strength_clip)
        if loras not in self._clips:
            files = [(lora.tensors, lora.strength_clip) for lora in loras]
            self._clips[loras], _ = text_encoder_with(self.clip, files)
        return self._clips[loras]

    def reading(self, loras: Loras) -> Deltas | None:
        """What they add to the layers by which the model reads a caption; None for nothing."""
        return self._deltas(loras, everywhere=False)

    def everywhere(self, loras: Loras) -> Deltas | None:
        """What those add that act in all layers."""
        return self._deltas(tuple(lora for lora in loras if lora.everywhere), everywhere=True)

    def check(self, instance: Instance, index: int) -> None:
        """Raises ValueError with a sentence where a LoRA of an instance belongs to another model; notes what it leaves
        out."""
        for lora in instance.loras if self.host is not None else ():
            name = instance.name(index)
            found = _read(self._in_model, lora, name)
            if found.unfit:
                raise ValueError(
                    f"the LoRA '{lora.file}' of {name} was made for another model: its layer {found.unfit[0]} has "
                    f"another size in this one ({self.host.family}). {WHERE}"
                )
            if not found.deltas and not found.left and not _read(self._text_weights, lora, name):
                raise ValueError(
                    f"nothing in the LoRA '{lora.file}' of {name} belongs to this model ({self.host.family}) or its "
                    f"CLIP. {WHERE}"
                )
            self.notes += self._left_out(lora, found, instance, index)

    def _left_out(self, lora: LoRA, found: InModel, instance: Instance, index: int) -> list[Note]:
        """What of a LoRA does not act, where that may not be as meant."""
        total = len(found.left) + len(found.deltas.by_layer)
        acting = self.everywhere((lora,)) if lora.everywhere else None
        count = total - len(acting.by_layer if acting else ())
        if lora.everywhere and lora.strength_model and count:
            return [instance.note("apply.lora_left", index, file=lora.file, count=count, total=total)]
        if lora.everywhere or self.reading((lora,)):
            return []
        if not (lora.strength_clip and self._text_weights(lora)):
            return [instance.note("apply.lora_nothing", index, file=lora.file)]
        if lora.strength_model and found.deltas:
            return [instance.note("apply.lora_text_alone", index, file=lora.file)]
        return []

    def _text_weights(self, lora: LoRA) -> int:
        """How many weights of the text encoder a file knows, whatever its strength there."""
        if lora not in self._changed:
            self._changed[lora] = text_encoder_with(self.clip, [(lora.tensors, 0.0)])[1][0] if self.clip else 0
        return self._changed[lora]

    def _in_model(self, lora: LoRA) -> InModel:
        if lora not in self._models:
            self._models[lora] = in_model(self.host.base, lora.tensors, lora.strength_model)
        return self._models[lora]

    def _deltas(self, loras: Loras, everywhere: bool) -> Deltas | None:
        key = tuple(lora for lora in loras if lora.strength_model), everywhere
        if key not in self._joined:
            acts = self.host is not None and (everywhere or self.reads)
            parts = [self._in_model(lora).deltas for lora in key[0]] if acts else []
            parts = [
                part.of(self.host.treats_tokens) if everywhere else part.inside(self.host.readers) for part in parts
            ]
            self._joined[key] = Deltas.joined(parts) or None
        return self._joined[key]


def _read(read: Callable[[LoRA], T], lora: LoRA, name: str) -> T:
    """What ``read`` makes of an instance's LoRA; raises ValueError with a sentence where the file is damaged."""
    try:
        return read(lora)
    except (KeyError, IndexError, RuntimeError) as error:  # whatever core's readers stumble over
        raise ValueError(
            f"the LoRA '{lora.file}' of {name} is damaged ({error}): a part of a layer is missing or misshapen. "
            "Download it again, or choose another in Instance LoRA."
        ) from error
