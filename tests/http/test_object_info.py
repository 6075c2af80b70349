"""What the page is told about every node of ours."""

from __future__ import annotations

import json
import urllib.request

import pytest

from devtools.base import PACK_FOLDER


@pytest.fixture(scope="module")
def ours(server) -> dict[str, dict]:
    return {name: info for name, info in server.object_info.items() if info["python_module"].endswith(PACK_FOLDER)}


def test_every_node_has_a_help_page_and_every_page_a_node(ours, root):
    assert {page.stem for page in (root / "web" / "docs").glob("*.md")} == set(ours)


def test_every_node_says_what_it_is(ours):
    for name, info in ours.items():
        assert info["category"].split("/")[0] == "ROICtrl", name
        assert len(info["description"]) > 30, name
        assert info["display_name"] and not info["display_name"].startswith("ROICtrl"), (
            f"{name}: the menu's category says ROICtrl already"
        )


def test_every_input_and_output_has_a_tooltip(ours):
    bare = []
    for name, info in ours.items():
        for group in ("required", "optional"):
            bare += [
                f"{name}.{key}"
                for key, entry in info["input"].get(group, {}).items()
                if not (len(entry) > 1 and entry[1].get("tooltip"))
            ]
        bare += [
            f"{name} -> {output}"
            for output, tip in zip(info["output_name"], info["output_tooltips"], strict=True)
            if not tip
        ]
    assert not bare


def test_every_node_can_be_searched_by_other_words(ours):
    """From ComfyUI 0.10 on; older ones do not send the field."""
    silent = [name for name, info in ours.items() if "search_aliases" in info and not info["search_aliases"]]
    assert not silent


@pytest.mark.parametrize(
    ("node", "typed"),
    [
        ("ROICtrlInstanceBoxPrompt", {"draw boxes", "boxes", "canvas", "scribble", "mask", "lasso"}),
        ("ROICtrlInstanceBoxPrompt", {"area", "region"}),
        *((f"ROICtrlApply{method}", {"regional prompt"}) for method in ("", "Boxes", "ROIPrompts", "EliGen")),
        *((f"ROICtrlApply{method}", {"regional prompt"}) for method in ("GLIGEN", "InstanceDiffusion")),
    ],
)
def test_what_people_type_finds_the_node(node, typed, ours):
    """From ComfyUI 0.10 on, as above."""
    assert typed <= set(ours[node].get("search_aliases", typed))


def test_what_people_type_in_chinese_finds_the_nodes(ours, root):
    words = json.loads((root / "locales" / "zh" / "search.json").read_text(encoding="utf-8"))
    wanted = {
        "ROICtrlInstanceBoxPrompt": words["region"] + words["drawing"],
        "ROICtrlLayoutFromMasks": words["mask to box"],
        **{name: words["region"] for name in ours if name.startswith("ROICtrlApply")},
    }
    assert len(wanted) == 8
    for name, typed in wanted.items():
        assert set(typed) <= set(ours[name].get("search_aliases", typed)), name


def test_the_help_pages_are_served(ours, server):
    for name in ours:
        with urllib.request.urlopen(f"{server.url}/extensions/{PACK_FOLDER}/docs/{name}.md", timeout=30) as answer:
            assert len(answer.read()) > 300, name
