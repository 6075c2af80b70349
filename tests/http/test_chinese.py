"""Everything that the page says of our nodes is there in Chinese, and says the same as the English."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from devtools.base import PACK_FOLDER

HAN = re.compile(r"[\u4e00-\u9fff]")
NAMES = {"clip", "cfg", "CLIP", "VAE", "EMA", "GLIGEN", "InstanceDiffusion", "Latent", "ScaleU"}  # as ComfyUI's own
SYNTAX = re.compile(r"[{}@|]")  # the page's translator reads these as placeholders, links and plurals
NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?")
FENCED = re.compile(r"^```.*?^```|^    .*?$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def ours(server) -> dict[str, dict]:
    return {name: info for name, info in server.object_info.items() if info["python_module"].endswith(PACK_FOLDER)}


@pytest.fixture(scope="module")
def chinese(root) -> dict[str, dict]:
    return json.loads((root / "locales" / "zh" / "nodeDefs.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def pages(root) -> list[tuple[Path, Path]]:
    """Each English help page, and where its Chinese one is."""
    return [(page, page.with_suffix("") / "zh.md") for page in sorted((root / "web" / "docs").glob("*.md"))]


def places(info: dict) -> Iterator[tuple[str, str, str]]:
    """Of a node as the server tells it: where an entry is (inputs, outputs), its key there, its English tooltip."""
    for group in ("required", "optional"):
        for name, entry in info["input"].get(group, {}).items():
            yield "inputs", name, entry[1]["tooltip"]
    for number, tip in enumerate(info["output_tooltips"]):
        yield "outputs", str(number), tip


def texts(node: dict) -> Iterator[str]:
    """Every Chinese text of a node."""
    for value in node.values():
        if isinstance(value, str):
            yield value
        else:
            yield from texts(value)


def test_every_node_has_chinese(ours, chinese):
    assert [name for name in ours if name not in chinese] == []
    assert [name for name, node in chinese.items() if not HAN.search(node["description"])] == []
    assert [name for name, node in chinese.items() if not HAN.search(node["display_name"])] == []


def test_every_input_and_output_has_a_chinese_name_and_tooltip(ours, chinese):
    bare = []
    for node, info in ours.items():
        for part, key, _ in places(info):
            entry = chinese[node].get(part, {}).get(key, {})
            if not HAN.search(entry.get("tooltip", "")):
                bare.append(f"{node}: {part} {key} has no tooltip")
            if not HAN.search(entry.get("name", "")) and entry.get("name") not in NAMES:
                bare.append(f"{node}: {part} {key} has no name")
    assert bare == []


def test_nothing_is_translated_that_is_not_there(ours, chinese):
    assert set(chinese) == set(ours)
    for node, entry in chinese.items():
        there = {(part, key) for part, key, _ in places(ours[node])}
        assert {(part, key) for part in ("inputs", "outputs") for key in entry.get(part, {})} == there, node


def test_a_tooltip_names_the_numbers_of_the_english_one(ours, chinese):
    other = []
    for node, info in ours.items():
        for part, key, english in places(info):
            missing = set(NUMBER.findall(english)) - set(NUMBER.findall(chinese[node][part][key]["tooltip"]))
            other += [f"{node}: {part} {key} lacks {', '.join(sorted(missing))}"] if missing else []
    assert other == []


def test_the_page_can_show_every_text_as_it_is(chinese):
    assert [text for node in chinese.values() for text in texts(node) if SYNTAX.search(text)] == []


def test_every_help_page_is_there_in_chinese(pages):
    assert [page.stem for page, other in pages if not other.is_file()] == []
    assert [page.stem for page, other in pages if len(HAN.findall(other.read_text(encoding="utf-8"))) < 100] == []


def test_a_chinese_help_page_has_the_headings_tables_and_code_of_the_english_one(pages):
    """What a page says of an input, an output or a command is what changes most."""
    for page, other in pages:
        english, chinese = (path.read_text(encoding="utf-8") for path in (page, other))
        for what in (r"^#+ ", r"^\|", r"^- ", r"^!\["):
            found = [len(re.findall(what, text, re.MULTILINE)) for text in (english, chinese)]
            assert found[0] == found[1], (page.stem, what, found)
        assert FENCED.findall(english) == FENCED.findall(chinese), page.stem
        spans = [set(re.findall(r"`[^`\n]+`", FENCED.sub("", text))) for text in (english, chinese)]
        assert spans[0] == spans[1], (page.stem, spans[0] ^ spans[1])


def test_a_chinese_help_page_is_titled_as_its_node(chinese, pages):
    for page, other in pages:
        assert other.read_text(encoding="utf-8").splitlines()[0] == f"# {chinese[page.stem]['display_name']}"


def test_the_chinese_is_served(ours, chinese, server):
    """ComfyUI hands the pack's locales to the page, and the page asks for a help page by its language."""
    sent = server.get_json("/api/i18n")["zh"]
    assert {name: sent["nodeDefs"][name] for name in ours} == chinese and "roictrl" in sent
    for name in ours:
        with urllib.request.urlopen(f"{server.url}/extensions/{PACK_FOLDER}/docs/{name}/zh.md", timeout=30) as answer:
            assert HAN.search(answer.read().decode("utf-8"))
