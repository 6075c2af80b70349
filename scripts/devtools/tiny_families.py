"""A family's tiny transformer with the Apply on it, as the tests of the hosts use it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import torch

from . import tiny_dits
from .pack import pack_module

CROSS = (
    "anima",
    "cosmos_predict2",
    "wan21",
    "wan21_i2v",
    "wan22_5b",
    "ltxv",
    "kandinsky5",
    "kandinsky5_video",
    "pixart_sigma",
    "hunyuan_dit",
)
JOINT = ("flux", "flux_schnell", "flux2", "chroma", "qwen_image", "sd3", "sd35_medium", "lumina2", "z_image", "krea2")
FIXED = ("anima", "hunyuan_dit")  # families whose text has one length
BOXES = ((0.05, 0.1, 0.6, 0.7), (0.4, 0.3, 0.95, 0.9))


def here(names: Iterable[str]) -> list[str]:
    """Those of the names that the running ComfyUI has."""
    return [name for name in names if name in tiny_dits.present()]


def error(got: torch.Tensor, want: torch.Tensor) -> float:
    """Relative L2."""
    got, want = got.double(), want.double()
    return float((got - want).norm() / want.norm())


class RandomCLIP:
    """Stands in for a text encoder: the text "21" is the family's random conditioning of seed 21, "22 9" of nine
    tokens."""

    def __init__(self, name: str) -> None:
        self.name = name

    def tokenize(self, text: str) -> dict:
        return {"numbers": [[int(number) for number in text.split()]]}

    def encode_from_tokens(self, tokens: dict, return_dict: bool = False) -> dict:
        assert return_dict
        seed, *length = tokens["numbers"][0]
        length = [] if self.name in FIXED else length
        tensor, others = tiny_dits.conditioning(self.name, seed, *length)[0]
        if self.name == "ltxv" and length:
            others["attention_mask"] = (torch.arange(length[0]) < length[0] - 3)[None].long()
        return {"cond": tensor, **others}


class Tiny:
    """A family's tiny model, what it paints, and the Apply on it."""

    def __init__(self, name: str) -> None:
        self.name, self.joint = name, name in JOINT
        self.patcher, self.clip = tiny_dits.build(name), RandomCLIP(name)
        self.weights = {key: tensor.clone() for key, tensor in self.module.state_dict().items()}
        self._plain: dict[tuple, torch.Tensor] = {}

    @property
    def module(self) -> torch.nn.Module:
        return self.patcher.model.diffusion_model

    @property
    def host(self):
        return pack_module("nodes.patch.hosts").host_of(self.patcher)

    def layout(self, *boxes, **settings):
        """Of boxes with captions: (box, text[, more fields])."""
        module = pack_module("roictrl_core.layout")
        rows, columns = tiny_dits.SIZES.get(self.name, tiny_dits.SIZE)
        instances = tuple(
            module.Instance(box=tuple(box), caption=text, **(more[0] if more else {})) for box, text, *more in boxes
        )
        return module.Layout(**{"width": columns * 8, "height": rows * 8, "instances": instances, **settings})

    @property
    def two(self):
        """Two boxes that overlap, their captions of unequal lengths."""
        return self.layout((BOXES[0], "21"), (BOXES[1], "22 9"))

    def apply(self, layout=None, model=None, **settings):
        """Apply ROI Prompts as the node executes it, over the whole schedule."""
        node = pack_module("nodes.roi_prompts").ApplyROIPrompts
        given = {"end_percent": 1.0, "global_weight": 0.0, **settings}
        return node.execute(model or self.patcher, self.clip, layout or self.two, **given)[0]

    def sample(self, model=None, **settings) -> torch.Tensor:
        """The sampler's own path, two Euler steps with CFG 2 unless said otherwise."""
        return tiny_dits.sample(self.name, model or self.patcher, **settings)

    def plain(self, **settings) -> torch.Tensor:
        """The same without boxes."""
        key = tuple(sorted(settings.items()))
        if key not in self._plain:
            self._plain[key] = self.sample(**settings)
        return self._plain[key]

    def text(self, seed: int, tokens: int | None = None) -> list:
        """A prompt."""
        return tiny_dits.conditioning(self.name, seed, None if self.name in FIXED else tokens)


@contextmanager
def watching(module: torch.nn.Module) -> Iterator[list]:
    """What a module gives in each of its calls: their tensors, copied."""
    found: list = []

    def note(_, inputs, output):
        tensors = output if isinstance(output, tuple) else (output,)
        found.append([tensor.clone() for tensor in tensors if torch.is_tensor(tensor)])

    hook = module.register_forward_hook(note)
    try:
        yield found
    finally:
        hook.remove()


def attach(model, session: Callable):
    """A model on which a method of a test acts: session(call) -> Points or None."""
    control = pack_module("nodes.patch.control")
    slot = control.Slot("a box", (0.0, 0.0, 1.0, 1.0), 1.0, (0.0, 1.0), True, None)
    method = SimpleNamespace(models=(), open=lambda run: session)
    return pack_module("nodes.patch.hooks").attach(model, control.Control("the test's node", (slot,)), method)


def optioned(model, **options):
    """A clone with entries of transformer_options."""
    model = model.clone()
    model.model_options["transformer_options"] = {**model.model_options["transformer_options"], **options}
    return model


def left(model) -> list[str]:
    """Modules that still have another forward than their class's."""
    return [name for name, module in model.named_modules() if "forward" in module.__dict__]


@contextmanager
def counted() -> Iterator[Callable[[], int]]:
    """Graphs that torch.compile made."""
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    yield lambda: torch._dynamo.utils.counters["stats"]["unique_graphs"]
    torch._dynamo.reset()
