"""What differs between the families with joint attention: how captions join the prompt, and what tells tokens apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ....roictrl_core.segments import IMAGE, PROMPT
from ..control import Text
from ..points import CannotAct, Inputs, Size
from .swap import Swap, marked, unwrapped
from .transformer import Family


@dataclass(frozen=True)
class Joined:
    """The text of a call: the tokens of each caption, in their order, and then the prompt's.

    ``real``: how many of a caption's tokens are its own, where it was filled up.
    """

    captions: tuple[int, ...]
    prompt: int
    real: tuple[int, ...] = ()

    @property
    def lengths(self) -> tuple[int, ...]:
        """Of all segments."""
        return (*self.captions, self.prompt)

    @property
    def tokens(self) -> int:
        """T, of all segments."""
        return sum(self.lengths)

    def index(self, device: torch.device) -> Tensor:
        """``[T]``: each token's place in its own segment."""
        return torch.cat([torch.arange(length, device=device) for length in self.lengths])

    def split(self, t: Tensor, axis: int = 1) -> Sequence[Tensor]:
        """What belongs to each segment."""
        return t.split(self.lengths, axis)


class JointFamily(Family):
    """One class of diffusion models with joint attention.

    Attributes:
        text_layers: in the names of layers through which text alone goes.
        flagged: whether outside its blocks attention is over the text or the image alone, with lengths that may be a
            joint call's; where not, lengths tell them apart.
    """

    blocks: tuple[str, ...] = ("double_blocks", "single_blocks")
    text_layers = ("txt_", "add_", "context_block")
    flagged = False
    references = False  # whether it has reference pictures behind the picture

    def measures(self) -> tuple[int, int, int]:
        params = self.module.params
        return params.hidden_size, params.num_heads, params.context_in_dim

    def attentions(self) -> list[tuple[str, nn.Module]]:
        return [(f"{name}.{i}", block) for name in self.blocks for i, block in enumerate(getattr(self.module, name))]

    def grid(self, size: Sequence[int]) -> Size:
        """Rows and columns of the tokens of latents of ``size``."""
        return tuple(-(-side // self.patch) for side in size[-2:])

    def grids(self, inputs: Inputs) -> list[Size]:
        """Of the picture, a grid for each of its frames, and of the reference pictures behind it."""
        pictures = (inputs.x, *(inputs.others.get("ref_latents") or () if self.reads_references(inputs) else ()))
        return [self.grid(t.shape) for t in pictures for _ in range(t.shape[2] if t.ndim == 5 else 1)]

    def reads_references(self, inputs: Inputs) -> bool:
        """Whether reference pictures stand behind the picture."""
        return self.references

    def image_pads(self, tokens: int) -> int:
        """Tokens that fill the image up, behind it."""
        return 0

    def joined(self, inputs: Inputs, captions: Sequence[Text]) -> tuple[Inputs, Joined]:
        """The inputs with the captions' tokens before the prompt's."""
        texts = [self.filled(text.tokens) for text in captions]
        joined = Joined(
            tuple(map(len, texts)), self.prompt_tokens(inputs.text.shape[1]), tuple(len(t.tokens) for t in captions)
        )
        beside = torch.cat(texts).to(inputs.text).expand(len(inputs.text), -1, -1)
        others = dict(inputs.others)
        if torch.is_tensor(others.get("attention_mask")):
            others["attention_mask"] = _masked(others["attention_mask"], inputs.text.shape[1], sum(joined.captions))
        return inputs._replace(text=torch.cat([beside, inputs.text], 1), others=others), joined

    def filled(self, tokens: Tensor) -> Tensor:
        """A caption's ``[L, c]``, of a length that the family takes."""
        return tokens

    def prompt_tokens(self, length: int) -> int:
        """How many the prompt has in the joint sequence."""
        return length

    def owners(self, joined: Joined, image: int) -> Tensor:
        """``[N]``: whose each token of the joint sequence is."""
        numbers = [*range(1, len(joined.captions) + 1), PROMPT, IMAGE]
        return torch.tensor(numbers).repeat_interleave(torch.tensor([*joined.lengths, image]))

    def swaps(self, joined: Joined) -> list[Swap]:
        """Modules whose forward is to be another for the time of a call."""
        return []


def _masked(mask: Tensor, prompt: int, added: int) -> Tensor:
    """A mask of the text ``[B, T]``, or of the joint sequence, in which the captions may be read."""
    if mask.ndim == 2 and mask.shape[-1] == prompt:
        return F.pad(mask, (added, 0), value=1)
    if mask.ndim > 2 and mask.shape[-2] == mask.shape[-1]:
        return F.pad(mask, (added, 0, added, 0))  # of logits
    return mask


def apart(joined: Joined) -> Callable:
    """For a module whose tokens attend to each other: each segment by itself.  ``forward(x, mask, table, ...)``: the
    mask is of the tokens and the table of their rotation."""

    def make(previous: Callable) -> Callable:
        def forward(x: Tensor, mask: Tensor | None = None, table: Tensor | None = None, *args, **kwargs) -> Tensor:
            masks = joined.split(mask, -1) if torch.is_tensor(mask) else [mask] * len(joined.lengths)
            tables = [()] * len(joined.lengths) if table is None else [(part,) for part in joined.split(table)]
            parts = zip(joined.split(x), masks, tables, strict=True)
            return torch.cat([previous(part.contiguous(), m, *t, *args, **kwargs) for part, m, t in parts], 1)

        return marked(forward, previous)

    return make


def restarting(joined: Joined) -> Callable:
    """For an embedder of places: the text's ids ``[B, T, axes]`` begin anew in every segment."""

    def make(previous: Callable) -> Callable:
        def forward(ids: Tensor) -> Tensor:
            text, image = ids[:, : joined.tokens], ids[:, joined.tokens :]
            return previous(torch.cat([text[:, joined.index(ids.device)], image], 1))

        return marked(forward, previous)

    return make


class Flux(JointFamily):
    """FLUX.1 and FLUX.2; in the first all text has one place, in the second it is counted."""

    names = ("FLUX.1", "FLUX.2")
    references = True

    def __init__(self, module: nn.Module) -> None:
        super().__init__(module)
        self.patch = module.patch_size

    @property
    def name(self) -> str:
        params = self.module.params
        if len(params.axes_dim) == 4:
            return "FLUX.2"
        return "FLUX.1" if params.vec_in_dim else "a relative of FLUX"  # Ovis and others have no pooled text

    def swaps(self, joined: Joined) -> list[Swap]:
        return [(self.module.pe_embedder, restarting(joined))]


class Chroma(JointFamily):
    """Chroma: all text has one place."""

    names = ("Chroma",)


class Qwen(JointFamily):
    """Qwen-Image."""

    names = ("Qwen-Image",)
    references = True
    blocks = ("transformer_blocks",)

    def measures(self) -> tuple[int, int, int]:
        attention = unwrapped(self.module.transformer_blocks[0]).attn
        return self.module.inner_dim, attention.heads, self.module.txt_in.in_features

    def swaps(self, joined: Joined) -> list[Swap]:
        return [(self.module.pe_embedder, restarting(joined))]


class SD3(JointFamily):
    """SD3 and SD3.5: no place is given to text."""

    names = ("SD3 and SD3.5",)
    blocks = ("joint_blocks",)

    def measures(self) -> tuple[int, int, int]:
        attention = unwrapped(self.module.joint_blocks[0]).x_block.attn
        return self.module.context_embedder.out_features, attention.num_heads, self.module.context_embedder.in_features

    def swaps(self, joined: Joined) -> list[Swap]:
        processor = self.module.context_processor
        return [] if processor is None else [(processor, apart(joined))]


class NextDiT(JointFamily):
    """Lumina 2 and Z-Image: the image's places begin where the prompt's end, and text is refined among itself."""

    names = ("Lumina 2", "Z-Image")
    blocks, flagged = ("layers",), True

    def measures(self) -> tuple[int, int, int]:
        return self.module.dim, self.module.n_heads, self.module.cap_embedder[-1].in_features

    @property
    def name(self) -> str:
        return self.names[self._multiple > 1]

    @property
    def _multiple(self) -> int:
        return getattr(self.module, "pad_tokens_multiple", None) or 1

    def image_pads(self, tokens: int) -> int:
        return -tokens % self._multiple

    def grids(self, inputs: Inputs) -> list[Size]:
        if inputs.others.get("ref_latents"):
            raise CannotAct(
                "reference pictures and boxes do not go together in this model. Remove the reference, or the boxes."
            )
        return super().grids(inputs)

    def filled(self, tokens: Tensor) -> Tensor:
        return F.pad(tokens, (0, 0, 0, -len(tokens) % self._multiple))

    def prompt_tokens(self, length: int) -> int:
        return length + -length % self._multiple

    def swaps(self, joined: Joined) -> list[Swap]:
        refiners = [(unwrapped(block), apart(joined)) for block in self.module.context_refiner]
        found = [*refiners, (self.module.rope_embedder, self._placing(joined))]
        return found if self._multiple == 1 else [*found, (self.module.cap_embedder, self._padding(joined))]

    def _placing(self, joined: Joined) -> Callable:
        """Axis 0 of the ids counts the text from 1, and is one more for the whole image."""

        def make(previous: Callable) -> Callable:
            def forward(ids: Tensor) -> Tensor:
                index = joined.index(ids.device) + 1
                table = torch.cat([index.new_zeros(1), index, index.new_tensor([joined.prompt + 1])]).to(ids.dtype)
                first = table[ids[..., 0].long()]
                return previous(torch.cat([first[..., None], ids[..., 1:]], -1))

            return marked(forward, previous)

        return make

    def _padding(self, joined: Joined) -> Callable:
        """What fills a caption up is the learned pad token, as what fills the prompt up."""

        def make(previous: Callable) -> Callable:
            def forward(x: Tensor) -> Tensor:
                out, start = previous(x), 0
                pad = self.module.cap_pad_token.to(out)
                for length, real in zip(joined.captions, joined.real, strict=True):
                    out[:, start + real : start + length] = pad
                    start += length
                return out

            return marked(forward, previous)

        return make


class Krea(JointFamily):
    """Krea 2: text is refined among itself."""

    names = ("Krea 2",)
    blocks, flagged = ("blocks",), True

    def measures(self) -> tuple[int, int, int]:
        module = self.module
        return module.first.out_features, module.heads, module.txtlayers * module.txtdim

    def reads_references(self, inputs: Inputs) -> bool:
        return bool(inputs.others.get("ref_latents_method", self.module.default_ref_method))

    def swaps(self, joined: Joined) -> list[Swap]:
        return [(unwrapped(block), apart(joined)) for block in self.module.txtfusion.refiner_blocks]


FAMILIES: Mapping[str, type[JointFamily]] = {
    "flux.model.Flux": Flux,
    "chroma.model.Chroma": Chroma,
    "qwen_image.model.QwenImageTransformer2DModel": Qwen,
    "modules.diffusionmodules.mmdit.OpenAISignatureMMDITWrapper": SD3,
    "lumina.model.NextDiT": NextDiT,
    "krea2.model.SingleStreamDiT": Krea,
}
