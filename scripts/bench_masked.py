"""Training cost of ROI-Align and ROI-Unpool against masked attention, by size of the feature map.

    python scripts/bench_masked.py

Memory that a forward pass keeps for its backward pass and seconds of both passes, of the demo base with either adapter
in one run. The boxes are the benchmark's tuning layouts of one level; latents are noise, since cost does not depend on
what they show. The grids stay as the demo adapter's are, or grow with the map.
"""

from __future__ import annotations

import argparse

from demo_common import start
from demo_train import ADAPTER
from devtools.pack import ROOT

GRIDS, SLOTS = tuple(int(side) for side in ADAPTER["--grids"]), int(ADAPTER["--slots"][0])
LATENT_CELLS = 16 * 16 * 32  # per forward pass: 32 pictures of the demo's size, or fewer of a larger
PAIR = ("roictrl_short", "masked_attention")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--sides", type=int, nargs="+", default=[16, 32, 64], help="cells of the latents' side; the demo's are 16"
    )
    parser.add_argument("--instances", type=int, default=4, choices=range(2, 7), help="of each picture")
    parser.add_argument("--repeats", type=int, default=5, help="measured passes of each; the median counts")
    options = parser.parse_args(arguments)
    start()
    import torch

    from devtools.pack import load_pack

    load_pack()
    from roictrl_pack.nodes.demo_model.files import load_demo
    from roictrl_pack.nodes.training.base import TrainingBase

    torch.set_num_threads(1)
    demo = load_demo(ROOT / "demo_model")
    base = TrainingBase.from_model(demo.model, torch.float32, (128, 128))
    print(
        f"float32, {base.device}, one thread, torch {torch.__version__}; MB kept for the backward "
        "pass, seconds of both passes"
    )
    print(
        f"{'cells':>5} {'pictures':>8} {'grids':>14} {'ROI MB':>7} {'masked':>7} {'ratio':>6} "
        f"{'ROI s':>6} {'masked':>7} {'ratio':>6}"
    )
    for side in options.sides:
        batch = batch_of(demo.clip, max(LATENT_CELLS // side**2, 1), options.instances, side).to(base.device)
        for grids in dict.fromkeys((GRIDS, tuple(max(grid * side // 16, 1) for grid in GRIDS))):
            (roi, roi_seconds), (masked, masked_seconds) = measured(base, demo.clip, batch, grids, options.repeats)
            print(
                (
                    f"{side:>5} {len(batch.latents):>8} {' '.join(map(str, grids)):>14} {roi / 1e6:>7.0f} "
                    f"{masked / 1e6:>7.0f} {masked / roi:>6.2f} {roi_seconds:>6.2f} {masked_seconds:>7.2f} "
                    f"{masked_seconds / roi_seconds:>6.2f}"
                ),
                flush=True,
            )


def batch_of(clip, pictures: int, instances: int, side: int):
    """Tuning layouts as a training batch: every instance has its caption, latents are noise."""
    import torch
    from roictrl_pack.roictrl_core.instances import InstanceBatch
    from roictrl_pack.roictrl_core.training.batches import Batch

    from benchmark.layouts import LEVELS, case_of
    from benchmark.sampling import encode

    cases = [case_of("tuning", LEVELS.index(instances) + number * len(LEVELS)) for number in range(pictures)]
    boxes = InstanceBatch.from_boxes(torch.tensor([case.boxes for case in cases]), slots=SLOTS)
    texts = tuple(encode(clip, caption)[0][0][0].detach().float() for case in cases for caption in case.captions)
    context = torch.cat([encode(clip, case.text)[0][0][:, : len(texts[0])] for case in cases]).detach().float()
    torch.manual_seed(0)
    latents, noise = torch.randn(2, pictures, 4, side, side)
    return Batch(
        latents,
        noise,
        torch.randint(0, 1000, (pictures,)),
        boxes,
        context,
        None,
        texts,
        tuple(range(len(texts))),
        tuple(range(pictures)),
    )


def measured(base, clip, batch, grids: tuple[int, ...], repeats: int) -> list[tuple[int, float]]:
    """(bytes, seconds) of each of the pair, their passes in turn."""
    import numpy as np

    from benchmark.training import kept_for_backward
    from benchmark.variants import VARIANTS

    options = argparse.Namespace(
        grids=grids, slots=SLOTS, dropout=0.0, regulariser=0.01, gradient_checkpointing=False, seed=0
    )
    setups = [VARIANTS[name].build(base, clip, options) for name in PAIR]
    kept = [kept_for_backward(setup, base, batch) for setup in setups]
    seconds = np.median(
        [
            [seconds_of(lambda setup=setup: setup.objective(batch).total.backward()) for setup in setups]
            for _ in range(repeats)
        ],
        0,
    )
    return list(zip(kept, seconds.tolist(), strict=True))


def seconds_of(run) -> float:
    from devtools.clock import clock

    began = clock()
    run()
    return clock() - began


if __name__ == "__main__":
    main()
