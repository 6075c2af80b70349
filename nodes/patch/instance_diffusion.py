"""InstanceDiffusion in ComfyUI's UNet: fusers as middle_patches, ScaleU as an output_block_patch, tokens once per run.

The hooks, the roles of the rows and the state of a run are those of `hooks.py` and `run.py`.  The fuser goes before every
other middle_patch, so that ROICtrl, whichever Apply came first, sees the state after it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import comfy.ldm.modules.attention as comfy_attention
import torch
from torch import Tensor

from ...roictrl_core.instance_diffusion.config import Formats, InstanceDiffusionConfig
from ...roictrl_core.instance_diffusion.fuser import GroundingKV, allow_matrix, box_regions
from ...roictrl_core.instance_diffusion.grounding import GroundedInstance, Grounding
from ...roictrl_core.instance_diffusion.model import InstanceDiffusion
from ...roictrl_core.instance_diffusion.schedule import alpha_schedule, step_index
from .control import Control
from .fit import family, unet_blocks
from .frames import FULL, Frame
from .hooks import register, with_patches
from .roles import CAPTION
from .run import Batch, Run

BRANCHES = "roictrl.branches"  # in transformer_options: the multi-instance branch of each equal part of a chunk's rows
STEP = "roictrl.step"  # and the step's index, where the sampler knows better than the sigma
CONTROL = "roictrl.instances"  # and, on a patched model, a closure that gives the GroundingControl
_SCALED = "roictrl.scaleu"  # and that ScaleU is on in this UNet call

NO_MASK, TRANSPOSED, CORRECTED = "off", "official (transposed)", "corrected"


@dataclass(frozen=True)
class GroundingControl(Control):
    """What an Apply InstanceDiffusion asks for; ``instances`` belong to ``slots``, all enabled, no more than the model has."""

    instances: tuple[GroundedInstance, ...] = ()
    formats: Formats = Formats()
    alpha: float = 0.8
    scaleu: bool = True
    attention: str = NO_MASK
    null_missing: bool = False


@dataclass(frozen=True)
class Subject:
    """Whose tokens a row reads: the instances that are on, as seen in a crop, all (branch 0) or the one of a branch.

    No instances on: the null tokens of the negative prompt's rows.
    """

    active: tuple[bool, ...] = ()
    frame: Frame = FULL
    branch: int = 0


NULL = Subject()


class GroundingRun(Run):
    """One sampling run: tokens, their keys and values and the attention masks are made once."""

    def __init__(
        self, control: GroundingControl, model: InstanceDiffusion, guider, latent_shape: Sequence[int]
    ) -> None:
        super().__init__(control, None, guider, latent_shape)
        self.model = model

    @property
    def batch_kind(self) -> type[Batch]:
        return GroundingBatch

    def grounding(self, subject: Subject) -> Grounding:
        """The instances of a subject in slots, batch size 1; a branch's only one is in slot 0."""
        chosen = [
            instance
            for number, (instance, on) in enumerate(zip(self.control.instances, subject.active), 1)
            if on and subject.branch in (0, number)
        ]
        if subject.frame != FULL:
            chosen = [part for part in (i.cropped(subject.frame) for i in chosen) if part is not None]
        config = self.model.config
        return Grounding.of(chosen, config.text_width, config.slots)

    def tokens(self, subject: Subject, device: torch.device) -> Tensor:
        """``[1, 4 n + 64, token_width]`` float32."""
        return self.memo.make(
            ("tokens", subject, device),
            lambda: self.model.position_net(
                self.grounding(subject).to(device), self.control.formats, self.control.null_missing
            ),
        )

    def keys_values(self, subject: Subject, index: int, like: Tensor) -> GroundingKV:
        """A subject's keys and values in one fuser, batch size 1."""
        return self.memo.make(
            ("kv", subject, index, like.dtype, like.device),
            lambda: self.model.fuser(index).project(self.tokens(subject, like.device).to(like.dtype)),
        )

    def bias(self, subject: Subject, height: int, width: int, like: Tensor) -> Tensor:
        """``[1, V, V + G]``: 0 where a visual token may look, minus infinity elsewhere."""

        def make() -> Tensor:
            grounding = self.grounding(subject)
            transposed = self.control.attention == TRANSPOSED
            regions = box_regions(grounding.boxes, grounding.used > 0, height, width, transposed).to(like.device)
            allowed = allow_matrix(regions)
            return torch.zeros(allowed.shape, dtype=like.dtype, device=like.device).masked_fill_(
                ~allowed, float("-inf")
            )

        return self.memo.make(("bias", subject, height, width, like.dtype, like.device), make)


class GroundingBatch(Batch):
    """One `calc_cond_batch` of a GroundingRun."""

    def call(self, x: Tensor, context: Tensor | None, options: Mapping, model) -> GroundingCall | None:
        chunks = self.chunks(x, context, options)
        if chunks is None:
            return None
        branches = options.get(BRANCHES, (0,))
        subjects = tuple(
            Subject(self.active, chunk.frame, branch) if chunk.role == CAPTION else NULL
            for chunk in chunks
            for branch in branches
        )
        return GroundingCall(self.run, (x.shape[0], *x.shape[-2:]), subjects, self._scale(options))

    def _scale(self, options: Mapping) -> float:
        """The fusers' strength at this step: scheduled sampling goes by the step's index."""
        control, sigmas = self.run.control, options.get("sample_sigmas")
        if sigmas is None:
            return control.strength
        sigmas = self.run.memo.make(("sigmas", id(sigmas)), lambda: (sigmas, sigmas.tolist()))[1]
        step = options.get(STEP)
        if step is None:
            step = step_index(float(options["sigmas"][0]), sigmas)
        return control.strength * alpha_schedule(len(sigmas) - 1, control.alpha)[step]


@dataclass
class GroundingCall:
    """One UNet call: its rows are as many equal parts as there are subjects."""

    run: GroundingRun
    size: tuple[int, int, int]
    subjects: tuple[Subject, ...]
    scale: float

    def keys_values(self, index: int, like: Tensor) -> GroundingKV:
        """For every row of ``like`` ``[rows, V, C]``."""

        def make() -> GroundingKV:
            return GroundingKV(*map(self._rows, zip(*(self.run.keys_values(s, index, like) for s in self.subjects))))

        return self.run.memo.make(("rows", index, self.subjects, self.size[0], like.dtype, like.device), make)

    def bias(self, index: int, height: int, width: int, like: Tensor) -> Tensor | None:
        """``[rows, V, V + G]``, or None where attention is not masked: off, or not at the UNet's finest level."""
        control, fusers = self.run.control, self.run.model.config.fusers
        finest = fusers[index][1] == min(channels for _, channels in fusers)
        if control.attention == NO_MASK or not control.formats.instance_attention or not finest:
            return None
        return self.run.memo.make(
            ("bias rows", self.subjects, self.size[0], height, width, like.dtype, like.device),
            lambda: self._rows([self.run.bias(subject, height, width, like) for subject in self.subjects]),
        )

    def _rows(self, parts: Sequence[Tensor]) -> Tensor:
        count = self.size[0] // len(self.subjects)
        return torch.cat([part.expand(count, -1, -1) for part in parts])


def attach(model, control: GroundingControl, patcher):
    """A clone of ``model`` in which ``control`` acts through ``patcher``, a ModelPatcher around an InstanceDiffusion."""
    patched = model.clone()
    if control.is_off:
        return patched
    key = f"instance_diffusion.{uuid.uuid4().hex}"
    network = patcher.model
    patches = {"middle_patch": _fuse(key, network), "output_block_patch": _scale(key, network)}
    register(patched, key, partial(GroundingRun, control, network), partial(_with_patches, patches), [patcher])
    # A closure: up to ComfyUI 0.12 clone() deep-copies everything else in model_options.
    patched.model_options.setdefault("transformer_options", {})[CONTROL] = lambda: control
    return patched


def control_of(model) -> GroundingControl | None:
    """What the last Apply InstanceDiffusion on a model asked for; None where there is none."""
    found = model.model_options.get("transformer_options", {}).get(CONTROL)
    return None if found is None else found()


def check_fits(model, config: InstanceDiffusionConfig, node: str) -> None:
    """Raises ValueError where the weights were made for another UNet."""
    found = {block_name(key[:2]): block.channels for key, block in unet_blocks(model, node).items() if key[2] == 0}
    if found != dict(config.fusers):
        widths = "/".join(str(width) for width in sorted(set(found.values())))
        raise ValueError(
            f"{node}: InstanceDiffusion's weights are for SD1.5, and this model ({family(model)}) is a UNet with "
            f"{len(found)} text blocks of {widths} channels. Use an SD1.5 checkpoint or a fine-tune of it."
        )


def block_name(block: tuple[str, int]) -> str:
    """The official name of the transformer in a block that ComfyUI calls ("input", 1)."""
    name, number = block
    return "middle_block.1" if name == "middle" else f"{name}_blocks.{number}.1"


def _with_patches(patches: Mapping[str, Callable], options: dict, call: GroundingCall) -> dict:
    """The patches that act in this call. Of several Applies only the first brings ScaleU: its gains would multiply."""
    used = {}
    if call.scale != 0:
        used["middle_patch"] = patches["middle_patch"]
    if call.run.control.scaleu and not options.get(_SCALED):
        used["output_block_patch"] = patches["output_block_patch"]
        options = {**options, _SCALED: True}
        if any(_is_freeu(patch) for patch in options.get("patches", {}).get("output_block_patch", ())):
            call.run.say("run.freeu")
    return with_patches(options, used, first=("middle_patch",))


def _is_freeu(patch: Callable) -> bool:
    return getattr(patch, "__module__", "").endswith("nodes_freelunch")


def _fuse(key: str, network: InstanceDiffusion) -> Callable:
    index_of = {name: index for index, (name, _) in enumerate(network.config.fusers)}

    @torch.compiler.disable()
    def fuse(x, options):
        call = options.get(key)
        index = index_of.get(block_name(options["block"]))
        if not isinstance(call, GroundingCall) or index is None or not _belongs(call, x, options):
            return x
        height, width = options["activations_shape"][-2:]
        bias = call.bias(index, height, width, x)
        return network.fuser(index)(x, call.keys_values(index, x), call.scale, bias, partial(_attention, options))

    return fuse


def _attention(options: dict, q: Tensor, k: Tensor, v: Tensor, heads: int, mask: Tensor | None) -> Tensor:
    # Looked up at the call: some packs replace the functions in their module.
    if mask is None:
        return comfy_attention.optimized_attention(q, k, v, heads, transformer_options=options)
    return comfy_attention.optimized_attention_masked(q, k, v, heads, mask, transformer_options=options)


def _scale(key: str, network: InstanceDiffusion) -> Callable:
    @torch.compiler.disable()
    def scale(h, skip, options):
        call, number = options.get(key), options["block"][1]
        if not isinstance(call, GroundingCall) or h.shape[0] != call.size[0] or number >= len(network.config.scaleu):
            return h, skip
        return network.scaleu(number, h, skip, call.run.control.strength)

    return scale


def _belongs(call: GroundingCall, x: Tensor, options: dict) -> bool:
    """Whether this block call is part of the UNet call that the tokens were made for."""
    height, width = options["activations_shape"][-2:]
    shape = options.get("original_shape")
    if shape is not None and (shape[0], *shape[-2:]) != call.size:
        return False  # an extra pass over something else than the sampled latent
    if x.shape[0] != call.size[0] or height * width != x.shape[1]:
        call.run.say("run.tokens_changed")
        return False
    return True
