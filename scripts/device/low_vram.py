"""A model and an adapter whose weights stay in the CPU's memory and are cast in forward: the picture is the same."""

from __future__ import annotations

from argparse import Namespace

import torch

from .bench import Bench, peak
from .stages import Wrong
from .start import fresh_memory, start

NAME = "input_blocks.1.1.transformer_blocks.0.attn2.to_v.weight"
BUDGET = 64  # bytes of weights that may be loaded
LIMIT = 0.1  # of what the boxes make; in fp16 a LoRA's sum is rounded at another time
LAZY = 50  # layers, at the least, of the model and of the adapter


def run(options: Namespace) -> None:
    """A picture with boxes and a LoRA, fully loaded and not."""
    start(options.device)
    bench = Bench.of(options)
    size, count, steps = (64, 2, 1) if options.small else (512, 10, 4)
    weight = dict(bench.model.model.diffusion_model.named_parameters())[NAME]
    bench.model.add_patches({f"diffusion_model.{NAME}": ("diff", (weight.detach().clone().roll(1, 0),))})
    boxes, lazy = bench.with_boxes(size, count), []
    print("| | peak GB |\n|---|---|")
    pictures = {}
    for name, model in {"plain": bench.model, "loaded": boxes, "little memory": lowered(boxes, lazy)}.items():
        fresh_memory(options.device)
        with torch.inference_mode():
            pictures[name] = latent(model, bench.conds, size, steps)
        print(f"| {name} | {peak(options.device)} |", flush=True)
    plain, loaded, low = pictures.values()
    error, effect = (float((other - loaded).norm() / loaded.norm()) for other in (low, plain))
    same = ", bit for bit the same" if torch.equal(low, loaded) else ""
    print(f"\nLayers that cast in forward: {' and '.join(map(str, lazy))}.")
    print(f"Difference of the latents: {error:.1e}{same}; the boxes make {effect:.1e}.")
    if len(lazy) != 2 or min(lazy) < LAZY:
        raise Wrong("the weights were loaded after all.")
    if not error < LIMIT * effect:
        raise Wrong(f"the difference has to be under {LIMIT:g} of what the boxes make.")


def lowered(model, lazy: list[int]):
    """The same, of which nearly nothing is loaded when it samples; lazy: takes the number of layers that cast."""
    from comfy.patcher_extension import WrappersMP

    def load_little(executor, model, *args, **kwargs):
        result = executor(model, *args, **kwargs)
        for one in (model, *model.get_nested_additional_models()):
            one.unpatch_model(one.offload_device, unpatch_weights=True)
            one.load(one.load_device, lowvram_model_memory=BUDGET)
            lazy.append(sum(getattr(module, "comfy_cast_weights", False) for module in one.model.modules()))
        return result

    low = model.clone()
    low.add_wrapper_with_key(WrappersMP.PREPARE_SAMPLING, "roictrl.device_check", load_little)
    return low


def latent(model, conds: tuple, size: int, steps: int):
    """Euler with CFG."""
    import comfy.sample

    empty = torch.zeros(1, 4, size // 8, size // 8)
    noise = comfy.sample.prepare_noise(empty, 0)
    arguments = (steps, 5.0, "euler", "normal", *conds, empty)
    return comfy.sample.sample(model, noise, *arguments, disable_pbar=True, seed=0)
