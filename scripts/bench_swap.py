"""Captions exchanged, contents exchanged?  Whether control acts, on the demo model and the demo transformer.

    python scripts/bench_swap.py                                        50 layouts, the demo transformer
    python scripts/bench_swap.py --methods prompt roi_prompts_own       the demo model's UNet

Layouts of two things that differ in colour, shape and texture, each drawn twice from one seed: with the captions, and
with the captions exchanged.  A box counts where in both pictures the judge sees in it more of what its own caption
asks than of what the other asks; strictly, where it sees all three attributes, both times.  Settings are those of a
report (--settings), the benchmark's first ones where it has none.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from demo_common import CACHE, start
from devtools.pack import ROOT

SEED, STEPS, CFG = 620, 20, 2.0  # of the layouts, which no training and no row of the benchmark has; the demo's
SHOWN = 8  # layouts in the picture


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=["transformer", "transformer_roi_prompts", "transformer_own"])
    parser.add_argument("--layouts", type=int, default=50)
    parser.add_argument("--settings", type=Path, metavar="JSON", help="a report of the benchmark")
    parser.add_argument("--trained", type=Path, default=CACHE / "benchmark" / "trained")
    parser.add_argument("--picture", type=Path, help="of the first layouts, a column each: drawn, and exchanged")
    options = parser.parse_args(arguments)
    start()
    from devtools.pack import load_pack

    load_pack()
    from benchmark.methods import METHODS
    from benchmark.places import Places

    demo = ROOT / "demo_model"
    places = Places(demo, demo / "adapter.safetensors", options.trained, options.trained)
    known = json.loads(options.settings.read_text(encoding="utf-8"))["methods"] if options.settings else {}
    lines = []
    if options.layouts < 1 or set(options.methods) - set(METHODS):
        raise SystemExit(f"bench_swap.py: layouts must be 1 or more, and methods among {', '.join(METHODS)}.")
    for name in options.methods:
        method = METHODS[name]
        if problem := method.problem(places):
            raise SystemExit(f"bench_swap.py: {problem}.")
        settings = known.get(name, {}).get("settings") or {**method.first, "cfg": CFG}
        pairs = list(drawn(method, places, settings, options.layouts))
        more, all_three = (sum(pair[i] for pair in pairs) / (2 * len(pairs)) for i in (1, 2))
        print(f"{name}: contents exchanged in {more:.1%} of {2 * len(pairs)} boxes, strictly in {all_three:.1%}")
        lines.append([pictures for pictures, _, _ in pairs[:SHOWN]])
    if options.picture:
        save(lines, options.picture)


def drawn(method, places, settings: dict, layouts: int) -> Iterator[tuple]:
    """Per layout its two pictures, and how many of its boxes count, and count strictly."""
    import torch

    from benchmark.sampling import Sampler, sample
    from demo_world.judge import judge

    torch.set_num_threads(1)
    parts, cfg = method.load(places), settings["cfg"]
    for case in cases(layouts):
        other = exchanged(case)
        with torch.inference_mode():
            pictures = [
                sample(parts.vae, method.prepare(parts, one, settings), one.size, cfg, Sampler(STEPS), [one.number])[0]
                for one in (case, other)
            ]
        seen = [[verdict.found for verdict in judge(p, case.boxes, case.wanted)] for p in pictures]
        own, others = case.wanted, other.wanted
        counts = [
            agrees(seen[0][i], own[i]) > agrees(seen[0][i], others[i])
            and agrees(seen[1][i], others[i]) > agrees(seen[1][i], own[i])
            for i in range(2)
        ]
        strictly = [seen[0][i] == own[i] and seen[1][i] == others[i] for i in range(2)]
        yield pictures, sum(counts), sum(strictly)


def agrees(found, wanted) -> int:
    """In how many attributes; 0 where nothing was found."""
    return sum(getattr(found, name, None) == getattr(wanted, name) for name in ("colour", "shape", "texture"))


def cases(count: int) -> Iterator:
    """Layouts of two things that share no attribute."""
    import numpy as np

    from benchmark.layouts import Case
    from demo_world.captions import instance_caption
    from demo_world.world import random_scene

    number = 0
    while count:
        scene = random_scene((SEED, number), 2)
        one, other = (thing.attributes for thing in scene.things)
        if not agrees(one, other):
            rng = np.random.default_rng((SEED, 1, number))
            yield Case(number, scene, (instance_caption(one, rng), instance_caption(other, rng)))
            count -= 1
        number += 1


def exchanged(case):
    """The same boxes, each with the other's caption."""
    first, second = case.scene.things
    things = replace(first, attributes=second.attributes), replace(second, attributes=first.attributes)
    return replace(case, scene=replace(case.scene, things=things), captions=case.captions[::-1])


def save(lines: list, file: Path) -> None:
    """Two rows of pictures per method, a column per layout."""
    import numpy as np
    from PIL import Image

    rows = [np.concatenate([np.concatenate(pair, 0) for pair in pairs], 1) for pairs in lines]
    Image.fromarray(np.concatenate(rows, 0)).save(file)


if __name__ == "__main__":
    main()
