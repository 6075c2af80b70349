"""Captions -> text embeddings, through the CLIP's own tokenizer, and the slots that hold them."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import torch
from torch import Tensor

from ...roictrl_core.layout import Instance
from .control import Slot

log = logging.getLogger("ROICtrl")


class CaptionEncoder:
    """Encodes each different caption once; equal captions share one tensor, and so their keys and values."""

    def __init__(self, clip, node: str, suffix: str = "") -> None:
        if clip is None:
            raise ValueError(f"{node}: the CLIP input is empty. Connect the CLIP of the checkpoint, or a CLIP Loader.")
        self.clip, self.node, self.suffix = clip, node, suffix.strip(" ,")
        self._seen: dict[str, Tensor] = {}

    def caption(self, text: str, name: str) -> Tensor:
        """``[L, c]``: prompt weights, ``embedding:`` names and more than 77 tokens as in CLIP Text Encode."""
        text = ", ".join(part for part in (text.strip(), self.suffix) if part)
        return self.encode(text, f"the caption of {name}")

    def encode(self, text: str, what: str) -> Tensor:
        """``[L, c]`` of any text; raises ValueError naming ``what`` where the embedding is not finite."""
        if text not in self._seen:
            embedding = self.clip.encode_from_tokens(self.clip.tokenize(text))  # [1, L, c]
            if not torch.isfinite(embedding).all():
                raise ValueError(f"{self.node}: CLIP gives an embedding that is not a number for {what}. "
                                 "Shorten it, remove its prompt weights, or run CLIP in fp32.")
            self._seen[text] = embedding[0].clone()
        return self._seen[text]


class PooledCaptionEncoder(CaptionEncoder):
    """Also gives captions as one vector of ``width`` numbers: CLIP's pooled output before its projection."""

    def __init__(self, clip, node: str, width: int) -> None:
        super().__init__(clip, node)
        self.width = width
        self._pooled: dict[str, Tensor] = {}

    def pooled(self, instance: Instance, name: str) -> Tensor:
        """``[width]`` float32. Prompt weights do not act on it, and of a long caption only the first 77 tokens.

        Raises ValueError where a custom conditioning has none, or the CLIP is another model's.
        """
        vector = self._of_caption(instance.caption) if instance.conditioning is None else _pooled_output(instance.conditioning)
        if not torch.is_tensor(vector):
            raise ValueError(f"{self.node}: the custom conditioning of {name} has no pooled output, which InstanceDiffusion "
                             "reads. Connect the output of a CLIP Text Encode node.")
        if vector.shape[-1] != self.width:
            raise ValueError(f"{self.node}: the pooled caption of {name} has {vector.shape[-1]} numbers, and InstanceDiffusion "
                             f"reads {self.width}. Use the CLIP of an SD1.5 checkpoint.")
        if not torch.isfinite(vector).all():
            raise ValueError(f"{self.node}: CLIP gives a pooled output that is not a number for the caption of {name}. Run CLIP in fp32.")
        return vector[0].float()

    def _of_caption(self, text: str) -> Tensor:
        text = text.strip()
        if text not in self._pooled:
            self._pooled[text] = self.clip.encode_from_tokens(self.clip.tokenize(text), return_pooled="unprojected")[1].clone()
        return self._pooled[text]


def _pooled_output(conditioning: object) -> Tensor | None:
    try:
        return conditioning[0][1].get("pooled_output")
    except (TypeError, IndexError, AttributeError):
        return None


def conditioning_tensor(conditioning: object, node: str, name: str) -> Tensor:
    """``[L, c]`` or ``[layers, L, c]`` out of a ComfyUI CONDITIONING that stands in for a caption.

    Raises ValueError where it holds no finite text embedding; several combined ones have no meaning inside one box,
    so the first is taken and that is said.
    """
    try:
        first = conditioning[0][0]
    except (TypeError, IndexError, KeyError):
        first = None
    if not torch.is_tensor(first) or first.ndim not in (3, 4) or first.shape[0] < 1:
        raise ValueError(f"{node}: the custom conditioning of {name} holds no text embedding. "
                         "Connect the output of a CLIP Text Encode node.")
    if not torch.isfinite(first).all():
        raise ValueError(f"{node}: the custom conditioning of {name} holds values that are not numbers.")
    if len(conditioning) > 1:
        log.warning("%s: the custom conditioning of %s combines %d prompts; only the first acts inside the box. "
                    "Use Conditioning (Concat) to join them.", node, name, len(conditioning))
    return first[0]


def make_slots(instances: Iterable[tuple[int, Instance]], encoder: CaptionEncoder) -> tuple[Slot, ...]:
    """A slot per instance; captions of disabled ones are not encoded."""
    return tuple(_slot(instance, instance.name(i), encoder) for i, instance in instances)


def _slot(instance: Instance, name: str, encoder: CaptionEncoder) -> Slot:
    # Strength 0 means off: the slot stays, like a disabled instance's.
    enabled = instance.enabled and instance.strength > 0
    caption = negative = None
    if enabled and instance.conditioning is not None:
        caption = conditioning_tensor(instance.conditioning, encoder.node, name)
    elif enabled:
        caption = encoder.caption(instance.caption, name)
    if enabled and instance.negative.strip():
        negative = encoder.encode(instance.negative, f"the negative caption of {name}")
    return Slot(name=name, box=instance.box, strength=instance.strength, window=(instance.start, instance.end),
                enabled=enabled, caption=caption, negative=negative)


def check_text_width(slots: Iterable[Slot], width: int, node: str) -> None:
    """Raises ValueError where an embedding does not fit the model's cross-attention."""
    for slot in slots:
        for what, text in (("caption", slot.caption), ("negative caption", slot.negative)):
            if text is not None and text.shape[-1] != width:
                raise ValueError(f"{node}: the {what} of {slot.name} is embedded in {text.shape[-1]} numbers per token, "
                                 f"and the model reads {width}. Use the CLIP that came with this checkpoint.")
