"""Many prompts on one server: does its memory stay flat, and are its pictures still those of a fresh one?

    python scripts/soak.py --prompts 400 --seed 7

The demo model draws small pictures; layouts, methods, sizes and steps change from prompt to prompt, some prompts
are interrupted, some end in an error, and now and then ComfyUI is told to free its memory. Prints the server's memory
as it goes, its slope over the second half, and how many of the last pictures a fresh server draws the same. Run it
with the Python of the environment that `dev.py setup` makes; it wants COMFYUI_PATH, or what `dev.py setup` fetched.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from random import Random

import numpy as np
import psutil

from devtools.base import make_base
from devtools.client import PromptError, fetch, run_prompt
from devtools.frontend import frontend_arguments
from devtools.pictures import node_of
from devtools.places import find_comfyui
from devtools.server import Server
from devtools.templates import DEMO, template
from devtools.workflow import load_workflow, to_prompt

COMPARED = 10  # of the last pictures
SIDES = (64, 96, 128)
CAPTIONS = (
    "a red circle",
    "a blue square",
    "a green triangle with stripes",
    "a yellow star",
    "a large purple ring",
    "",
)
BOXES, APPLY = "ROICtrlInstanceBoxPrompt", "ROICtrlApplyBoxes"
DRAW, INTERRUPT, ERROR, FREE = "draw", "interrupt", "error", "free"
KINDS = (DRAW, INTERRUPT, ERROR, FREE)  # the first prompts are one of each


@dataclass
class Report:
    """What was run: how many prompts of each kind, the server's bytes after each,
    and the last pictures with their prompts."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    memory: list[int] = field(default_factory=list)
    drawn: list[tuple[dict, bytes]] = field(default_factory=list)

    def slope(self) -> float:
        """Bytes a prompt, over the second half: the first fills caches."""
        late = self.memory[len(self.memory) // 2 :]
        return float(np.polyfit(np.arange(len(late)), late, 1)[0]) if len(late) > 1 else 0.0


def prompts(object_info: dict, seed: int) -> Iterator[tuple[str, dict]]:
    """Without end: what is done with each prompt, and the prompt."""
    base = to_prompt(load_workflow(template(DEMO)), object_info)
    random, number = Random(seed), 0
    while True:
        kind = KINDS[number] if number < len(KINDS) else random.choices(KINDS, (20, 2, 2, 1))[0]
        yield kind, _changed(base, kind, number, random, object_info)
        number += 1


def _changed(base: dict, kind: str, number: int, random: Random, object_info: dict) -> dict:
    prompt = copy.deepcopy(base)
    first = node_of(prompt, APPLY)
    box, apply, sampler = (prompt[node_of(prompt, name)]["inputs"] for name in (BOXES, APPLY, "KSampler"))
    box.update(width=random.choice(SIDES), height=random.choice(SIDES), layout=json.dumps(_layout(kind, random)))
    sampler.update(seed=number, steps=50 if kind == INTERRUPT else random.randint(1, 3))
    apply.update(strength=random.choice((0.0, 0.5, 1.0)), end_percent=random.choice((0.5, 1.0)))
    if random.random() < 0.5:
        prompt[first] = _without_adapter(prompt[first], object_info)
    return prompt


def _layout(kind: str, random: Random) -> dict:
    boxes = []
    for _ in range(random.randint(kind == ERROR, 5)):
        x, y, w, h = random.uniform(0, 0.6), random.uniform(0, 0.6), random.uniform(0.2, 0.5), random.uniform(0.2, 0.5)
        boxes.append(
            {
                "box": [x, y, x if kind == ERROR else x + w, y + h],
                "caption": random.choice(CAPTIONS),
                "strength": random.choice((0.5, 1.0)),
            }
        )
    return {"instances": boxes}


def _without_adapter(entry: dict, object_info: dict) -> dict:
    """Apply ROI Prompts in the place of Apply Boxes."""
    kind = "ROICtrlApplyROIPrompts"
    known = {name for group in object_info[kind]["input"].values() for name in group}
    kept = {name: value for name, value in entry["inputs"].items() if name in known}
    return {**entry, "class_type": kind, "inputs": {**kept, "global_weight": 0.2}}


def soak(server: Server, count: int, seed: int = 0) -> Report:
    """Runs ``count`` prompts. Raises PromptError where one fails that should not, AssertionError
    where one does not that should."""
    report, process = Report(), psutil.Process(server.process)
    for number, (kind, prompt) in enumerate(islice(prompts(server.object_info, seed), count)):
        if kind == FREE:
            post(server, "/free", {"unload_models": True, "free_memory": True})
        picture = _run(server, kind, prompt)
        report.counts[kind] += 1
        report.memory.append(process.memory_info().rss)
        if picture is not None:
            report.drawn = [*report.drawn[1 - COMPARED :], (prompt, picture)]
        if number % 20 == 19:
            print(f"{number + 1} prompts, {report.memory[-1] / 2**20:.0f} MB", flush=True)
    return report


def _run(server: Server, kind: str, prompt: dict) -> bytes | None:
    """The picture; None where the prompt was to fail, or was interrupted."""

    def progress(node: str, done: int, total: int) -> None:
        if kind == INTERRUPT:
            post(server, "/interrupt", {})

    try:
        result = run_prompt(server.url, prompt, progress)
    except PromptError as error:
        expected = {INTERRUPT: "interrupted", ERROR: "has no area"}
        if kind in expected and expected[kind] in str(error):
            return None
        raise
    assert kind not in (ERROR, INTERRUPT), f"a prompt that was to end by {kind} ended well"
    return fetch(server.url, result.images(node_of(prompt, "SaveImage"))[0])


def post(server: Server, path: str, data: dict) -> None:
    """One of ComfyUI's own routes."""
    request = urllib.request.Request(server.url + path, json.dumps(data).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        answer.read()


def drawn_the_same(server: Server, report: Report) -> int:
    """How many of the report's last pictures this server draws the same, byte for byte of their pixels and text."""
    return sum(_run(server, DRAW, prompt) == picture for prompt, picture in report.drawn)


def main() -> int:
    """1 where a fresh server draws other pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    python, comfyui = Path(sys.executable), find_comfyui()
    with tempfile.TemporaryDirectory(prefix="roictrl-soak-") as folder:
        base = make_base(Path(folder))
        with Server(python, comfyui, base, arguments=frontend_arguments(python, comfyui)) as server:
            report = soak(server, arguments.prompts, arguments.seed)
        with Server(python, comfyui, base, arguments=frontend_arguments(python, comfyui)) as fresh:
            same = drawn_the_same(fresh, report)
    print(
        f"{report.counts}; memory {report.memory[0] / 2**20:.0f} to {report.memory[-1] / 2**20:.0f} MB, "
        f"{report.slope() / 2**10:+.1f} KB a prompt over the second half; {same} of {len(report.drawn)} pictures "
        "are the same on a fresh server"
    )
    return int(same < len(report.drawn))


if __name__ == "__main__":
    sys.exit(main())
