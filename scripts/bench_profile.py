"""Where a sampling step goes: seconds, operations and bytes of each part of ROICtrl, beside what the method requires.

    python scripts/bench_profile.py                                  SD1.5's size, 512 and 1024 px, 1, 5 and 25 boxes
    python scripts/bench_profile.py --width 32 --sizes 128           a small one
    python scripts/bench_profile.py --device cuda                    the same on a GPU, in fp16

Seconds: medians of the steps after the second, each part without those inside it; a GPU is waited for at the ends of
parts, which makes a step there a little longer than it is.  Operations and bytes: counted in the second step; bytes
are what every operator reads and writes, so one that goes through the data five times counts five times.  Floors:
operations of the equations (docs/roictrl.md section 2); bytes of weights, of what comes in and of what goes out, once
each (ROI-Align's are with ROI cross-attention's, which could read the map itself).  Weights are random.  Wants
COMFYUI_PATH.
"""

from __future__ import annotations

import argparse
import statistics
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from bench_unet import CAPTION_TOKENS, build, random_layout, sample, synchronised

PLAN, TOKENS, ALIGN = "plan (once per run)", "box tokens (once per run)", "ROI-Align"
HEAD = "| part | s/step | of the step | GFLOPs | required | GB moved | floor |\n|---|---|---|---|---|---|---|"
REST, BASE, OUTSIDE = "norms and sums of the fuser", "base UNet and hooks", "sampler"


class Profile:
    """What every part took, by sampling step."""

    def __init__(self) -> None:
        self.steps: list[dict[str, Counter]] = [self._empty()]
        self._inside: list[str] = [OUTSIDE]
        self._since = synchronised()
        self.counting = None  # a mode with the operations and bytes so far

    @staticmethod
    def _empty() -> dict[str, Counter]:
        return {"seconds": Counter(), "operations": Counter(), "bytes": Counter()}

    def wrapped(self, part: str, function: Callable) -> Callable:
        """The function, its calls noted as the part's."""

        def call(*args, **kwargs):
            self._charge()
            self._inside.append(part)
            try:
                return function(*args, **kwargs)
            finally:
                self._charge()
                self._inside.pop()

        return call

    def next_step(self, *_) -> None:
        """A step is done."""
        self._charge()
        self.steps.append(self._empty())

    def _charge(self) -> None:
        """What went by since the last call belongs to the innermost part."""
        now, step, part = synchronised(), self.steps[-1], self._inside[-1]
        step["seconds"][part] += now - self._since
        if self.counting is not None:
            operations, moved = self.counting.taken()
            step["operations"][part] += operations
            step["bytes"][part] += moved
        self._since = synchronised()


def counting_mode():
    """A dispatch mode that counts operations and bytes of every operator; views and the like move nothing."""
    import torch
    from torch.utils._pytree import tree_leaves

    from devtools.flops import flop_counter

    class Counting(torch.utils._python_dispatch.TorchDispatchMode):
        moved, flops, _seen = 0, flop_counter(), 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            out = function(*args, **(kwargs or {}))
            tensors = [leaf for leaf in tree_leaves((args, kwargs, out)) if isinstance(leaf, torch.Tensor)]
            if not function.is_view and "empty" not in function.name():
                self.moved += sum(tensor.numel() * tensor.element_size() for tensor in tensors)
            return out

        def taken(self) -> tuple[int, int]:
            operations, moved, self.moved = self.flops.get_total_flops() - self._seen, self.moved, 0
            self._seen += operations
            return operations, moved

    return Counting()


@contextmanager
def parts_noted(profile: Profile, module) -> Iterator[None]:
    """Inside, the pack's parts and the UNet `module` note themselves."""
    from devtools.flops import BLEND, COORDINATE, CROSS, DENSE, INSIDE
    from devtools.pack import pack_module

    core, attention = "roictrl_core", pack_module("nodes.patch.hosts.unet_attention").CaptionAttention
    fuser, adapter = pack_module(f"{core}.fuser"), pack_module(f"{core}.adapter").ROICtrlAdapter
    places = [
        (module, "forward", BASE),
        (adapter, "plan", PLAN),
        (adapter, "box_tokens", TOKENS),
        (fuser, "weighted_rows", ALIGN),
        (fuser.ROIFuser, "forward", REST),
        (fuser.ROIFuser, "_within_rois", INSIDE),
        (fuser.ROIFuser, "_coordinate_attention", COORDINATE),
        *((attention, name, CROSS) for name in ("project_queries", "attend", "attend_queries")),
        (pack_module(f"{core}.blending").AttentionBlending, "forward", BLEND),
        (pack_module(f"{core}.layers").FeedForward, "forward", DENSE),
    ]
    with ExitStack() as stack:
        for owner, name, part in places:
            had, function = name in vars(owner), getattr(owner, name)
            setattr(owner, name, profile.wrapped(part, function))
            stack.callback(setattr, owner, name, function) if had else stack.callback(delattr, owner, name)
        yield


def measure(
    options: argparse.Namespace, size: int, count: int, plain: float | None = None
) -> tuple[Profile, float, tuple]:
    """The profile of a picture's steps, seconds of the plain UNet's step where they are not known yet, and the
    floors."""
    import torch

    from devtools.flops import floors

    with torch.inference_mode():
        model, patched, config, conds = build(options, size, count)
        shape = (1, 4, size // 8, size // 8)
        clock = [synchronised()]
        if plain is None:
            sample(model, conds, shape, options.steps, lambda *_: clock.append(synchronised()))
            plain = statistics.median(after - before for before, after in zip(clock[1:-1], clock[2:], strict=True))
        profile, mode = Profile(), counting_mode()

        def after_step(step: int, *_) -> None:
            profile.next_step()
            if step == 0:
                mode.flops.__enter__()
                mode.__enter__()
                profile.counting = mode
            elif step == 1:
                profile.counting = None
                mode.__exit__(None, None, None)
                mode.flops.__exit__(None, None, None)

        with parts_noted(profile, patched.model.diffusion_model):
            sample(patched, conds, shape, options.steps, after_step)
    boxes = [instance.box for instance in random_layout(size, count).instances]
    return profile, plain, floors(config, 2, boxes, *shape[2:], CAPTION_TOKENS, options.adaptive)


def lines(profile: Profile, plain: float, floor: tuple, width: int) -> Iterator[str]:
    """The table's rows; `width`: bytes of a number."""
    first, counted, timed = profile.steps[0], profile.steps[1], profile.steps[2:-1]
    whole = statistics.median(step["seconds"].total() for step in timed)
    for part in sorted({*counted["seconds"], PLAN, TOKENS}, key=lambda part: -counted["operations"][part]):
        once = part in (PLAN, TOKENS)
        seconds = first["seconds"][part] if once else statistics.median(step["seconds"][part] for step in timed)
        cells = [part, f"{seconds:.4f}", "-" if once else f"{seconds / whole:.0%}"]
        cells += figures(counted["operations"][part], floor[0][part], 1) + figures(
            counted["bytes"][part], width * floor[1][part], 2
        )
        yield f"| {' | '.join(cells)} |"
    totals = [counted[kind].total() / 1e9 for kind in ("operations", "bytes")]
    yield f"| all | {whole:.4f} | {whole / plain:.2f} x plain ({plain:.4f}) | {totals[0]:.1f} | | {totals[1]:.2f} | |"


def figures(found: float, floor: float, digits: int) -> list[str]:
    """In billions; no floor where the method requires nothing of it."""
    return [f"{found / 1e9:.{digits}f}", f"{floor / 1e9:.{digits}f}" if floor else "-"]


def main(arguments: list[str] | None = None) -> None:
    """A table for each size and number of boxes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024], help="pixels, square")
    parser.add_argument("--instances", type=int, nargs="+", default=[1, 5, 25])
    parser.add_argument("--width", type=int, default=320, help="the UNet's model channels; 320 is SD1.5")
    parser.add_argument("--steps", type=int, default=5, help="sampling steps, 3 or more")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--adaptive", action="store_true", help="with adaptive ROI size")
    options = parser.parse_args(arguments)
    options.method = "roictrl"
    import torch

    from devtools.flops import check_attention_is_counted
    from devtools.inprocess import start_comfyui

    torch.set_num_threads(options.threads)
    start_comfyui(cpu=options.device == "cpu")
    check_attention_is_counted()
    print(f"{options.device}, width {options.width}, {options.threads} threads, torch {torch.__version__}")
    for size in options.sizes:
        plain = None
        for count in options.instances:
            print(f"\n{size} px, {count} boxes\n\n{HEAD}")
            profile, plain, floor = measure(options, size, count, plain)
            for line in lines(profile, plain, floor, width=2 if options.device == "cuda" else 4):
                print(line, flush=True)


if __name__ == "__main__":
    main()
