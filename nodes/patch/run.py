"""The state of one sampling run of one Apply. It lives in the run's own transformer_options and ends with the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ...roictrl_core.cache import KeyValueCache
from ...roictrl_core.notes import Note, listed, log
from ..report import warn
from .control import OFF, Control, OwnPass, Text, Window
from .frames import area_of_cond, frame_of_area
from .memo import Memo
from .points import Points
from .reuse import Effects, Place
from .roles import CAPTION, UNKNOWN, roles_of_lists
from .rows import Chunk, Rows, Slots

if TYPE_CHECKING:
    from .hosts import Host
    from .methods import Method

BRANCHES = "roictrl.branches"  # in transformer_options: the branch of each equal part of a chunk's rows


def sigma_window(window: Window, model_sampling) -> Window:
    """Percents of the schedule as sigmas, as core's own start and end percents."""
    return tuple(float(model_sampling.percent_to_sigma(percent)) for percent in window)


def inside(sigma: float, window: Window) -> bool:
    """Core's rule: both ends belong to the window."""
    return window[1] <= sigma <= window[0]


class Run:
    """One sampling run.

    It holds the guider, the latent, the windows in sigmas, the method's session, and what is kept between steps.
    """

    def __init__(self, control: Control, method: Method, guider, latent_shape: Sequence[int]) -> None:
        self.control, self.guider = control, guider
        self.latent_size = tuple(latent_shape[-2:])
        sampling = guider.model_patcher.get_model_object("model_sampling")
        self.window = sigma_window(control.window, sampling)
        self.border = float(sampling.percent_to_sigma(control.reuse.full)) if control.reuse else 0.0
        own = control.own or OwnPass(share=0.0, patch=0.0)  # no sigma is over the one at 0
        self.own_border, self.patch_border = (float(sampling.percent_to_sigma(s)) for s in (own.share, own.patch))
        self.slot_windows = [sigma_window(slot.window, sampling) for slot in control.slots]
        self.memo = Memo()
        self.effects: Memo = Memo()  # by device: several run in threads
        self.encoded: dict[int, Text] = {}  # by the identity of a caption as its encoder gives it
        # Scheduled LoRA hooks change the cross-attention's weights between steps.
        self.keeps_text = not guider.model_options.get("registered_hooks")
        self.evaluations = self.batches = self.turn = self.seed = 0
        self.idle: set[int] | None = None  # slots that are on and have not acted yet; None before the first step
        self.draws_own = False  # whether a box has been denoised by itself
        self._said: set[str] = set()
        self._check_shape()
        self.session = method.open(self)

    def _check_shape(self) -> None:
        """Says where the latent has another shape than the layout: the boxes are shares, and stretch with it."""
        if self.control.picture is None:
            return
        (width, height), (rows, columns) = self.control.picture, self.latent_size
        if abs(width * rows / height - columns) > 1 and abs(height * columns / width - rows) > 1:
            self.say("run.other_shape", layout=f"{width} x {height}", latent=f"{columns} x {rows}")

    def say(self, code: str, **values: object) -> None:
        """A note, once per run."""
        if code not in self._said:
            self._said.add(code)
            warn(self.control.node, [Note(code, values=values)])

    def slots(self, sigma: float) -> Slots:
        """What is in each slot at this step; nothing outside the Apply's own window."""
        on = inside(sigma, self.window)
        return tuple(
            slot if on and slot.enabled and inside(sigma, window) else None
            for slot, window in zip(self.control.slots, self.slot_windows, strict=True)
        )

    def draws_alone(self, sigma: float) -> bool:
        """Whether each box is denoised by itself at this step."""
        return sigma > self.own_border

    def draws_patches(self, sigma: float) -> bool:
        """Whether what is drawn of a box at this step is a patch alone."""
        return sigma > self.patch_border

    def batch(self, lists: Sequence, x_in: Tensor, timestep: Tensor) -> Batch | None:
        """What the calls of one `calc_cond_batch` need, or None where the model is to be left alone."""
        slots = self.slots(float(timestep.flatten()[0]))
        if self.idle is None:
            self.idle = {i for i, slot in enumerate(self.control.slots) if slot.enabled}
        self.idle -= {i for i, slot in enumerate(slots) if slot}
        if not any(slots):
            return None
        size = tuple(x_in.shape[-2:])
        if size != self.latent_size:
            self.say("run.other_size", size=_size(size), picture=_size(self.latent_size))
            return None
        roles = roles_of_lists(lists, self.guider.conds)
        if any(role == UNKNOWN and conds is not None for role, conds in zip(roles, lists, strict=True)):
            self.say("run.prompt_left_alone" if self.control.uncond == OFF else "run.prompt_unknown")
        self.batches, self.turn = self.batches + 1, self.turn + 1
        sigma = float(timestep.flatten()[0])
        return Batch(self, tuple(lists), tuple(roles), size, slots, sigma, self.turn - 1, self.batches - 1)

    def encode(self, encode: Callable[[Text], Text]) -> None:
        """Makes of every caption what the model reads, once; before its calls, some of which run in other threads."""
        if not self.encoded:
            texts = (text for slot in self.control.slots for text in (slot.caption, slot.negative) if text is not None)
            self.encoded = {id(text): encode(text) for text in {id(text): text for text in texts}.values()}

    def text(self, text: Text, call: Call) -> Text:
        """A caption as the model reads it, on the call's device; one for the whole run: keys and values are kept by its
        identity."""
        read = self.encoded.get(id(text), text)
        return self.memo.make(("text", id(read), call.dtype, call.device), lambda: _placed(read, call))

    def begin_evaluation(self, seed: int | None) -> None:
        """Of the sampler; its batches are told apart by their turn in it."""
        self.evaluations, self.turn, self.seed = self.evaluations + 1, 0, seed or 0

    def noise_seed(self) -> int:
        """Of noise that is another one in each evaluation, and the same when the run is repeated."""
        return (self.seed + self.evaluations) % 2**63

    def sigmas(self, options: Mapping) -> list[float] | None:
        """The schedule of the sampling that a call belongs to; None where the sampler does not say it."""
        found = options.get("sample_sigmas")
        if found is None:
            return None
        return self.memo.make(("sigmas", id(found)), lambda: (found, torch.as_tensor(found).tolist()))[1]

    def reusing(self, points: Points, call: Call, x: Tensor) -> Points:
        """The functions for a call on ``x``, with what an earlier step added in their place where that may be."""
        reuse = self.control.reuse
        if reuse is None:
            return points
        sigmas = self.sigmas(call.options)
        if sigmas is None or not self.keeps_text:
            self.say("run.no_schedule" if sigmas is None else "run.weights_change")
            return points
        effects = self.effects.make(call.device, lambda: Effects(reuse, self.border, self.say))
        place = Place(call.rows, call.batch.turn, call.batch.sigma, self.evaluations)
        return effects.points(points, place, sigmas, x)

    def cache(self, device: torch.device) -> KeyValueCache | None:
        """Keys and values of the captions on one device (several run in threads), or None where they may change."""
        return self.memo.make(("cache", device), KeyValueCache) if self.keeps_text else None

    def finish(self) -> None:
        """Says at a run's end what no step let act: a picture without control must not be silent."""
        for effects in self.effects.values():
            log.info(
                "%s: %d of %d evaluations of the model reused what the boxes had added, of which %.0f MB were kept",
                self.control.node,
                len(effects.reused),
                self.evaluations,
                effects.peak / 1e6,
            )
        if self.control.own is not None and not self.draws_own and self.idle is not None:
            self.say("run.no_own_pass", share=self.control.own.share)
        if not self.idle:
            return
        idle = [self.control.slots[i].name for i in sorted(self.idle)]
        if len(idle) == sum(slot.enabled for slot in self.control.slots):
            self.say("run.no_step")
        else:
            self.say("run.no_step_for", names=listed(idle))

    def close(self) -> None:
        """Lets go of everything that was kept."""
        self.memo.clear()
        self.effects.clear()


@dataclass(frozen=True)
class Batch:
    """One `calc_cond_batch`.

    Its cond lists with their roles, the latent's size, what is in each slot, its noise level; which of the batches of
    its evaluation it is, and of the run.
    """

    run: Run
    lists: tuple
    roles: tuple[str, ...]
    size: tuple[int, int]
    slots: Slots
    sigma: float
    turn: int
    number: int

    def call(self, host: Host, x: Tensor, context: Tensor | None, options: Mapping, dtype: torch.dtype) -> Call | None:
        """The call for latents ``x`` ``[rows, C, (F,) H, W]`` and text ``context`` ``[rows, (layers,) L, c]``.

        None for a call that is not the sampler's.  Raises ValueError for a crop whose place is not known.
        """
        indices = options.get("cond_or_uncond", ())
        if context is None or not indices or x.shape[0] % len(indices):
            self.run.say("run.no_prompts")
            return None
        uuids = tuple(options.get("uuids", ()))
        if len(uuids) != len(indices):
            uuids = (None,) * len(indices)
        count = x.shape[0] // len(indices)
        chunks = tuple(self._chunk(i, uuid, x, count) for i, uuid in zip(indices, uuids, strict=True))
        branches = tuple(options.get(BRANCHES, (0,)))
        rows = Rows(chunks, count, (x.shape[0], *x.shape[2:]), uuids, branches)
        return Call(self, host, rows, context, options, dtype, x.device)

    def _chunk(self, index: int, uuid: object, x: Tensor, count: int) -> Chunk:
        cond = next((c for c in self.lists[index] or () if c.get("uuid") == uuid), {})
        area = area_of_cond(cond, *self.size)
        expected = self.size if area is None else area[:2]
        if tuple(x.shape[-2:]) != tuple(expected):
            raise ValueError(
                f"{self.run.control.node}: the model is run on {_size(x.shape[-2:])} pieces of a {_size(expected)} "
                "latent, and nothing says where a piece lies, so the boxes cannot be placed. Remove the tiled "
                "diffusion node, or divide the picture with area conditioning, which says where its areas are."
            )
        return Chunk(index, self.roles[index], frame_of_area(area, *self.size), (self.slots,) * count)


@dataclass(frozen=True)
class Call:
    """One call of the model, as a method's session is told of it.

    Attributes:
        host: the model that is called.
        rows: of the call; the session may look at others instead.
        context: ``[rows, (layers,) L, c]``, the text of each row.
        options: the call's transformer_options.
        dtype, device: of the computation.
    """

    batch: Batch
    host: Host
    rows: Rows
    context: Tensor
    options: Mapping
    dtype: torch.dtype
    device: torch.device

    @property
    def run(self) -> Run:
        """The sampling run."""
        return self.batch.run

    @property
    def acting(self) -> Rows:
        """The rows that instances act in."""
        if self.run.control.uncond != OFF:
            return self.rows
        key = ("acting", self.rows, self.device)
        return self.run.memo.make(key, lambda: self.rows.only(lambda chunk: chunk.role == CAPTION, self.device))


def _placed(text: Text, call: Call) -> Text:
    """On the call's device, the embedding in its dtype."""
    others = {name: value.to(call.device) if torch.is_tensor(value) else value for name, value in text.others.items()}
    return replace(text, tokens=text.tokens.to(device=call.device, dtype=call.dtype), others=others)


def _size(size: Sequence[int]) -> str:
    return f"{size[1]} x {size[0]}"
