"""Captions -> text embeddings, through the CLIP's own tokenizer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from comfy.model_management import throw_exception_if_processing_interrupted
from comfy.utils import ProgressBar
from torch import Tensor

from ..roictrl_core.finite import all_finite
from ..roictrl_core.layout import Instance
from ..roictrl_core.notes import Note
from .loras import LoRAs, Loras
from .patch.control import Text
from .patch.hosts import Host

MANY, BATCH = 100, 64  # captions that are encoded together: from how many on, and at once


class CaptionEncoder:
    """Encodes each different caption once; equal captions share one `Text`, and so their keys and values.

    ``host``: of the model that reads them, where instances may have LoRAs or image prompts in it.  ``notes``: what
    there was to say.
    """

    reads = True  # whether the model's own attention reads them

    def __init__(self, clip, suffix: str = "", host: Host | None = None) -> None:
        if clip is None:
            raise ValueError("the CLIP input is empty. Connect the CLIP of the checkpoint, or a CLIP Loader.")
        self.clip, self.suffix, self.host = clip, suffix.strip(" ,"), host
        self.loras = LoRAs(clip, host, self.reads)
        self.notes: list[Note] = self.loras.notes
        self._seen: dict[tuple[str, Loras], Text] = {}

    def text_of(self, instance: Instance) -> str:
        """An instance's caption with the suffix."""
        return ", ".join(part for part in (instance.caption.strip(), self.suffix) if part)

    def caption(self, instance: Instance, name: str) -> Text:
        """Prompt weights, ``embedding:`` names and more than 77 tokens as in CLIP Text Encode."""
        return self.encode(self.text_of(instance), f"the caption of {name}", instance.loras)

    def prepare(self, texts: Iterable[str]) -> None:
        """Encodes many captions together; of fewer than MANY each is encoded when it is asked for."""
        texts = [text for text in dict.fromkeys(texts) if (text, ()) not in self._seen]
        if len(texts) >= MANY:
            self._seen.update(((text, ()), found) for text, found in encode_together(self.clip, texts).items())

    def encode(self, text: str, what: str, loras: Loras = ()) -> Text:
        """Any text, by the CLIP under an instance's LoRAs and to be read under them; raises ValueError naming ``what``
        where the embedding is not finite."""
        key = (text, loras)
        if key not in self._seen:
            clip = self.loras.text_encoder(loras)
            self._seen[key] = encode_alone(clip, clip.tokenize(text)).under(self.loras.reading(loras))
        if not all_finite(self._seen[key].tokens):
            raise ValueError(
                f"CLIP gives an embedding that is not a number for {what}. "
                "Shorten it, remove its prompt weights, or run CLIP in fp32."
            )
        return self._seen[key]


def encode_alone(clip, tokens: dict) -> Text:
    """A caption with everything that its encoder gives: some models read masks or ids beside the embedding."""
    found = dict(clip.encode_from_tokens(tokens, return_dict=True))
    return Text(found.pop("cond")[0].clone(), found)


def encode_together(clip, texts: Sequence[str]) -> dict[str, Text]:
    """Those captions that can be encoded together: as the sections of one long prompt.

    Core encodes each section by itself and gives them one after the other.  A CLIP that another pack has changed may
    not: the first caption of each batch is encoded alone as well, and where it differs, or where there is more than
    embedding and pooled vector, the batch is left to be encoded one by one.
    """
    found, short = {}, []
    for text in texts:
        tokens = clip.tokenize(text)
        if all(len(sections) == 1 for sections in tokens.values()):
            short.append((text, tokens))
    bar = ProgressBar(len(short))
    for start in range(0, len(short), BATCH):
        throw_exception_if_processing_interrupted()
        batch = short[start : start + BATCH]
        joined = {name: [section for _, tokens in batch for section in tokens[name]] for name in batch[0][1]}
        parts = clip.encode_from_tokens(joined)[0].chunk(len(batch))  # n of [L, c]
        alone = encode_alone(clip, batch[0][1])
        if alone.others.keys() <= {"pooled_output"} and _same(parts[0], alone.tokens):
            found.update((text, Text(part.clone())) for (text, _), part in zip(batch, parts, strict=False))
        bar.update(len(batch))
    return found


def _same(part: Tensor, alone: Tensor) -> bool:
    return part.shape == alone.shape and torch.allclose(part, alone, rtol=1e-3, atol=1e-3, equal_nan=True)


class PooledCaptionEncoder(CaptionEncoder):
    """Also gives captions as one vector of ``width`` numbers, as ``reader`` wants it: CLIP's pooled output before its
    projection."""

    reads = False

    def __init__(self, clip, width: int, reader: str, suffix: str = "", host: Host | None = None) -> None:
        super().__init__(clip, suffix, host)
        self.width, self.reader = width, reader
        self._pooled: dict[tuple[str, Loras], Tensor] = {}

    def pooled(self, instance: Instance, name: str) -> Tensor:
        """``[width]`` float32. Prompt weights do not act on it, and of a long caption only the first 77 tokens.

        Raises ValueError where a custom conditioning has none, or the CLIP is another model's.
        """
        vector = (
            self._of_caption(self.text_of(instance), instance.loras)
            if instance.conditioning is None
            else _pooled_output(instance.conditioning)
        )
        if not torch.is_tensor(vector):
            raise ValueError(
                f"the custom conditioning of {name} has no pooled output, which "
                f"{self.reader} reads. Connect the output of a CLIP Text Encode node."
            )
        if vector.shape[-1] != self.width:
            raise ValueError(
                f"the pooled caption of {name} has {vector.shape[-1]} numbers, and {self.reader} "
                f"reads {self.width}. Use the CLIP of an SD1.5 checkpoint."
            )
        if not all_finite(vector):
            raise ValueError(
                f"CLIP gives a pooled output that is not a number for the caption of {name}. Run CLIP in fp32."
            )
        return vector[0].float()

    def _of_caption(self, text: str, loras: Loras) -> Tensor:
        key = (text, loras)
        if key not in self._pooled:
            clip = self.loras.text_encoder(loras)
            self._pooled[key] = clip.encode_from_tokens(clip.tokenize(text), return_pooled="unprojected")[1].clone()
        return self._pooled[key]


def _pooled_output(conditioning: object) -> Tensor | None:
    try:
        return conditioning[0][1].get("pooled_output")
    except (TypeError, IndexError, AttributeError):
        return None


def conditioning_text(conditioning: object, name: str) -> Text:
    """What a ComfyUI CONDITIONING that stands in for a caption holds.

    Raises ValueError where it holds no finite text embedding. Several combined ones have no meaning inside one box:
    the first is taken.
    """
    try:
        first, others = conditioning[0][0], dict(conditioning[0][1])
    except (TypeError, ValueError, IndexError, KeyError):
        first, others = None, {}
    if not torch.is_tensor(first) or first.ndim not in (3, 4) or 0 in first.shape:
        raise ValueError(
            f"the custom conditioning of {name} holds no text embedding. Connect the output of a CLIP Text Encode node."
        )
    if not all_finite(first):
        raise ValueError(f"the custom conditioning of {name} holds values that are not numbers.")
    return Text(first[0], others)
