"""Writes the table of families and methods into the README and the help page of Apply Boxes.

    python scripts/make_tables.py

The table is what the hosts and the methods of nodes/patch declare.  Run it after one of them has changed, with the
Python of the environment that `dev.py setup` makes; a test holds the pages to it.
"""

from __future__ import annotations

from devtools.inprocess import start_comfyui
from devtools.pack import ROOT, load_pack, pack_module
from devtools.pages import between_markers

PAGES = (ROOT / "README.md", ROOT / "web" / "docs" / "ROICtrlApplyBoxes.md")
BEGIN, END = "<!-- families: begin (written by scripts/make_tables.py) -->", "<!-- families: end -->"
READS = {"after": "cross-attention", "text": "joint attention"}  # how a family reads text, by the point that says so


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


def family_table() -> str:
    """Which method acts in which family, as Markdown."""
    acts_in, columns = pack_module("nodes.patch.methods").acts_in, methods()
    lines = ["| Model | reads text by | " + " | ".join(method.title for method in columns) + " |"]
    lines.append("|" + "---|" * (len(columns) + 2))
    for host in pack_module("nodes.patch.hosts").HOSTS:
        reads = next(words for point, words in READS.items() if point in host.offers)
        for family in host.families:
            cells = [
                "yes" if acts_in(method, host) and family in (method.trained_for or (family,)) else ""
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
    table = family_table()
    for page in PAGES:
        page.write_text(with_table(page.read_text(encoding="utf-8"), table), encoding="utf-8")


if __name__ == "__main__":
    main()
