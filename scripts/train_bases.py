"""The base of train.py, loaded from any path by ComfyUI's own loaders. Import after ComfyUI is on sys.path."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import comfy.sd
import comfy.utils

T = TypeVar("T")


def load_base(options: Namespace):
    """(MODEL, CLIP or None, VAE or None) of --checkpoint, --unet or --demo. Raises ValueError naming the file."""
    if options.demo:
        from roictrl_pack.nodes.demo_model.files import load_demo

        model, clip, vae = _loaded(
            [options.demo / "base.safetensors", options.demo / "vae.safetensors"], lambda *_: load_demo(options.demo)
        )
    elif options.checkpoint:
        model, clip, vae = _loaded([options.checkpoint], comfy.sd.load_checkpoint_guess_config)[:3]
    else:
        kind = getattr(comfy.sd.CLIPType, options.clip_type.upper(), None)
        if kind is None:
            raise ValueError(
                f"--clip-type {options.clip_type} is none of {', '.join(k.name.lower() for k in comfy.sd.CLIPType)}"
            )
        model = _loaded([options.unet], comfy.sd.load_diffusion_model)
        clip = (
            _loaded(options.clip, lambda *paths: comfy.sd.load_clip(list(paths), clip_type=kind))
            if options.clip
            else None
        )
        vae = None
    if options.vae:
        vae = _loaded([options.vae], lambda path: comfy.sd.VAE(sd=comfy.utils.load_torch_file(path)))
    if model is None:
        raise ValueError(f"{options.checkpoint or options.unet} holds no diffusion model that ComfyUI knows")
    return model, clip, vae


def check_encoders(clip, vae) -> None:
    """Raise ValueError where pictures and captions cannot be encoded; otherwise the first caption would
    find it out, after all pictures."""
    if clip is None:
        raise ValueError(
            "the base has no text encoder to encode the captions with: name one with --clip (and --unet), "
            "or a checkpoint that holds one"
        )
    if vae is None:
        raise ValueError("the base has no VAE to encode the pictures with: name one with --vae")


def _loaded(paths: list[Path], load: Callable[..., T]) -> T:
    from roictrl_pack.roictrl_core.weights_file import check_is_weights

    for path in paths:
        check_is_weights(path)
    try:
        return load(*map(str, paths))
    except Exception as error:  # torch, safetensors and ComfyUI each have their own for damaged files
        names = ", ".join(map(str, paths))
        raise ValueError(
            f"{names} cannot be loaded: {str(error).strip() or type(error).__name__}. Is it the right file, and whole?"
        ) from error
