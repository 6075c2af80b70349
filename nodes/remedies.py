"""What to do in ComfyUI with a weight file that went to the wrong loader, by what it is."""

from __future__ import annotations

from ..roictrl_core.recognise import OtherKind

REMEDIES = {  # by the names of roictrl_core/recognise.py
    "a ROICtrl adapter": "Load it with Load ROICtrl Adapter.",
    "an InstanceDiffusion checkpoint": (
        "Load it with Load InstanceDiffusion, which reads it as it is; scripts/convert.py makes one safetensors file "
        "of what it needs."
    ),
    "a GLIGEN model": "Load it with GLIGENLoader.",
    "a LoRA": "Load it with Load LoRA, on the model that goes into Apply ROICtrl.",
    "an IP-Adapter": "Load it with the nodes of an IP-Adapter pack.",
    "a ControlNet": "Load it with Load ControlNet Model.",
    "a T2I-Adapter": "Load it with Load ControlNet Model.",
    "an AnimateDiff motion module": "Load it with the nodes of an AnimateDiff pack.",
    "a full checkpoint without an adapter": "Load it with Load Checkpoint; the adapter is a file of its own.",
    "a diffusion transformer": "Load it with Load Diffusion Model; ROICtrl needs a UNet.",
    "a UNet without an adapter": "Load it with Load Diffusion Model; the adapter is a file of its own.",
    "a VAE": "Load it with Load VAE.",
    "a text encoder": "Load it with Load CLIP.",
    "a CLIP vision model": "Load it with Load CLIP Vision.",
    "a textual inversion embedding": "Put it into models/embeddings and write embedding:name in a caption.",
    "an upscaler": "Load it with Load Upscale Model.",
    "a checkpoint of a training run": (
        "Resume the training with it, or use the adapter file that the run wrote beside it."
    ),
}


def sentence(error: ValueError) -> str:
    """An error's sentence, with what to do where that depends on what the file is."""
    return f"{error} {REMEDIES[error.kind.name]}" if isinstance(error, OtherKind) else str(error)
