"""Writes the table of families and methods into the README and the help pages of Apply Boxes.

    python scripts/make_tables.py

The table is what the hosts and the methods of nodes/patch declare.  Run it after one of them has changed, with the
Python of the environment that `dev.py setup` makes; a test holds the pages to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from devtools.inprocess import start_comfyui
from devtools.pack import ROOT, load_pack, pack_module
from devtools.pages import between_markers

BEGIN, END = "<!-- families: begin (written by scripts/make_tables.py) -->", "<!-- families: end -->"


@dataclass(frozen=True)
class Words:
    """The table's words in one language; what has none in it, such as a family's name, stays as it is."""

    model: str
    reads: str
    by: dict[str, str]  # how a family reads text, by the point that says so
    yes: str
    methods: dict[str, str] = field(default_factory=dict)


ENGLISH = Words("Model", "reads text by", {"after": "cross-attention", "text": "joint attention"}, "yes")
# Escaped: tools that check packs read sources in the platform's own encoding.
CHINESE = Words(
    "\u6a21\u578b",
    "\u8bfb\u53d6\u6587\u672c\u7684\u65b9\u5f0f",
    {"after": "\u4ea4\u53c9\u6ce8\u610f\u529b", "text": "\u8054\u5408\u6ce8\u610f\u529b"},
    "\u662f",
    {"ROI prompts": "ROI \u63d0\u793a\u8bcd"},
)
HELP = ROOT / "web" / "docs"
PAGES = {
    ROOT / "README.md": ENGLISH,
    HELP / "ROICtrlApplyBoxes.md": ENGLISH,
    HELP / "ROICtrlApplyBoxes" / "zh.md": CHINESE,
}


def methods() -> list[type]:
    """The methods, in the order of the table's columns."""
    places = {
        "roi_prompts": "ROIPrompts",
        "roictrl": "ROICtrl",
        "gligen": "GLIGEN",
        "eligen": "EliGen",
        "instance_diffusion": "InstanceDiffusionMethod",
    }
    return [getattr(pack_module(f"nodes.patch.methods.{module}"), name) for module, name in places.items()]


def family_table(words: Words) -> str:
    """Which method acts in which family, as Markdown."""
    acts_in, columns = pack_module("nodes.patch.methods").acts_in, methods()
    titles = (words.methods.get(method.title, method.title) for method in columns)
    lines = [f"| {words.model} | {words.reads} | {' | '.join(titles)} |"]
    lines.append("|" + "---|" * (len(columns) + 2))
    for host in pack_module("nodes.patch.hosts").HOSTS:
        reads = next(way for point, way in words.by.items() if point in host.offers)
        for family in host.families:
            cells = [
                words.yes if acts_in(method, host) and family in (method.trained_for or (family,)) else ""
                for method in columns
            ]
            lines.append(f"| {family} | {reads} | {' | '.join(cells)} |")
    return "\n".join(lines)


def with_table(page: str, table: str) -> str:
    """A page with the table between its marks."""
    return between_markers(page, BEGIN, END, table)


def main() -> None:
    start_comfyui()
    load_pack()
    for page, words in PAGES.items():
        page.write_text(with_table(page.read_text(encoding="utf-8"), family_table(words)), encoding="utf-8")


if __name__ == "__main__":
    main()
