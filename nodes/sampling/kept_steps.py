"""Keep Steps and Redo Boxes as samplers: what the model saw at each step, and a run in which it sees that again.

What is wrapped is the denoiser that a sampler calls, not the sampler's callback and not the model.  The callback comes
after the evaluation of a step, and what it is given is not what all samplers go on with; the model is also called by
guiders, in batches and in pieces.  Between them lies one call with a latent and a noise level, whatever the sampler is.

Samplers are element-wise: what becomes of a cell depends on the other cells only through the model.  So where the kept
latent goes into the model in the other cells' place, and into the result, a free cell is drawn as if it had been put
back after each step (docs/roictrl.md section 7.5), also by samplers of second order and with a memory, whose own state
in the kept cells then reaches nobody; and a kept cell of the result is the kept one, to the bit.  What a sampler adds
from the noise of another seed makes no difference for the same reason.  A sampler that chooses its steps by what it
sees is told by its noise levels, and refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import comfy.samplers
import torch
from torch import Tensor

from ...roictrl_core.layout import Layout
from ...roictrl_core.notes import Note, log
from ..report import named, warn

KEEP, REDO = "Keep Steps", "Redo Boxes"
MAX_BYTES = 4 * 2**30


@dataclass
class KeptRun:
    """One sampling run: its noise levels, the latent of every evaluation of the model on the CPU, and the result, both
    as samplers have them; and the result as LATENT, scaled for the VAE, by which the run is known again."""

    sigmas: Tensor  # [steps + 1]
    levels: list[float] = field(default_factory=list)  # of the evaluations; steps of second order have two
    latents: list[Tensor] = field(default_factory=list)  # [B, C, (frames,) h, w] each
    result: Tensor | None = None
    samples: Tensor | None = None
    size: int = 0  # bytes of all latents; over MAX_BYTES none are kept

    @property
    def megabytes(self) -> str:
        """The size as sentences show it."""
        return f"{self.size / 2**20:.3g}"

    def add(self, latent: Tensor, level: float) -> None:
        """Keeps what the model sees at one noise level, as long as there is room."""
        self.size += latent.nbytes
        self.levels.append(level)
        if self.size > MAX_BYTES:
            self.latents.clear()
        else:
            self.latents.append(latent.to("cpu", copy=True))

    def place(self, number: int, latent: Tensor, level: float) -> Tensor:
        """The latent of the evaluation with this number from 0, where ``latent`` is; a ValueError where it was none of
        the same kind."""
        same = number < len(self.latents) and abs(self.levels[number] - level) <= 1e-4 * self.levels[number]
        if not same or self.latents[number].shape != latent.shape:
            raise ValueError(
                "the model is evaluated at other noise levels, or on another latent, than in the run that was kept. "
                "Connect the same sigmas, the same guider's kind and a latent of the same size to both samplers, and "
                "use a sampler with a fixed number of steps (dpm_adaptive has none)."
            )
        return self.latents[number].to(latent)


class Steps:
    """STEPS: the sampler around which runs are kept, the layout of the picture, and the last run (None before it).

    A run is never changed once it has ended; the next one is another object.
    """

    def __init__(self, sampler: comfy.samplers.Sampler, layout: Layout) -> None:
        self.sampler, self.layout = sampler, layout
        self.run: KeptRun | None = None


class KeepingSampler(comfy.samplers.Sampler):
    """The sampler of ``steps``, whose runs are kept there."""

    def __init__(self, steps: Steps) -> None:
        self.steps = steps

    def sample(self, model_wrap, sigmas, *args, **kwargs):
        run = KeptRun(sigmas.to("cpu", copy=True))

        def keep(x: Tensor, sigma: Tensor) -> Tensor:
            run.add(x, float(sigma.flatten()[0]))
            return x

        result = self.steps.sampler.sample(_Seen(model_wrap, keep), sigmas, *args, **kwargs)
        return self.end(run, result, model_wrap)

    def end(self, run: KeptRun, result: Tensor, guider) -> Tensor:
        """Hands the run to STEPS, with a sentence on its size; the result once more."""
        run.result = result.to("cpu", copy=True)
        run.samples = guider.inner_model.process_latent_out(result.to(torch.float32)).to("cpu", copy=True)  # as core
        self.steps.run = run
        values = {"count": len(run.levels), "megabytes": run.megabytes}
        if run.latents:
            log.info("%s: %s", KEEP, Note("redo.kept", values=values).sentence())
        else:
            warn(KEEP, [Note("redo.too_large", values={**values, "most": MAX_BYTES // 2**20})])
        return result


class RedoingSampler(comfy.samplers.Sampler):
    """The sampler of a kept run once more, with its latents wherever ``mask`` (``[h, w]``) is 0.

    Without a cell to redo it gives the kept result, and the model is not asked.  Its own run goes to ``keeper``.
    """

    def __init__(self, sampler: comfy.samplers.Sampler, run: KeptRun, mask: Tensor, keeper: KeepingSampler) -> None:
        self.sampler, self.run, self.mask, self.keeper = sampler, run, mask, keeper

    def sample(self, model_wrap, sigmas, extra_args, callback, noise, *args, **kwargs):
        with named(REDO):
            self._check(sigmas, noise)
        if not self.mask.any():
            self.keeper.steps.run = self.run
            return self.run.result.to(noise, copy=True)
        run, mask = KeptRun(self.run.sigmas), self.mask.to(noise)  # broadcast over all other axes
        number = -1

        def put_back(x: Tensor, sigma: Tensor) -> Tensor:
            nonlocal number
            number += 1
            level = float(sigma.flatten()[0])
            with named(REDO):
                kept = self.run.place(number, x, level)
            seen = mixed(x, kept, mask)
            run.add(seen, level)
            return seen

        result = self.sampler.sample(_Seen(model_wrap, put_back), sigmas, extra_args, callback, noise, *args, **kwargs)
        return self.keeper.end(run, mixed(result, self.run.result.to(result), mask), model_wrap)

    def _check(self, sigmas: Tensor, noise: Tensor) -> None:
        kept = self.run.sigmas
        if sigmas.shape != kept.shape or not torch.allclose(sigmas.cpu().float(), kept.float(), rtol=1e-4):
            raise ValueError(
                f"the sigmas are {_told(sigmas)}, and those of the kept run {_told(kept)}. Connect the same sigmas to "
                "both samplers."
            )
        if noise.shape != self.run.result.shape:
            raise ValueError(
                f"the latent has the shape {list(noise.shape)}, and that of the kept run "
                f"{list(self.run.result.shape)}. Connect the same latent to both samplers."
            )


def mixed(new: Tensor, kept: Tensor, mask: Tensor) -> Tensor:
    """``new`` where the mask is 1 and ``kept`` where it is 0, both to the bit, and in between by it."""
    blend = torch.lerp(kept, new, mask.expand_as(new))
    return torch.where(mask >= 1, new, torch.where(mask <= 0, kept, blend))


class _Seen:
    """A guider as samplers see it, whose latents go through ``change`` on their way to it."""

    def __init__(self, guider, change) -> None:
        self._guider, self._change = guider, change

    def __call__(self, x, sigma, *args, **kwargs):
        return self._guider(self._change(x, sigma), sigma, *args, **kwargs)

    def __getattr__(self, name: str):
        return getattr(self._guider, name)


def _told(sigmas: Tensor) -> str:
    """How many steps, from where to where."""
    return f"{len(sigmas) - 1} steps from {float(sigmas[0]):.4g} to {float(sigmas[-1]):.4g}"
