"""The wrappers of one Apply on a cloned model.

Four are registered, nothing else: OUTER_SAMPLE opens and closes the run's state, PREDICT_NOISE counts the sampler's
evaluations, CALC_COND_BATCH finds the rows' roles and has the captions encoded, and APPLY_MODEL asks the method's
session what acts in the call and has the host install it for the time of that call, so that a call in which nothing
acts is the base model's own.  A last one, of which a model has one whatever the number of Applies, brings together what
they bring.
All are closures without state: up to ComfyUI 0.12 `clone()` deep-copies objects, later versions share them.  State
travels in transformer_options under three keys of this Apply alone, so Applies stack.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from comfy.patcher_extension import WrappersMP

from .control import Control
from .gates import gates_of
from .hosts import Host, host_of
from .methods import Method
from .own_pass import OWN, surrounded, with_own_passes
from .points import CannotAct, Inputs
from .run import Run

NAME = "roictrl"  # of our wrappers and additional models on a ModelPatcher
TOGETHER = "roictrl.together"  # of the one wrapper that sees what all Applies bring


def attach(model, control: Control, method: Method):
    """A clone of ``model`` (a ModelPatcher) in which ``control`` acts; just a clone where it can never act."""
    patched = model.clone()
    if control.is_off:
        return patched
    key, kind = f"{NAME}.{uuid.uuid4().hex}", type(host_of(model))
    patched.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, NAME, _outer_sample(key, partial(Run, control, method)))
    patched.add_wrapper_with_key(WrappersMP.PREDICT_NOISE, NAME, _predict_noise(key))
    patched.add_wrapper_with_key(WrappersMP.CALC_COND_BATCH, NAME, _calc_cond_batch(key, kind))
    patched.add_wrapper_with_key(WrappersMP.APPLY_MODEL, NAME, _apply_model(key, kind))
    if not patched.get_wrappers(WrappersMP.APPLY_MODEL, TOGETHER):
        # Wrappers of the first key run first, later Applies' as well: this one sees what all of them bring.
        patched.add_wrapper_with_key(WrappersMP.APPLY_MODEL, TOGETHER, _together(kind))
    others = patched.get_additional_models_with_key(NAME)
    patched.set_additional_models(NAME, others + [m for m in method.models if not any(m.is_clone(o) for o in others)])
    return patched


def _outer_sample(key: str, open_run: Callable[..., Run]) -> Callable:
    def outer_sample(executor, noise, *args, **kwargs):
        guider = executor.class_obj
        options = guider.model_options.setdefault("transformer_options", {})
        run = options[f"{key}.run"] = open_run(guider, noise.shape)
        try:
            result = executor(noise, *args, **kwargs)
            run.finish()
            return result
        except CannotAct as error:
            raise ValueError(f"{run.control.node}: {error}") from error
        finally:
            options.pop(f"{key}.run", None)
            run.close()

    return outer_sample


def _predict_noise(key: str) -> Callable:
    def predict_noise(executor, x, timestep, model_options={}, seed=None):  # noqa: B006 - core's signature
        run = model_options.get("transformer_options", {}).get(f"{key}.run")
        if run is not None:
            run.begin_evaluation(seed)
        return executor(x, timestep, model_options, seed)

    return predict_noise


def _calc_cond_batch(key: str, kind: type[Host]) -> Callable:
    def calc_cond_batch(executor, model, conds, x_in, timestep, model_options, *args, **kwargs):
        def ask(lists, options):
            return executor(model, lists, x_in, timestep, options, *args, **kwargs)

        options = model_options.get("transformer_options", {})
        run = options.get(f"{key}.run")
        if run is None or OWN in options:
            return ask(conds, model_options)
        batch = run.batch(conds, x_in, timestep)
        if batch is not None:
            run.encode(partial(kind.encoded, model, x_in))
        model_options = {**model_options, "transformer_options": {**options, f"{key}.batch": batch}}
        out = ask(conds, model_options)
        if batch is None or not run.draws_alone(batch.sigma):
            return out
        return with_own_passes(ask, _host(run, kind, model), model, batch, x_in, model_options, out)

    return calc_cond_batch


def _apply_model(key: str, kind: type[Host]) -> Callable:
    install = kind.installer(f"{key}.call")

    def apply_model(executor, x, t, c_concat=None, c_crossattn=None, control=None, transformer_options=None, **kwargs):
        options, model = {} if transformer_options is None else transformer_options, executor.class_obj
        run, batch = options.get(f"{key}.run"), None if OWN in options else options.get(f"{key}.batch")
        if run is not None and OWN not in options and f"{key}.batch" not in options:
            run.say("run.past_batching")
        if batch is not None:
            call = batch.call(_host(run, kind, model), x, c_crossattn, options, compute_dtype(model))
            points, gates = (run.session(call), gates_of(call)) if call else (None, ())
            inputs = Inputs(x, c_crossattn, options, kwargs)
            with ExitStack() as acting:
                if gates:  # first, so that a method's own calls go past them
                    inputs = acting.enter_context(call.host.gated(gates, inputs, run.memo))
                if points and any(points):
                    points = run.reusing(points, call, x)
                    installed = install(call.host, inputs, points, call.rows.size, run.memo, run.say)
                    inputs = acting.enter_context(installed)
                return executor(inputs.x, t, c_concat, inputs.text, control, inputs.options, **inputs.others)
        return executor(x, t, c_concat, c_crossattn, control, transformer_options, **kwargs)

    return apply_model


def _host(run: Run, kind: type[Host], model) -> Host:
    """The host of a BaseModel, once per run."""
    return run.memo.make(("host", id(model)), lambda: kind(model.diffusion_model))


def _together(kind: type[Host]) -> Callable:
    def apply_model(executor, x, t, c_concat=None, c_crossattn=None, control=None, transformer_options=None, **kwargs):
        options = {} if transformer_options is None else transformer_options
        x, options = surrounded(x, options)
        inputs = Inputs(x, c_crossattn, options, kwargs)
        with kind.together(inputs) as inputs:
            return executor(inputs.x, t, c_concat, inputs.text, control, inputs.options, **inputs.others)

    return apply_model


def compute_dtype(model):
    """The dtype that core casts latents and text to before the model."""
    return model.manual_cast_dtype or model.get_dtype()
