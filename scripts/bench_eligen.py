"""What EliGen's entities cost: `dev.py cost --method eligen`, a row of whose table is measured here, in one process.

The rule is the same with and without the LoRA, and so is its cost.  The models are of Qwen-Image's and FLUX.1's own
classes, with four blocks of a small width and random weights: attention, which grows with the square of the tokens,
weighs more in them than in the real ones.  Texts have 512 tokens in FLUX, as in training, and 24 in Qwen-Image.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace

from bench_unet import peak_bytes, random_layout, sampled

HEAD_CHANNELS = 128  # of both
SMALL = {
    "Qwen-Image": dict(attention_head_dim=HEAD_CHANNELS, axes_dims_rope=(16, 56, 56), num_layers=4),
    "FLUX.1": dict(axes_dim=[16, 56, 56], mlp_ratio=4.0, depth=2, depth_single_blocks=2),
}
NAMES = {"Qwen-Image": "qwen_image", "FLUX.1": "flux"}  # in devtools.tiny_dits
TEXT = {"Qwen-Image": 24, "FLUX.1": 512}
HEAD = (
    "| model | px | entities | tokens | with | s/step, plain | ratio | GFLOPs/step, plain | ratio | peak MB, plain | "
    "with | kept MB |\n|---|---|---|---|---|---|---|---|---|---|---|---|"
)


def rows(options: argparse.Namespace) -> list[tuple[str, int, int]]:
    """Model, pixels, entities."""
    return [(name, size, count) for name in NAMES for size in options.sizes for count in options.instances]


def measure(options: argparse.Namespace, name: str, size: int, count: int) -> dict:
    """One row: steps of the plain model, then those with entities; the peak of the second holds the first's."""
    import torch

    from devtools import tiny_dits

    kept = [0]
    with torch.inference_mode():
        model = small_model(name, options.width)
        conds = tuple(tiny_dits.conditioning(NAMES[name], seed, TEXT[name]) for seed in (5, 6))
        shape = tiny_dits.latent(NAMES[name], size=(size // 8, size // 8)).shape
        plain, peak = sampled(model, conds, shape, options.steps), peak_bytes(options.device)
        boxes = sampled(with_entities(model, name, size, count, kept), conds, shape, options.steps)
    tokens = (size // 16) ** 2 + TEXT[name]
    return {
        "tokens": [tokens, tokens + count * TEXT[name]],
        "seconds": [plain[0], boxes[0]],
        "flops": [plain[2], boxes[2]],
        "peak": [peak, peak_bytes(options.device)],
        "kept": max(kept),
    }


def small_model(name: str, width: int):
    """A ModelPatcher of the model's own class, of a small width."""
    import comfy.supported_models

    from devtools import tiny_dits

    heads = width // HEAD_CHANNELS
    sizes = {"num_attention_heads": heads} if name == "Qwen-Image" else {"num_heads": heads, "hidden_size": width}
    kind, unet = tiny_dits.FAMILIES[NAMES[name]][:2]
    kind = getattr(comfy.supported_models, kind)
    model = tiny_dits.model_of(kind, {**kind.unet_config, **unet, **SMALL[name], **sizes})
    tiny_dits.randomize(model.diffusion_model)
    return tiny_dits.patcher_of(model)


def with_entities(model, name: str, size: int, count: int, kept: list[int]):
    """The model behind Apply EliGen; bytes that its run keeps are noted in ``kept`` after each call."""
    from comfy.patcher_extension import WrappersMP

    from devtools.pack import pack_module
    from devtools.tiny_families import RandomCLIP

    layout = random_layout(size, count)
    texts = (f"{number} {TEXT[name]}" for number in range(20, 20 + count))
    instances = tuple(replace(one, caption=text) for one, text in zip(layout.instances, texts, strict=True))
    patched = pack_module("nodes.eligen").ApplyEliGen.execute(
        model, RandomCLIP(NAMES[name]), replace(layout, instances=instances), flux_text_length="as encoded"
    )[0]

    def note(executor, *args, **kwargs):
        out = executor(*args, **kwargs)
        runs = [value for key, value in args[5].items() if key.endswith(".run")]
        tensors = {id(tensor): tensor.nbytes for run in runs for tensor in tensors_in([run.memo, run.encoded])}
        kept.append(sum(tensors.values()))
        return out

    patched.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "bench", note)
    return patched


def tensors_in(value: object) -> Iterator:
    """The tensors that a value holds."""
    import torch

    if isinstance(value, torch.Tensor):
        yield value
        return
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    if is_dataclass(value):
        parts = [getattr(value, field.name) for field in fields(value)]
    for part in parts:
        yield from tensors_in(part)


def as_line(row: tuple[str, int, int], found: dict) -> str:
    """One row of the table."""
    ratios = {key: found[key][1] / found[key][0] for key in ("seconds", "flops")}
    cells = [
        *row,
        *found["tokens"],
        f"{found['seconds'][0]:.2f}",
        f"{ratios['seconds']:.2f}",
        f"{found['flops'][0] / 1e9:.0f}",
        f"{ratios['flops']:.2f}",
        *(f"{peak / 1e6:.0f}" for peak in found["peak"]),
        f"{found['kept'] / 1e6:.2f}",
    ]
    return f"| {' | '.join(map(str, cells))} |"
