"""Writes docs/compatibility.md: what the tests were run with, and what passed.

    python -m pytest --junitxml=results.xml ...
    python scripts/make_compatibility.py record results.xml ...

reads pytest's results, with the Python that the tests ran with and COMFYUI_PATH as it was then, keeps what they say in
docs/compatibility.json, and writes the tables.  A run takes the place of an earlier one with the same ComfyUI and minor
version of Python; a test that stands in several of its files counts as in the last.  Without arguments the tables are
written anew.  Which tests speak for which neighbour and family stands below; a test holds the page to the file, and the
names below to tests that are there.
"""

from __future__ import annotations

import json
import platform
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path

from devtools.pack import ROOT
from devtools.pages import between_markers
from devtools.places import find_comfyui

RECORD, PAGE = ROOT / "docs" / "compatibility.json", ROOT / "docs" / "compatibility.md"
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
FLOOR = "0.3.75"

# What stands beside the boxes, by words of which a test's name, with its parameters, has one.
NEIGHBOURS = {
    "LoRA": ("test_a_lora", "test_scheduled_lora_hooks", "with a LoRA - SD1.5"),
    "ControlNet": ("ControlNet and boxes - SD1.5", "test_a_controlnet_on_the_same_model"),
    "a ControlNet for each box": ("ControlNet for each box - SD1.5", "test_a_controlnet_in_a_box"),
    "T2I-Adapter": ("T2I-Adapter and boxes - SD1.5",),
    "IP-Adapter, by a small one of our own": (
        "test_an_ip_adapter",
        "in_one_picture[whole picture]",
        "IP-Adapter and boxes - SD1.5",
    ),
    "IP-Adapter for each box by a mask, likewise": ("test_one_image_prompt_per_box", "in_one_picture[per box]"),
    "IP-Adapter for each box by Instance Reference, likewise": (
        "tests.comfy.patch.test_instance_reference.",
        "in_one_picture[Instance Reference]",
        "IP-Adapter in each of two boxes - SD1.5",
    ),
    "the real ComfyUI_IPAdapter_plus, in all three ways": ("[ComfyUI_IPAdapter_plus]",),
    "Differential Diffusion": ("Differential Diffusion, a box with a soft edge - SD1.5",),
    "Inpainting": ("Inpaint one box - SD1.5",),
    "two passes": ("Two passes, the second larger - SD1.5",),
    "tiled upscale": ("Tiled upscale, each tile with its own boxes - SD1.5", "test_a_tile_is_drawn"),
    "GLIGEN": ("GLIGEN - SD1.5", "test_a_gligen_patch"),
    "hypernetwork (a patch of the context)": ("test_a_patch_on_the_context",),
    "attention override": ("test_an_attention_override", "test_an_override"),
    "area conditioning": ("test_an_area_has_its_part",),
    "context windows": ("test_context_windows",),
    "torch.compile": ("test_torch_compile", "test_boxes_after_a_picture_without", "test_boxes_that_begin_later"),
}
# A family's tiny or small models, as tests are parametrised; SD1.x and SDXL by files and titles.
FAMILIES = {
    "SD1.x": ("tests.comfy.patch.",),
    "SD2.x": (),
    "SDXL": ("Boxes on SDXL", "ROI prompts with every setting - SDXL"),
    "Cosmos-Predict2": ("[cosmos_predict2]",),
    "Anima": ("[anima]", "Boxes on Anima"),
    "Wan 2.1 and 2.2": ("[wan21]", "[wan21_i2v]", "[wan22_5b]", "Boxes in a video - Wan"),
    "LTX-Video": ("[ltxv]",),
    "Kandinsky 5": ("[kandinsky5]", "[kandinsky5_video]"),
    "PixArt": ("[pixart_sigma]",),
    "HunyuanDiT": ("[hunyuan_dit]",),
    "FLUX.1": ("[flux]", "[flux_schnell]", "Boxes on FLUX", "EliGen on FLUX"),
    "FLUX.2": ("[flux2]",),
    "Chroma": ("[chroma]",),
    "Qwen-Image": ("[qwen_image]", "Boxes on Qwen-Image", "EliGen on Qwen-Image"),
    "SD3 and SD3.5": ("[sd3]", "[sd35_medium]"),
    "Lumina 2": ("[lumina2]",),
    "Z-Image": ("[z_image]", "Boxes on Z-Image Turbo"),
    "Krea 2": ("[krea2]",),
}
ALL = "all tests"

Counts = list[int]  # passed, skipped, failed


@dataclass(frozen=True)
class Case:
    """One test of a results file: file and name, and how it ended (0 passed, 1 skipped, 2 failed)."""

    name: str
    end: int

    def of(self, words: Iterable[str]) -> bool:
        """Whether a word is in its name; ``[flux]`` is one of its parameters."""
        return any(word in self.name or (word[0] == "[" and self._given(word[1:-1])) for word in words)

    def _given(self, parameter: str) -> bool:
        return parameter in re.split(r"[-\[\]]", self.name.partition("[")[2])


def read_results(file: Path) -> Iterator[Case]:
    """The tests of a JUnit file that pytest wrote."""
    for case in ElementTree.parse(file).getroot().iter("testcase"):
        found = {child.tag for child in case}
        end = 2 if found & {"failure", "error"} else 1 if "skipped" in found else 0
        yield Case(f"{case.get('classname')}.{case.get('name')}", end)


def counted(cases: Iterable[Case]) -> Counts:
    """Of how many each end is."""
    ends = [case.end for case in cases]
    return [ends.count(end) for end in range(3)]


def run_of(files: Iterable[Path]) -> dict:
    """What is kept of one run."""
    cases = {case.name: case for file in files for case in read_results(file)}.values()
    groups = {**NEIGHBOURS, **FAMILIES}
    return {
        "comfyui": comfyui_version(),
        "python": platform.python_version(),
        "torch": version("torch").partition("+")[0],
        "system": f"{platform.system()} {platform.machine()}",
        "date": date.today().isoformat(),
        ALL: counted(cases),
        **{name: counted(case for case in cases if case.of(words)) for name, words in groups.items()},
    }


def comfyui_version() -> str:
    """Of the ComfyUI that the tests ran in."""
    text = (find_comfyui() / "comfyui_version.py").read_text(encoding="utf-8")
    return re.search(r'__version__ = "([^"]+)"', text)[1]


def minor(python: str) -> str:
    return ".".join(python.split(".")[:2])


def with_run(runs: list[dict], run: dict) -> list[dict]:
    """The runs with another, in the order of their versions."""

    def key(one: dict) -> tuple:
        return tuple(tuple(int(part) for part in text.split(".")) for text in (one["comfyui"], minor(one["python"])))

    return sorted([*(one for one in runs if key(one) != key(run)), run], key=key)


def said(counts: Counts | None) -> str:
    """Counts in a cell of a table."""
    if not counts or not sum(counts):
        return "-"
    passed, skipped, failed = counts
    parts = [f"**{failed} failed**"] * bool(failed) + [f"{passed} passed"] * bool(passed)
    return ", ".join([*parts, *([f"{skipped} skipped"] * bool(skipped))])


def table(header: list[str], rows: Iterable[list[str]]) -> str:
    """As Markdown."""
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, ["---"] * len(header), *rows))


def tables(runs: list[dict]) -> dict[str, str]:
    """By the name of their place in the page."""
    asked = {(one["comfyui"], minor(one["python"])): one for one in runs}
    versions = list(dict.fromkeys([FLOOR, *(one["comfyui"] for one in runs)]))
    rows = []
    for comfyui in versions:
        for python in PYTHONS:
            run = asked.get((comfyui, python))
            kept = [run["python"], run["torch"], run["system"], run["date"], said(run[ALL])] if run else []
            rows.append([comfyui, *(kept or [python, "-", "-", "-", "not run"])])
    heads = [f"ComfyUI {one['comfyui']}, Python {minor(one['python'])}" for one in runs]
    return {
        "runs": table(["ComfyUI", "Python", "torch", "system", "date", "tests"], rows),
        **{
            place: table([title, *heads], ([name, *(said(one.get(name)) for one in runs)] for name in names))
            for place, title, names in (("neighbours", "Neighbour", NEIGHBOURS), ("families", "Family", FAMILIES))
        },
    }


def with_tables(page: str, runs: list[dict]) -> str:
    """The page with the tables between their marks."""
    for place, text in tables(runs).items():
        begin = f"<!-- {place}: begin (written by scripts/make_compatibility.py) -->"
        page = between_markers(page, begin, f"<!-- {place}: end -->", text)
    return page


def main(arguments: list[str]) -> None:
    runs = json.loads(RECORD.read_text(encoding="utf-8"))
    if arguments[:1] == ["record"] and arguments[1:]:
        runs = with_run(runs, run_of(map(Path, arguments[1:])))
        RECORD.write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")
    elif arguments:
        sys.exit(__doc__)
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8"), runs), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
