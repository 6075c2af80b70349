"""The checkout loads the way ComfyUI loads it, and never shadows ComfyUI's own `nodes`."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

from devtools.pack import ROOT, load_pack, pack_module


def absolute_imports(folder: str) -> Iterator[tuple[str, str]]:
    """(file, top-level package) of every absolute import below a folder of the pack."""
    for file in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((str(file.relative_to(ROOT)), alias.name.split(".")[0]) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                yield str(file.relative_to(ROOT)), node.module.split(".")[0]


def test_the_root_is_not_on_sys_path():
    assert str(ROOT) not in sys.path


def test_the_root_module_offers_the_entrypoint_and_nothing_older():
    pack = load_pack()
    assert pack.__name__ == "roictrl_pack"
    assert (ROOT / pack.WEB_DIRECTORY).is_dir()
    assert not hasattr(pack, "NODE_CLASS_MAPPINGS"), "even an empty one would hide comfy_entrypoint"


def test_there_is_one_core():
    """Two copies would have two of every class, and no instance of one would be one of the other."""
    import roictrl_core.formats.reading
    import roictrl_core.layout

    assert pack_module("roictrl_core.layout") is roictrl_core.layout
    assert pack_module("roictrl_core.formats.reading") is roictrl_core.formats.reading
    assert roictrl_core.layout.__spec__.name == "roictrl_core.layout"


def test_our_own_packages_are_imported_relatively():
    """ComfyUI loads the folder under a path-like name, so an absolute import of our own packages cannot work there."""
    found = [*absolute_imports("nodes"), *absolute_imports("roictrl_core")]
    assert found
    assert not [entry for entry in found if entry[1] in ("roictrl_core", "roictrl_pack")]


def test_core_imports_nothing_of_comfyui():
    allowed = {"torch", "safetensors", "numpy", "einops", "PIL", "yaml", "scipy"} | set(sys.stdlib_module_names)
    assert not [entry for entry in absolute_imports("roictrl_core") if entry[1] not in allowed]


def test_what_users_load_imports_nothing_of_the_scripts():
    """Much of scripts/ is not published (.comfyignore)."""
    scripts = {path.stem for path in (ROOT / "scripts").iterdir()}
    assert {"demo_world", "devtools"} <= scripts
    found = [*absolute_imports("nodes"), *absolute_imports("roictrl_core")]
    assert not [entry for entry in found if entry[1] in scripts]


def test_every_source_file_can_be_read_in_windows_own_encoding():
    """Tools that check packs (comfy-test's lint) read them in the platform's encoding.

    Five bytes mean nothing in cp1252.
    """
    sources = [
        file
        for file in ROOT.rglob("*.py")
        if not any(part.startswith(".") or part == "node_modules" for part in file.relative_to(ROOT).parts)
    ]
    assert len(sources) > 150
    for file in sources:
        file.read_bytes().decode("cp1252")  # raises UnicodeDecodeError
