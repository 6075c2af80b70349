"""Running cases and counting what came of them."""

from __future__ import annotations

import faulthandler
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

Case = tuple[str, Callable[[], object]]

HANGS = 600  # seconds, after which a case is taken to have no end: the program prints where it is and exits


@dataclass
class Tally:
    """Of one run: how many cases there were and were refused, the slowest (seconds, name), and the faults as text."""

    done: int = 0
    refused: int = 0
    slowest: list[tuple[float, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def summary(self) -> str:
        slow = ", ".join(f"{seconds:.2f} s ({name})" for seconds, name in self.slowest)
        return (
            f"{self.done} cases, {self.refused} refused with a sentence, {len(self.faults)} faults; "
            f"slowest: {slow}; peak memory {peak_memory()}"
        )


def run(cases: Iterable[Case], most: int | None = None, seconds: float | None = None) -> Tally:
    """The first ``most`` cases, or as many as end within ``seconds``."""
    tally, started = Tally(), time.monotonic()
    for name, call in cases:
        faulthandler.dump_traceback_later(HANGS, exit=True)
        _one(name, call, tally)
        if tally.done == most or (seconds is not None and time.monotonic() - started > seconds):
            break
    faulthandler.cancel_dump_traceback_later()
    return tally


def _one(name: str, call: Callable[[], object], tally: Tally) -> None:
    tally.done += 1
    began = time.perf_counter()
    try:
        call()
    except ValueError as error:
        tally.refused += 1
        if type(error).__module__ == "builtins" and type(error) is not ValueError or not is_sentence(str(error)):
            tally.faults.append(_fault(name, call))
    except Exception:
        tally.faults.append(_fault(name, call))
    tally.slowest = sorted([*tally.slowest, (time.perf_counter() - began, name)], reverse=True)[:3]


def is_sentence(text: str) -> bool:
    """Whether it could be one of ours: neither a word of a parser's, nor the file itself."""
    return 20 < len(text) < 20_000


def _fault(name: str, call: Callable[[], object]) -> str:
    arguments = ", ".join(repr(argument)[:2000] for argument in getattr(call, "args", ()))
    return f"{name}: {arguments}\n{traceback.format_exc(limit=-6)}"


def peak_memory() -> str:
    """Of this process so far."""
    try:
        import resource
    except ImportError:
        return "unknown"
    return (
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == 'darwin' else 2**10):.0f} MB"
    )
