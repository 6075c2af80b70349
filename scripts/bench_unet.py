"""A whole UNet of SD1.5's kind of any width, with random weights, with and without the pack's boxes: made, and sampled
with a clock and a counter of operations."""

from __future__ import annotations

import argparse
import random
import sys
import time
from itertools import pairwise

CAPTION_TOKENS = 77
PAPER = {"size": 1024, "instances": 25, "steps": 50}


def build(options: argparse.Namespace, size: int, count: int, model=None, **settings) -> tuple:
    """The plain model, the same with a random adapter and boxes, the adapter's config, and (positive, negative).

    ``model``: one that is there already; ``settings``: of the Apply node.
    """
    import torch

    from devtools import tiny_models

    unet = unet_config(options.width)
    dtype = torch.float16 if options.device == "cuda" else torch.float32
    model = model or tiny_models.patcher(tiny_models.sd15_model(unet, dtype=dtype), options.device)
    clip = tiny_models.clip(768)
    if options.adaptive:
        settings["adaptive_roi_size"] = True
    controlled, config = WITH[options.method](model, clip, unet, dtype, random_layout(size, count), **settings)
    conds = tuple(clip.encode_from_tokens_scheduled(clip.tokenize(text)) for text in ("a photo", "blurry"))
    return model, controlled, config, conds


def unet_config(width: int) -> dict:
    """SD1.5's with that many model channels; 320 is its own."""
    from devtools import tiny_models

    return {**tiny_models.SD15, "model_channels": width, "channel_mult": [1, 2, 4, 4], "context_dim": 768}


def with_roictrl(model, clip, unet: dict, dtype, layout, **settings) -> tuple:
    """(the model with a random ROICtrl adapter and the layout, the adapter's config)."""
    from devtools.pack import pack_module

    adapter = random_adapter(unet, dtype)
    patched = pack_module("nodes.apply").ApplyROICtrl.execute(model, adapter, clip, layout, **settings)[0]
    return patched, adapter.model.config


def random_adapter(unet: dict, dtype, *network):
    """ROICTRL for the UNet; ``network``: a variant of the class."""
    from devtools import tiny_models
    from devtools.pack import pack_module

    config = pack_module("roictrl_core.config").AdapterConfig.for_unet(unet)
    weights = tiny_models.randomize(
        pack_module("roictrl_core.adapter").ROICtrlAdapter(config, dtype=dtype)
    ).state_dict()
    file = pack_module("roictrl_core.checkpoint").AdapterFile(config, weights, {}, "random")
    return pack_module("nodes.weights").adapter_patcher(file, *network)


def with_instance_diffusion(model, clip, unet: dict, dtype, layout, **settings) -> tuple:
    """(the model with random InstanceDiffusion weights and the layout, their config)."""
    from devtools import tiny_models
    from devtools.pack import pack_module

    full, width = (
        pack_module("roictrl_core.instance_diffusion.config").InstanceDiffusionConfig(),
        unet["model_channels"],
    )
    config = type(full)(
        fusers=tuple((name, channels * width // 320) for name, channels in full.fusers),
        scaleu=tuple(c * width // 320 for c in full.scaleu),
    )
    network = pack_module("roictrl_core.instance_diffusion.model").InstanceDiffusion(config, dtype=dtype)
    weights = pack_module("nodes.weights").instance_diffusion_patcher(
        config, tiny_models.randomize(network).state_dict()
    )
    return pack_module("nodes.instance_diffusion").ApplyInstanceDiffusion.execute(
        model, weights, clip, layout, alpha=1.0, **settings
    )[0], config


def with_roi_prompts(model, clip, unet: dict, dtype, layout, **settings) -> tuple:
    """(the model with the layout in every step, nothing: there is no adapter)."""
    from devtools.pack import pack_module

    node = pack_module("nodes.roi_prompts").ApplyROIPrompts
    return node.execute(model, clip, layout, end_percent=1.0, **settings)[0], None


WITH = {
    "roictrl": with_roictrl,
    "instancediffusion": with_instance_diffusion,
    "roi_prompts": with_roi_prompts,
}


def random_layout(size: int, count: int):
    """Boxes with sides of a fifth to a half of the picture, the same on every machine,
    each with a caption of its own."""
    from devtools.pack import pack_module

    module, draw = pack_module("roictrl_core.layout"), random.Random(0)
    instances = []
    for number in range(count):
        width, height = draw.uniform(0.2, 0.5), draw.uniform(0.2, 0.5)
        x, y = draw.uniform(0, 1 - width), draw.uniform(0, 1 - height)
        instances.append(module.Instance(box=(x, y, x + width, y + height), caption=f"thing number {number}"))
    return module.Layout(width=size, height=size, instances=tuple(instances))


def sampled(model, conds: tuple, shape: tuple, steps: int) -> tuple[float, float, int]:
    """(seconds of the fastest step after the first, seconds of the whole picture's sampling,
    FLOPs of the second step)."""
    from devtools.flops import check_attention_is_counted, flop_counter

    check_attention_is_counted()
    counter, times = flop_counter(), [synchronised()]

    def after_step(step: int, *_) -> None:
        # Captions' keys and values are cached by the second step. Counting slows that one on a GPU:
        # the fastest is another.
        times.append(synchronised())
        if step == 0:
            counter.__enter__()
        elif step == 1:
            counter.__exit__(None, None, None)

    sample(model, conds, shape, steps, after_step)
    return (
        min(after - before for before, after in pairwise(times[1:])),
        times[-1] - times[0],
        counter.get_total_flops(),
    )


def sample(model, conds: tuple, shape: tuple, steps: int, callback) -> None:
    """ComfyUI's own sampling: Euler, CFG 7.5."""
    import comfy.sample
    import torch

    latent = torch.zeros(shape)
    noise = comfy.sample.prepare_noise(latent, 0)
    comfy.sample.sample(
        model, noise, steps, 7.5, "euler", "normal", *conds, latent, callback=callback, disable_pbar=True, seed=0
    )


def picture(model, conds: tuple, shape: tuple, steps: int, share: float) -> tuple[float, int]:
    """(seconds, FLOPs) of a picture by PLMS, the Multi-Instance Sampler on for that share of the steps;
    the first run warms up."""
    import torch

    from devtools.flops import flop_counter
    from devtools.pack import pack_module

    nodes = pack_module("nodes.instance_diffusion_sampling")
    latent = {"samples": torch.zeros(shape)}
    with flop_counter() as counter:
        nodes.InstanceDiffusionSampler.execute(model, *conds, latent, 0, steps, 7.5, share)
    began = synchronised()
    nodes.InstanceDiffusionSampler.execute(model, *conds, latent, 0, steps, 7.5, share)
    return synchronised() - began, counter.get_total_flops()


def synchronised() -> float:
    """The clock, after the device has finished."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def peak_bytes(device: str) -> int:
    """The allocator's peak on CUDA, else the process's peak resident memory."""
    import torch

    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
