"""The hooks of one Apply on a cloned model.

Three wrappers are registered, nothing else: OUTER_SAMPLE opens and closes the run's state, CALC_COND_BATCH finds the
rows' roles, and APPLY_MODEL adds three patches to a copy of the call's patch list, so that a call in which no box acts
is the base model's own.  All are closures without state: up to ComfyUI 0.12 `clone()` deep-copies objects, later
versions share them.  State travels in transformer_options under a key of this Apply alone, so Applies stack.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from .call import OURS, UNetCall
from .control import Control
from .methods import Method
from .replacements import watched
from .run import Batch, Run
from .topology import Block

# A keyword that the UNet takes and does not read. torch.compile's nodes skip the guards on transformer_options, so that a
# UNet traced without our patches would never see them; on a keyword there is a guard, and this one tells the patches.
PATCHES = "roictrl_patches"
NAME = "roictrl"  # of our wrappers and additional models on a ModelPatcher


def attach(model, control: Control, method: Method):
    """A clone of ``model`` (a ModelPatcher) in which ``control`` acts; just a clone where it can never act."""
    patched = model.clone()
    if control.is_off:
        return patched
    key = f"{NAME}.{uuid.uuid4().hex}"
    patches = make_patches(key, method)
    register(
        patched,
        key,
        partial(Run, control, method),
        lambda options, call: watched(with_patches(options, patches), call),
        method.models(),
    )
    return patched


def register(patched, key: str, open_run: Callable[..., Run], patch: Callable, models: Sequence) -> None:
    """Puts the three wrappers of one Apply on the clone ``patched``.

    ``open_run(guider, latent_shape)`` is the state of a sampling run, ``patch(options, call)`` the transformer_options
    of a UNet call in which something acts, ``models`` what ComfyUI is to load along.
    """
    patched.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, NAME, _outer_sample(key, open_run))
    patched.add_wrapper_with_key(WrappersMP.CALC_COND_BATCH, NAME, _calc_cond_batch(key))
    patched.add_wrapper_with_key(WrappersMP.APPLY_MODEL, NAME, _apply_model(key, patch))
    others = patched.get_additional_models_with_key(NAME)
    patched.set_additional_models(NAME, others + [m for m in models if not any(m.is_clone(o) for o in others)])


def _outer_sample(key: str, open_run: Callable[..., Run]) -> Callable:
    def outer_sample(executor, noise, *args, **kwargs):
        guider = executor.class_obj
        options = guider.model_options.setdefault("transformer_options", {})
        run = options[key] = open_run(guider, noise.shape)
        try:
            return executor(noise, *args, **kwargs)
        finally:
            options.pop(key, None)
            run.close()

    return outer_sample


def _calc_cond_batch(key: str) -> Callable:
    def calc_cond_batch(executor, model, conds, x_in, timestep, model_options, *args, **kwargs):
        options = model_options.get("transformer_options", {})
        run = options.get(key)
        if isinstance(run, Run):
            options = {**options, key: run.batch(conds, x_in, timestep)}
            model_options = {**model_options, "transformer_options": options}
        return executor(model, conds, x_in, timestep, model_options, *args, **kwargs)

    return calc_cond_batch


def _apply_model(key: str, patch: Callable) -> Callable:
    def apply_model(executor, x, t, c_concat=None, c_crossattn=None, control=None, transformer_options={}, **kwargs):
        options = transformer_options
        state, call = options.get(key), None
        if isinstance(state, Batch):
            call = state.call(x, c_crossattn, options, executor.class_obj)
        elif isinstance(state, Run):
            state.say("run.past_batching")
        if call is not None:
            options = patch({**options, key: call}, call)
            kwargs[PATCHES] = tuple((kind, len(patches)) for kind, patches in options.get("patches", {}).items())
        if c_crossattn is not None and c_crossattn.ndim == 4:
            options = with_patches(options, {"attn2_patch": pick_layer})
        return executor(x, t, c_concat, c_crossattn, control, options, **kwargs)

    return apply_model


def with_patches(options: Mapping, patches: Mapping[str, Callable], first: Sequence[str] = ("attn2_patch",)) -> dict:
    """A copy of transformer_options with our patches in its lists, before everybody's where named in ``first``.

    The capture of norm2's output and the per-layer text go before everybody's attn2_patch, the capture of h and our
    output after everybody's: a middle_patch behind ours would make the h that we saw stale.
    """
    lists = {name: list(own) for name, own in options.get("patches", {}).items()}
    for name, patch in patches.items():
        lists.setdefault(name, []).insert(0 if name in first else len(lists[name]), patch)
    return {**options, "patches": lists}


def pick_layer(n: Tensor, context: Tensor, value: Tensor, options: dict):
    """attn2_patch for per-layer text ``[B, layers, L, c]``: each transformer reads its own layer (ED-LoRA)."""
    if context.ndim != 4:
        return n, context, value
    layer, count = options["transformer_index"], context.shape[1]
    if layer >= count:
        raise ValueError(
            f"The conditioning holds text for {count} transformer layers, and this model has more. "
            "Encode it for this model, or use an ordinary CLIP Text Encode."
        )
    return n, context[:, layer], value[:, layer]


setattr(pick_layer, OURS, True)


def make_patches(key: str, method: Method) -> dict[str, Callable]:
    """The three patches of a block call; they hand h and n on in the dict that core makes for each block call."""
    kept = f"{key}.block"

    @torch.compiler.disable()
    def capture_h(h, options):
        if isinstance(options.get(key), UNetCall):
            options[kept] = {"h": h}
        return h

    @torch.compiler.disable()
    def capture_n(n, context, value, options):
        if kept in options:
            options[kept]["n"] = n
        return n, context, value

    @torch.compiler.disable()
    def fuse(a, options):
        state, call = options.pop(kept, {}), options.get(key)
        h, n = state.get("h"), state.get("n")
        block = call.blocks.get((*options["block"], options.get("block_index", 0))) if h is not None else None
        if block is None or n is None or not _belongs(call, block, h, n, a, options):
            return a
        if call.acting is None:
            return _output(method, call, block, h, a, n, options)
        acting = (state[call.acting] for state in (h, a, n))
        return a.index_copy(0, call.acting, _output(method, call, block, *acting, options))

    patches = {"middle_patch": capture_h, "attn2_patch": capture_n, "attn2_output_patch": fuse}
    for patch in patches.values():
        setattr(patch, OURS, True)
    return patches


def _output(method: Method, call: UNetCall, block: Block, h: Tensor, a: Tensor, n: Tensor, options: dict) -> Tensor:
    """What the block is to add to h instead of a, ``[B, T, C]``: the method's state at the Apply's strength, less h."""
    fused = method.fuse(call, block, h, a, n, options)
    if call.strength != 1:
        base = h + a
        fused = base + call.strength * (fused - base)
    return fused - h


def _belongs(call: UNetCall, block: Block, h: Tensor, n: Tensor, a: Tensor, options: dict) -> bool:
    """Whether this block call is part of the UNet call that the boxes were placed for."""
    rows, _, height, width = options["activations_shape"]
    shape = options.get("original_shape")
    if shape is not None and (shape[0], *shape[-2:]) != call.size:
        return False  # an extra pass over something else than the sampled latent, a reference image for one
    if not h.shape == n.shape == a.shape or h.shape[0] != call.size[0] or height * width != h.shape[1]:
        call.say("run.tokens_changed")
        return False
    return True
