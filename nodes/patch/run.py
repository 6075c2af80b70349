"""The state of one sampling run of one Apply. It lives in the run's own transformer_options and ends with the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ...roictrl_core.blending import slot_order
from ...roictrl_core.cache import KeyValueCache
from ...roictrl_core.instances import InstanceBatch
from ...roictrl_core.notes import Note
from ..report import warn
from .call import OURS, Chunk, Memo, UNetCall, place_instances
from .control import NONE, OFF, Control, Slot, Window
from .frames import area_of_cond, frame_of_area
from .roles import CAPTION, UNKNOWN, roles_of_lists
from .topology import Block, text_blocks

if TYPE_CHECKING:
    from .methods import Method


def sigma_window(window: Window, model_sampling) -> Window:
    """Percents of the schedule as sigmas, as core's own start and end percents."""
    return tuple(float(model_sampling.percent_to_sigma(percent)) for percent in window)


def inside(sigma: float, window: Window) -> bool:
    """Core's rule: both ends belong to the window."""
    return window[1] <= sigma <= window[0]


class Run:
    """One sampling run: the guider, the latent, the windows in sigmas, and what may be kept between steps."""

    def __init__(self, control: Control, method: Method, guider, latent_shape: Sequence[int]) -> None:
        self.control, self.method, self.guider = control, method, guider
        self.latent_size = tuple(latent_shape[-2:])
        sampling = guider.model_patcher.get_model_object("model_sampling")
        self.window = sigma_window(control.window, sampling)
        self.slot_windows = [sigma_window(slot.window, sampling) for slot in control.slots]
        self.memo = Memo()
        # Scheduled LoRA hooks change attn2's weights between steps.
        self.keeps_text = not guider.model_options.get("registered_hooks")
        self.batches = 0
        self._said: set[str] = set()
        self._check_shape()

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

    def active(self, sigma: float) -> tuple[bool, ...]:
        """Which slots act at this step; all False outside the Apply's own window."""
        on = inside(sigma, self.window)
        return tuple(
            on and slot.enabled and inside(sigma, window) for slot, window in zip(self.control.slots, self.slot_windows)
        )

    def batch(self, lists: Sequence, x_in: Tensor, timestep: Tensor) -> Batch | None:
        """What the UNet calls of one `calc_cond_batch` need, or None where the model is to be left alone."""
        active = self.active(float(timestep.flatten()[0]))
        if not any(active):
            return None
        size = tuple(x_in.shape[-2:])
        if size != self.latent_size:
            self.say("run.other_size", size=_size(size), picture=_size(self.latent_size))
            return None
        roles = roles_of_lists(lists, self.guider.conds)
        if any(role == UNKNOWN and conds is not None for role, conds in zip(roles, lists)):
            self.say("run.prompt_left_alone" if self.control.uncond == OFF else "run.prompt_unknown")
        self.batches += 1
        return self.batch_kind(self, tuple(lists), tuple(roles), size, active, self.batches - 1)

    def place(self, active: Sequence[bool], chunks: Sequence[Chunk], rows: int, device: torch.device) -> InstanceBatch:
        """The slots that are on, in every row of every chunk; ``rows`` to a chunk."""
        control = self.control
        return place_instances(
            control.slots, active, chunks, rows, self.method.slot_count(control), control.uncond == NONE, device
        )

    def slot(self, row: int, slot: int) -> Slot:
        """What sits in a slot of a chunk's row."""
        return self.control.slots[slot]

    @property
    def batch_kind(self) -> type[Batch]:
        """What `batch` makes; another method has its own."""
        return Batch

    def order(self, batch: int, block: Block) -> Tensor | None:
        """The slot permutation of a block, one for all rows of a batch, as in the published code."""
        if self.control.shuffle_seed is None:
            return None
        return slot_order(self.method.slot_count(self.control), self.control.shuffle_seed, batch, block.number)

    def cache(self, device: torch.device) -> KeyValueCache | None:
        """Keys and values of the captions on one device (several run in threads), or None where they may change."""
        return self.memo.make(("cache", device), KeyValueCache) if self.keeps_text else None

    def close(self) -> None:
        self.memo.clear()


@dataclass(frozen=True)
class Batch:
    """One `calc_cond_batch`: its cond lists with their roles, the latent's size, the slots that are on."""

    run: Run
    lists: tuple
    roles: tuple[str, ...]
    size: tuple[int, int]
    active: tuple[bool, ...]
    number: int

    def call(self, x: Tensor, context: Tensor | None, options: Mapping, model) -> UNetCall | None:
        """The UNet call for latents ``x`` ``[rows, C, H, W]`` and text ``context`` ``[rows, (layers,) L, c]``.

        None where it is nothing that the boxes belong to.  Raises ValueError for a crop whose place is not known.
        """
        run, chunks = self.run, self.chunks(x, context, options)
        if chunks is None:
            return None
        uuids = options.get("uuids", [None] * len(chunks))
        rows = x.shape[0] // len(chunks)
        numbers, acting = self._acting(chunks, rows, x.device)
        if not numbers:
            return None
        if acting is not None:
            context, uuids = context[acting.to(context.device)], [uuids[c] for c in numbers]
            chunks = tuple(chunks[c] for c in numbers)
        key = ("instances", chunks, rows, self.active, x.device)
        instances = run.memo.make(key, lambda: run.place(self.active, chunks, rows, x.device))
        texts = self._texts(instances, chunks, uuids, context, compute_dtype(model), x.device)
        foreign = [p for p in options.get("patches", {}).get("attn2_patch", ()) if not hasattr(p, OURS)]
        call = UNetCall(
            size=(x.shape[0], *x.shape[-2:]),
            chunks=chunks,
            instances=instances,
            contexts=[text for text, _ in texts],
            own_text=[own for _, own in texts],
            blocks=run.memo.make(("blocks", id(model)), lambda: text_blocks(model.diffusion_model)),
            acting=acting,
            cache=run.cache(x.device),
            memo=run.memo,
            strength=run.control.strength,
            uuids=tuple(uuids),
            context_patches=tuple(foreign),
            order=lambda block: run.order(self.number, block),
            say=run.say,
        )
        run.method.begin(call)
        return call

    def chunks(self, x: Tensor, context: Tensor | None, options: Mapping) -> tuple[Chunk, ...] | None:
        """The rows' conds with roles and crops; None for a call that is not the sampler's. Raises as `call` does."""
        indices = options.get("cond_or_uncond", ())
        if context is None or not indices or x.shape[0] % len(indices):
            self.run.say("run.no_prompts")
            return None
        uuids = options.get("uuids", [None] * len(indices))
        return tuple(self._chunk(i, uuid, x) for i, uuid in zip(indices, uuids))

    def _acting(self, chunks: Sequence[Chunk], rows: int, device: torch.device) -> tuple[list[int], Tensor | None]:
        """The numbers of the chunks that the boxes act in, and their rows in the UNet's batch; rows None: all."""
        numbers = [c for c, chunk in enumerate(chunks) if chunk.role == CAPTION or self.run.control.uncond != OFF]
        if len(numbers) == len(chunks):
            return numbers, None
        return numbers, self.run.memo.make(
            ("acting", *numbers, rows, device),
            lambda: torch.tensor([c * rows + r for c in numbers for r in range(rows)], device=device),
        )

    def _chunk(self, index: int, uuid: object, x: Tensor) -> Chunk:
        cond = next((c for c in self.lists[index] or () if c.get("uuid") == uuid), {})
        area = area_of_cond(cond, *self.size)
        expected = self.size if area is None else area[:2]
        if tuple(x.shape[-2:]) != tuple(expected):
            raise ValueError(
                f"{self.run.control.node}: the model is run on {_size(x.shape[-2:])} pieces of a {_size(expected)} "
                "latent, and nothing says where a piece lies, so the boxes cannot be placed. Remove the tiled "
                "diffusion node, or divide the picture with area conditioning, which says where its areas are."
            )
        return Chunk(index, self.roles[index], frame_of_area(area, *self.size))

    def _texts(
        self, instances, chunks, uuids, context: Tensor, dtype: torch.dtype, device
    ) -> list[tuple[Tensor, bool]]:
        """The embedding of every used ROI, its caption or its own negative, or its row's own context (True)."""
        run, rows = self.run, context.shape[0] // len(chunks)
        own = [
            self._own_context((chunk, uuid), context[c * rows : (c + 1) * rows], dtype, device)
            for c, (chunk, uuid) in enumerate(zip(chunks, uuids))
        ]
        texts = []
        for row, slot in instances.pairs:
            chunk, spec = chunks[row // rows], run.slot(row % rows, slot)
            text = spec.caption if chunk.role == CAPTION else spec.negative
            if text is None:
                texts.append((own[row // rows][row % rows], True))
            else:
                texts.append((self._on_device(text, dtype, device), False))
        return texts

    def _on_device(self, text: Tensor, dtype: torch.dtype, device) -> Tensor:
        """One tensor per embedding for the whole run: keys and values are kept by its identity."""
        return self.run.memo.make(("text", id(text), dtype, device), lambda: text.to(device=device, dtype=dtype))

    def _own_context(self, key: tuple, context: Tensor, dtype: torch.dtype, device) -> list[Tensor]:
        """``[R, ...]`` -> R embeddings; the same tensors as in the last call where the text is still the same."""
        key = ("own", *key, len(context), device)
        context = context.to(device=device, dtype=dtype)
        kept, texts = self.run.memo.get(key) or (None, [])
        if kept is not None and kept.shape == context.shape and torch.equal(kept, context):
            return texts
        first = context[0]
        texts = [first if torch.equal(row, first) else row for row in context]
        self.run.memo[key] = (context, texts)
        return texts


def compute_dtype(model) -> torch.dtype:
    """The dtype that core casts latents and text to before the UNet."""
    return model.manual_cast_dtype or model.get_dtype()


def _size(size: Sequence[int]) -> str:
    return f"{size[1]} x {size[0]}"
