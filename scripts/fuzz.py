"""Hostile input until time is up: what must end in a result or a sentence, and what the worst of it takes.

    python scripts/fuzz.py                       20 seconds of every part
    python scripts/fuzz.py texts --minutes 30 --seed 7
    python scripts/fuzz.py route                 the largest texts through a real server: times, pauses, memory

Parts: texts (box files changed somewhere, through every reader, check and writer), monsters (texts made to be work,
as large as they may be), weights (weight files), training (training data), route (the monsters through the import route
of a server). Run it with the Python of the environment that `dev.py setup` makes; `route` wants COMFYUI_PATH,
or what `dev.py setup` fetched.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random

from devtools.base import make_base
from devtools.frontend import frontend_arguments
from devtools.places import find_comfyui
from devtools.server import Server
from fuzzing import monsters, route, texts, training, weights
from fuzzing.run import Case, Tally, run


def monster_cases(random: Random) -> Iterator[Case]:
    """Each monster once, in the process itself, as the box node reads it."""
    return ((name, partial(texts.read_and_use, text, 512, 512)) for name, text in monsters.monsters())


PARTS = {"texts": texts.cases, "monsters": monster_cases, "weights": weights.cases, "training": training.cases}


def through_the_route() -> Tally:
    """A row for each monster."""
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="roictrl-fuzz-") as folder:
        python, comfyui = Path(sys.executable), find_comfyui()
        with Server(python, comfyui, make_base(Path(folder)), arguments=frontend_arguments(python, comfyui)) as server:
            for row in route.post_all(server.url, server.process, [("nothing", ""), *monsters.monsters()]):
                print(row, flush=True)
                tally.done += 1
                tally.refused += row.status in (413, 422)
                tally.slowest = sorted([*tally.slowest, (row.seconds, row.name)], reverse=True)[:3]
                if row.status not in (200, 413, 422):
                    tally.faults.append(str(row))
    return tally


def main() -> int:
    """Runs the parts; 1 where there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, "route", []], help="all of them, where none is named")
    parser.add_argument("--minutes", type=float, default=1 / 3, help="for each part that has no end of its own")
    parser.add_argument("--seed", type=int, default=0, help="the same seed makes the same cases")
    arguments = parser.parse_args()
    faults = 0
    for part in arguments.parts or [*PARTS, "route"]:
        tally = (
            through_the_route()
            if part == "route"
            else run(PARTS[part](Random(arguments.seed)), seconds=60 * arguments.minutes)
        )
        print(f"{part}: {tally.summary()}", *tally.faults[:20], sep="\n", flush=True)
        faults += len(tally.faults)
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
