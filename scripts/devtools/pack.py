"""Loading this checkout the way ComfyUI does: by file, under a package name of its own.

With ComfyUI on sys.path `import nodes` is ComfyUI's nodes.py, so the checkout's root must never be on sys.path itself.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
PACK = "roictrl_pack"
CORE = "roictrl_core"


def load_pack() -> ModuleType:
    """The checkout as package `roictrl_pack`; its `nodes` need ComfyUI on sys.path, its `roictrl_core` does not."""
    return sys.modules.get(PACK) or _load(PACK, ROOT)


def pack_module(name: str) -> ModuleType:
    """A module of the pack by its path below the root, e.g. `nodes.apply` or `roictrl_core.layout`."""
    load_pack()
    return importlib.import_module(f"{PACK}.{name}")


def register_core() -> None:
    """Make `import roictrl_core` work from the checkout, and only that.

    It is another copy than `roictrl_pack.roictrl_core`: what meets the nodes takes its classes from `pack_module`.
    """
    if CORE not in sys.modules:
        _load(CORE, ROOT / CORE)


def _load(name: str, folder: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
