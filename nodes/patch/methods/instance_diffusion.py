"""InstanceDiffusion: fusers before cross-attention, ScaleU at the decoder's skips; tokens are made once per run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

import torch
from torch import Tensor

from ....roictrl_core.instance_diffusion.config import Formats, InstanceDiffusionConfig
from ....roictrl_core.instance_diffusion.fuser import GroundingKV, allow_matrix, box_regions
from ....roictrl_core.instance_diffusion.grounding import GroundedInstance, Grounding
from ....roictrl_core.instance_diffusion.model import InstanceDiffusion
from ....roictrl_core.instance_diffusion.schedule import alpha_schedule
from ....roictrl_core.steps import step_index
from ..control import Slot
from ..frames import FULL, Frame
from ..hosts import Host
from ..points import BEFORE, SKIP, Points, Size, Spot
from ..roles import CAPTION
from ..rows import Rows, Slots
from ..run import Call, Run

STEP = "roictrl.step"  # in transformer_options: the step's index, where the sampler knows better than the sigma

NO_MASK, TRANSPOSED, CORRECTED = "off", "official (transposed)", "corrected"
BLOCK = ".transformer_blocks.0"


@dataclass(frozen=True)
class Settings:
    """How the instances are read: see Apply InstanceDiffusion."""

    formats: Formats = Formats()
    alpha: float = 0.8
    scaleu: bool = True
    attention: str = NO_MASK
    null_missing: bool = False


@dataclass(frozen=True)
class Subject:
    """Whose tokens a row reads: what is in the slots, as seen in a crop, all (branch 0) or the one of a branch.

    Nothing in the slots: the null tokens of the negative prompt's rows.
    """

    slots: Slots = ()
    frame: Frame = FULL
    branch: int = 0


NULL = Subject()


class InstanceDiffusionMethod:
    """``patcher`` is the ModelPatcher around an `InstanceDiffusion`; ``instances`` belong to the Apply's slots."""

    title, trained_for = "InstanceDiffusion", ("SD1.x",)
    acts = (frozenset({BEFORE, SKIP}),)

    def __init__(
        self, patcher, instances: Sequence[tuple[Slot, GroundedInstance]], settings: Settings = Settings()
    ) -> None:
        self.network: InstanceDiffusion = patcher.model
        self.models = [patcher]
        self.settings = settings
        self.instances = dict(instances)

    def open(self, run: Run) -> InstanceDiffusionSession:
        """A session for one sampling run."""
        return InstanceDiffusionSession(self, run)


class InstanceDiffusionSession:
    """One sampling run: tokens, their keys and values and the attention masks are made once."""

    def __init__(self, method: InstanceDiffusionMethod, run: Run) -> None:
        self.method, self.network, self.settings, self.run = method, method.network, method.settings, run
        self.indices = {name: index for index, (name, _) in enumerate(self.network.config.fusers)}

    def __call__(self, call: Call) -> Points:
        scale = self._scale(call)
        return Points(
            before=partial(self._fuse, call.rows, scale) if scale != 0 else None,
            skip=self._scaled if self._brings_scaleu(call) else None,
        )

    def _scale(self, call: Call) -> float:
        """The fusers' strength at this step: scheduled sampling goes by the step's index."""
        strength, sigmas = self.run.control.strength, self.run.sigmas(call.options)
        if sigmas is None:
            return strength
        step = call.options.get(STEP)
        if step is None:
            step = step_index(call.batch.sigma, sigmas)
        return strength * alpha_schedule(len(sigmas) - 1, self.settings.alpha)[step]

    def _brings_scaleu(self, call: Call) -> bool:
        """Of several Applies only the first brings ScaleU: its gains would multiply."""
        ours, others = call.host.at_skips(call.options)
        if not self.settings.scaleu or ours:
            return False
        if any(getattr(function, "__module__", "").endswith("nodes_freelunch") for function in others):
            self.run.say("run.freeu")
        return True

    def _scaled(self, number: int, h: Tensor, skip: Tensor) -> tuple[Tensor, Tensor]:
        if number >= len(self.network.config.scaleu):
            return h, skip
        return self.network.scaleu(number, h, skip, self.run.control.strength)

    def _fuse(self, rows: Rows, scale: float, h: Tensor, spot: Spot) -> Tensor:
        index = self.indices.get(spot.block.official.removesuffix(BLOCK))
        if index is None:
            return h
        keys_values, bias = self.keys_values(rows, index, h), self.bias(rows, index, spot.size, h)
        return self.network.fuser(index)(h, keys_values, scale, bias, spot.kernel)

    # --- for every row ---

    def keys_values(self, rows: Rows, index: int, like: Tensor) -> GroundingKV:
        """The grounding's keys and values in one fuser, a row each for every row of ``like`` ``[rows, V, C]``."""

        def make() -> GroundingKV:
            keys, values = (
                _expanded(rows, lambda subject, i=i: self._keys_values(subject, index, like)[i]) for i in range(2)
            )
            return GroundingKV(keys, values)

        return self.run.memo.make(("rows", index, rows, like.dtype, like.device), make)

    def bias(self, rows: Rows, index: int, size: Size, like: Tensor) -> Tensor | None:
        """``[rows, V, V + G]``, or None where attention is not masked: off, or not at the model's finest level."""
        settings, fusers = self.settings, self.network.config.fusers
        finest = fusers[index][1] == min(channels for _, channels in fusers)
        if settings.attention == NO_MASK or not settings.formats.instance_attention or not finest:
            return None
        key = ("bias rows", rows, size, like.dtype, like.device)
        return self.run.memo.make(key, lambda: _expanded(rows, lambda subject: self._bias(subject, size, like)))

    # --- for one subject, batch size 1 ---

    def grounding(self, subject: Subject) -> Grounding:
        """The instances of a subject in slots; a branch's only one is in slot 0."""
        chosen = [
            self.method.instances[slot]
            for number, slot in enumerate(subject.slots, 1)
            if slot is not None and subject.branch in (0, number)
        ]
        if subject.frame != FULL:
            chosen = [part for part in (i.cropped(subject.frame) for i in chosen) if part is not None]
        config = self.network.config
        return Grounding.of(chosen, config.text_width, config.slots)

    def tokens(self, subject: Subject, device: torch.device) -> Tensor:
        """``[1, 4 n + 64, token_width]`` float32."""

        def embed() -> Tensor:
            grounding = self.grounding(subject).to(device)
            return self.network.position_net(grounding, self.settings.formats, self.settings.null_missing)

        return self.run.memo.make(("tokens", subject, device), embed)

    def _keys_values(self, subject: Subject, index: int, like: Tensor) -> GroundingKV:
        def project() -> GroundingKV:
            tokens = self.tokens(subject, like.device).to(like.dtype)
            return self.network.fuser(index).project(tokens)

        return self.run.memo.make(("kv", subject, index, like.dtype, like.device), project)

    def _bias(self, subject: Subject, size: Size, like: Tensor) -> Tensor:
        """``[1, V, V + G]``: 0 where a visual token may look, minus infinity elsewhere."""

        def make() -> Tensor:
            grounding = self.grounding(subject)
            transposed = self.settings.attention == TRANSPOSED
            regions = box_regions(grounding.boxes, grounding.used > 0, *size, transposed).to(like.device)
            allowed = allow_matrix(regions)
            return torch.zeros(allowed.shape, dtype=like.dtype, device=like.device).masked_fill_(
                ~allowed, float("-inf")
            )

        return self.run.memo.make(("bias", subject, size, like.dtype, like.device), make)


def _expanded(rows: Rows, of: Callable[[Subject], Tensor]) -> Tensor:
    """``[rows, ...]`` of what each row's subject gives, ``[1, ...]``."""
    return torch.cat([of(subject).expand(len(list(equal)), -1, -1) for subject, equal in groupby(subjects(rows))])


def subjects(rows: Rows) -> list[Subject]:
    """Of each row."""
    return [Subject(slots, chunk.frame, branch) if chunk.role == CAPTION else NULL for chunk, slots, branch in rows]


def check_fits(host: Host, config: InstanceDiffusionConfig) -> None:
    """Raises ValueError where the weights were made for another model."""
    found = {
        block.official.removesuffix(BLOCK): block.channels for block in host.blocks if block.official.endswith(BLOCK)
    }
    if found != dict(config.fusers):
        raise ValueError(
            f"InstanceDiffusion's weights are for SD1.5, and this model ({host.family}) is {host.shape}. "
            "Use an SD1.5 checkpoint or a fine-tune of it."
        )
