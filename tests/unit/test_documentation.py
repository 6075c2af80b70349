"""What code and pages say of the documentation: every page that they name is there, with the section that they name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from devtools.pack import ROOT

NUMBER = r"\d+(?:\.\d+)*"
SECTIONS = rf"[Ss]ections?\s+(?P<sections>{NUMBER}(?:(?:,\s+|\s+and\s+|\s+to\s+){NUMBER})*)"
PAGE = rf"(?<![\w.-])(?P<page>(?:web/)?docs/[\w-]+\.md)(?:#(?P<anchor>[\w-]+))?(?:\s+{SECTIONS})?"
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
URL = r"https?://\S+"
CODE_FOLDERS = ("roictrl_core", "nodes", "scripts", "tests", "web")
CODE_SUFFIXES = (".py", ".js", ".mjs", ".ts")


def code_files() -> list[Path]:
    """All Python and JavaScript of the pack."""
    found = (path for folder in CODE_FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in CODE_SUFFIXES)
    return [ROOT / "__init__.py", *sorted(path for path in found if "node_modules" not in path.parts)]


def text_files() -> list[Path]:
    """Pages for people: the front page, how to contribute, docs, help pages, and what lies beside test data."""
    folders = ("docs", "web/docs", "tests")
    pages = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.md"))
    return [*sorted(ROOT.glob("*.md")), *(path for path in pages if "node_modules" not in path.parts)]


def headings(page: Path) -> list[str]:
    """A page's headings, code blocks left out."""
    return re.findall(r"^#+ +(.+?) *$", FENCED.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)


def numbers(page: Path) -> set[str]:
    """The numbers of a page's numbered headings."""
    return {match[1] for match in (re.match(rf"({NUMBER})\.? ", heading) for heading in headings(page)) if match}


def anchors(page: Path) -> set[str]:
    """What links to a page's headings end in."""
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings(page)}


def wrong_references(text: str, own: Path | None = None) -> Iterator[str]:
    """What a text names and the documentation does not have.

    ``own``: the page that the text is, where a section without a page's name is one of its own; elsewhere there must be
    none such.
    """
    text = re.sub(URL, "", text)
    for match in re.finditer(PAGE, text):
        page = ROOT / match["page"]
        if not page.is_file():
            yield f"{match['page']} does not exist"
            continue
        for number in re.findall(NUMBER, match["sections"] or ""):
            if number not in numbers(page):
                yield f"{match['page']} has no section {number}"
        if match["anchor"] and match["anchor"] not in anchors(page):
            yield f"{match['page']} has no heading #{match['anchor']}"
    for match in re.finditer(SECTIONS, re.sub(PAGE, "", text)):
        if own is None:
            yield f"'{match[0]}' does not say of which page"
            continue
        for number in re.findall(NUMBER, match["sections"]):
            if number not in numbers(own):
                yield f"it has no section {number} of its own"


def found(files: list[Path]) -> list[str]:
    problems = []
    for path in files:
        own = path if path.suffix == ".md" else None
        wrong = wrong_references(path.read_text(encoding="utf-8"), own)
        problems += [f"{path.relative_to(ROOT)}: {problem}" for problem in wrong]
    return problems


def test_code_names_pages_and_sections_that_are_there():
    assert found(code_files()) == []


def test_pages_name_pages_and_sections_that_are_there():
    assert found(text_files()) == []


@pytest.mark.parametrize("page", ["roictrl.md", "instance_diffusion.md"])
def test_the_methods_pages_are_cited(page):
    """By code, by the front page and by the page for contributors: else this test would look at nothing."""
    name = f"docs/{page}"
    assert sum(name in path.read_text(encoding="utf-8") for path in code_files()) >= 5
    assert all(name in (ROOT / text).read_text(encoding="utf-8") for text in ("README.md", "CONTRIBUTING.md"))


def test_nothing_points_to_a_folder_that_a_clone_lacks():
    folder = "spec" + "/"
    texts = {path: re.sub(URL, "", path.read_text(encoding="utf-8")) for path in [*code_files(), *text_files()]}
    assert [str(path.relative_to(ROOT)) for path, text in texts.items() if folder in text] == []


@pytest.mark.parametrize("page", ["roictrl", "instance_diffusion"])
def test_numbered_headings_follow_each_other(page):
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    found = re.findall(rf"^#+ ({NUMBER})", FENCED.sub("", text), re.MULTILINE)
    assert found == sorted(set(found), key=lambda number: [int(part) for part in number.split(".")])
    assert [n for n in found if "." not in n] == [str(n + 1) for n in range(sum("." not in n for n in found))]


@pytest.mark.parametrize(
    "name, rest, said",
    [
        ("roictrl", " {} 3.2: ...", []),
        ("roictrl", " {}s 2.1, 3.2 and 4).", []),
        ("roictrl", "", []),
        ("instance_diffusion", "#9-weights", []),
        ("nothing", " {} 1", ["docs/nothing" + ".md does not exist"]),
        ("roictrl", " {} 3.9.", ["docs/roictrl.md has no {} 3.9"]),
        ("roictrl", " {}s 3 and 99", ["docs/roictrl.md has no {} 99"]),
        ("roictrl", "#no-such", ["docs/roictrl.md has no heading #no-such"]),
        ("roictrl", ", {} 7", ["'{} 7' does not say of which page"]),
    ],
)
def test_wrong_references_are_found(name, rest, said):
    word = "section"  # apart, or this file would cite these itself
    text = f"text (docs/{name}.md" + rest.format(word)
    assert list(wrong_references(text)) == [problem.format(word) for problem in said]
