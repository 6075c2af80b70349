"""The golden files on the device in fp32, fp16 and bf16."""

from __future__ import annotations

import math
import traceback
from argparse import Namespace
from collections.abc import Callable

import torch

from .stages import Wrong
from .start import start

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
HALF = {"fp16": 0.02, "bf16": 0.1}  # relative error of the whole that a file may have; the tests' limits of a UNet


def run(options: Namespace) -> None:
    """A row per file: its largest errors in each dtype, and whether fp32 is as near as the tests ask on a CPU."""
    start(options.device)
    from .golden_cases import FILES, SLOW, UNETS, Target

    # cuDNN would round the inputs of float32 convolutions to 10 bits.
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    print("Largest absolute error, and relative error of the whole, against the published modules in fp32 on a CPU.\n")
    print("| file | fp32 | | as near as the tests ask | fp16 | | bf16 | |\n|---|---|---|---|---|---|---|---|")
    wrong = []
    for path, compute in FILES.items():
        if options.small and path in SLOW:
            continue
        cells = [path]
        for name, dtype in DTYPES.items():
            if options.small and compute in UNETS and name != "fp32":
                cells += ["", ""]  # seconds each on a CPU, which has no fp16
                continue
            found, good = compared(lambda c=compute, p=path, d=dtype: list(c(p, Target(options.device, d))), name)
            cells += found
            if not good:
                wrong.append(f"{path} in {name}")
        print(f"| {' | '.join(cells)} |", flush=True)
    if wrong:
        raise Wrong(f"too far from what is published: {', '.join(wrong)}.")


def compared(compute: Callable[[], list], name: str) -> tuple[list[str], bool]:
    """(cells of the table, whether that is near enough); an error is a cell, and the next file has its turn."""
    try:
        with torch.no_grad():
            pairs = compute()
    except Exception as error:
        traceback.print_exc()
        return [type(error).__name__, "", *(["no"] if name == "fp32" else [])], False
    errors = [max(found, key=_size) for found in zip(*(pair.errors for pair in pairs), strict=True)]
    good = all(pair.within for pair in pairs) if name == "fp32" else errors[1] < HALF[name]
    return [*(f"{error:.1e}" for error in errors), *(["yes" if good else "no"] if name == "fp32" else [])], good


def _size(error: float) -> float:
    return math.inf if math.isnan(error) else error
