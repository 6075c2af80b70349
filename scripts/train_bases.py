"""The base of train.py, loaded from any path by ComfyUI's own loaders. Import after ComfyUI is on sys.path."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import comfy.sd
import comfy.utils


def load_base(options: Namespace):
    """(MODEL, CLIP or None, VAE or None) of --checkpoint, --unet or --demo. Raises ValueError naming the file."""
    if options.demo:
        from roictrl_pack.nodes.demo_model import load_demo

        model, clip, vae = load_demo(options.demo)
    elif options.checkpoint:
        model, clip, vae = comfy.sd.load_checkpoint_guess_config(str(_existing(options.checkpoint)))[:3]
    else:
        model = comfy.sd.load_diffusion_model(str(_existing(options.unet)))
        kind = getattr(comfy.sd.CLIPType, options.clip_type.upper())
        clip = comfy.sd.load_clip([str(_existing(path)) for path in options.clip], clip_type=kind) if options.clip else None
        vae = None
    if options.vae:
        vae = comfy.sd.VAE(sd=comfy.utils.load_torch_file(str(_existing(options.vae))))
    if model is None:
        raise ValueError(f"{options.checkpoint or options.unet} holds no diffusion model that ComfyUI knows")
    return model, clip, vae


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise ValueError(f"{path} does not exist")
    return path
