"""The Multi-Instance Sampler in ComfyUI: a guider that knows every branch's prompt, and a sampler that runs them.

Rows of a call belong to branches, and the sampler says which in transformer_options; the prompts of several branches
become one cond over the whole batch, so they run together with the negative prompt as long as memory allows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import comfy.conds
import comfy.model_management
import comfy.samplers
import torch
from torch import Tensor
from tqdm.auto import tqdm

from ...roictrl_core.instance_diffusion.sampler import alone_steps, multi_instance, multi_instance_plms
from ...roictrl_core.instance_diffusion.schedule import as_latent, noised
from ...roictrl_core.notes import Note
from ..patch.control import Slot
from ..patch.methods.instance_diffusion import STEP
from ..patch.run import BRANCHES
from ..report import warn

# In a model's transformer_options: a closure that gives the instances that can have a branch.
SLOTS = "roictrl.instances"

# A cond with one of these acts on a part of the picture, of the schedule or of the batch: it runs by itself.
_APART = {"area", "mask", "control", "hooks", "gligen", "timestep_start", "timestep_end", "default"}


def offer(model, slots: Sequence[Slot]) -> None:
    """Lets a guider of ``model`` draw each of these instances alone; of several Applies the last one's."""
    # A closure: up to ComfyUI 0.12 clone() deep-copies everything else in model_options.
    model.model_options.setdefault("transformer_options", {})[SLOTS] = lambda: slots


def offered(model) -> Sequence[Slot]:
    """What was offered last; nothing where nobody did."""
    found = model.model_options.get("transformer_options", {}).get(SLOTS)
    return () if found is None else found()


class MultiInstanceGuider(comfy.samplers.CFGGuider):
    """CFG with a prompt per branch: 0 is the positive prompt, i the caption of the i-th enabled instance alone."""

    def __init__(self, model) -> None:
        super().__init__(model)
        self.instances = 0

    def set_branches(self, positive, negative) -> None:
        """Conditionings of the whole picture; the captions come from the model's Apply InstanceDiffusion."""
        slots = offered(self.model_patcher)
        self.instances = len(slots)
        # A ControlNet on the positive prompt guides the branches too: they become one picture.
        shared = {key: positive[0][1][key] for key in ("control", "control_apply_to_uncond") if key in positive[0][1]}
        captions = {_name(i): [[slot.caption.tokens[None], dict(shared)]] for i, slot in enumerate(slots, 1)}
        self.inner_set_conds({"positive": positive, "negative": negative, **captions})

    def predict_noise(self, x, timestep, model_options={}, seed=None):  # noqa: B006 - core's signature
        branches = model_options.get("transformer_options", {}).get(BRANCHES, (0,))
        positive = self._merged(branches, x.shape[0])
        return comfy.samplers.sampling_function(
            self.inner_model,
            x,
            timestep,
            self.conds["negative"],
            positive,
            self.cfg,
            model_options=model_options,
            seed=seed,
        )

    def groups(self, branches: Sequence[int], shape: Sequence[int]) -> list[Sequence[int]]:
        """The branches in as few batches as their conds and the memory allow; ``shape`` is one branch's latent."""
        if len(branches) == 1 or not all(self._is_plain(branch) for branch in branches):
            return [(branch,) for branch in branches]
        free = comfy.model_management.get_free_memory(self.model_patcher.load_device)
        fitting = (
            k
            for k in range(len(branches), 1, -1)
            if self.inner_model.memory_required([k * shape[0], *shape[1:]]) * 1.5 < free
        )
        size = next(fitting, 1)
        return [tuple(branches[start : start + size]) for start in range(0, len(branches), size)]

    def _is_plain(self, branch: int) -> bool:
        conds = self.conds[_name(branch)]
        return len(conds) == 1 and not _APART & conds[0].keys() and conds[0].get("strength", 1.0) == 1.0

    def _merged(self, branches: Sequence[int], rows: int) -> list[dict]:
        """One cond for all branches: their texts one after the other, each for its share of the rows."""
        lists = [self.conds[_name(branch)] for branch in branches]
        if len(lists) == 1:
            return lists[0]
        texts = [conds[0]["model_conds"]["c_crossattn"].cond for conds in lists]
        length, share = math.lcm(*(text.shape[1] for text in texts)), rows // len(branches)
        # Repeating a text changes nothing in attention; core pads the same way.
        texts = [text.repeat(share // text.shape[0], length // text.shape[1], 1) for text in texts]
        first = lists[0][0]
        model_conds = {**first["model_conds"], "c_crossattn": comfy.conds.CONDCrossAttn(torch.cat(texts))}
        return [{**first, "model_conds": model_conds}]


class MultiInstanceSampler(comfy.samplers.Sampler):
    """Branches alone for a share of the steps, their mean, then the whole picture's branch to the end.

    ``inner`` is another Sampler, which restarts on the remaining sigmas; None is PLMS as published, whose history of
    the whole picture's branch goes on.  With a guider that knows no instances it is the plain sampler.
    """

    def __init__(self, share: float, inner: comfy.samplers.Sampler | None = None) -> None:
        self.share, self.inner = share, inner

    def sample(
        self, model_wrap, sigmas, extra_args, callback, noise, latent_image=None, denoise_mask=None, disable_pbar=False
    ):
        instances = getattr(model_wrap, "instances", 0)
        if self.share > 0 and instances == 0:
            warn("Multi-Instance Sampler", [Note("run.no_instances")])
        model = _BranchModel(model_wrap, sigmas, extra_args, noise, latent_image, denoise_mask)
        run = self._plms if self.inner is None else self._restarting
        return model.kept(run(model, sigmas, instances, callback, disable_pbar))

    def _plms(self, model: _BranchModel, sigmas: Tensor, instances: int, callback, disable_pbar: bool) -> Tensor:
        levels = sigmas.tolist()
        with tqdm(total=len(levels) - 1, disable=disable_pbar) as bar:

            def report(step, sigma, x, eps):
                bar.update()
                if callback is not None:
                    callback(step, x[0] - sigma * eps[0], x[0], len(levels) - 1)

            x = multi_instance_plms(
                model.eps, model.published_start(levels[0]), levels, instances, self.share, report=report
            )
        return as_latent(x, levels[-1])

    def _restarting(self, model: _BranchModel, sigmas: Tensor, instances: int, callback, disable_pbar: bool) -> Tensor:
        steps, done = len(sigmas) - 1, 0
        total = steps + instances * alone_steps(steps, self.share)

        def sample(x, part, first, branch):
            nonlocal done
            start = done

            def shifted(step, denoised, x, _):
                if callback is not None:
                    callback(start + step, denoised, x, total)

            done += len(part) - 1
            return self.inner.sample(
                _OneBranch(model, branch),
                part,
                dict(model.extra_args),
                shifted,
                torch.zeros_like(x),
                x,
                None,
                disable_pbar,
            )

        return multi_instance(sample, model.start(self, sigmas), sigmas, instances, self.share)


class _BranchModel:
    """The guider as denoiser of branches, with the inpainting of core's samplers around it."""

    def __init__(
        self, guider, sigmas: Tensor, extra_args: dict, noise: Tensor, latent: Tensor, mask: Tensor | None
    ) -> None:
        self.guider, self.sigmas, self.extra_args = guider, sigmas, extra_args
        self.noise, self.latent, self.mask = noise, latent, mask

    def start(self, sampler: comfy.samplers.Sampler, sigmas: Tensor) -> Tensor:
        """The noisy latent, as core's samplers begin."""
        sampling = self.guider.inner_model.model_sampling
        return sampling.noise_scaling(
            sigmas[0], self.noise.clone(), self.latent, sampler.max_denoise(self.guider, sigmas)
        )

    def published_start(self, sigma: float) -> Tensor:
        """Noise alone has variance 1 before the change of variables; on a picture it is added as usual."""
        if torch.count_nonzero(self.latent):
            return self.latent + self.noise * sigma
        return noised(self.noise, sigma)

    def kept(self, x: Tensor) -> Tensor:
        """The result, with the masked-off part of the picture as it was.

        The published last level leaves noise in it.
        """
        return x if self.mask is None else x * self.mask + self.latent * (1 - self.mask)

    def eps(self, x: Tensor, sigma: float, step: int, branches: Sequence[int]) -> Tensor:
        """The noise prediction after CFG: the `Model` of the core's samplers.

        ``x`` and the result are ``[k, B, C, H, W]``.
        """
        groups = self.guider.groups(branches, x.shape[1:]) if hasattr(self.guider, "groups") else [branches]
        parts, done = [], 0
        for group in groups:
            comfy.model_management.throw_exception_if_processing_interrupted()
            rows = x[done : done + len(group)].flatten(0, 1)  # [k * B, C, H, W]
            denoised = self.denoised(rows, rows.new_full((len(rows),), sigma), group, {STEP: step})
            parts.append(((rows - denoised) / sigma).unflatten(0, (len(group), -1)))
            done += len(group)
        return torch.cat(parts)

    def denoised(self, x: Tensor, sigma: Tensor, branches: Sequence[int], more: dict, model_options=None) -> Tensor:
        """``x`` ``[k * B, C, H, W]`` with the masked-off part of the picture kept."""
        options = self.extra_args.get("model_options", {}) if model_options is None else model_options
        routed = {**options.get("transformer_options", {}), BRANCHES: tuple(branches), **more}
        masked = comfy.samplers.KSamplerX0Inpaint(self.guider, self.sigmas)
        repeat = (len(branches), 1, 1, 1)
        masked.noise, masked.latent_image = self.noise.repeat(repeat), self.latent.repeat(repeat)
        mask = None if self.mask is None else self.mask.repeat(repeat)
        return masked(x, sigma, mask, {**options, "transformer_options": routed}, self.extra_args.get("seed"))


class _OneBranch:
    """What a core sampler is given as its model: one branch of a _BranchModel."""

    def __init__(self, model: _BranchModel, branch: int) -> None:
        self.model, self.branch = model, branch
        self.inner_model = model.guider.inner_model
        self.model_patcher = model.guider.model_patcher
        self.conds, self.cfg = model.guider.conds, getattr(model.guider, "cfg", 1.0)

    def __call__(self, x, sigma, model_options={}, seed=None):  # noqa: B006 - core's signature
        return self.model.denoised(x, sigma, (self.branch,), {}, model_options)


def _name(branch: int) -> str:
    """How the guider's conds call a branch; no word in it hints at a negative prompt."""
    return f"instance {branch}" if branch else "positive"
