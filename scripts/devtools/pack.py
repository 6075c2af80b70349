"""Loading this checkout the way ComfyUI does: by file, under a package name of its own.

With ComfyUI on sys.path `import nodes` is ComfyUI's nodes.py, so the checkout's root must never be on sys.path itself.
`roictrl_core` is one package under two names: scripts and tests import it by its own, the nodes as part of the pack.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
PACK = "roictrl_pack"
CORE = "roictrl_core"


def load_pack() -> ModuleType:
    """The checkout as package `roictrl_pack`; its `nodes` need ComfyUI on sys.path, its `roictrl_core` does not."""
    register_core()
    return sys.modules.get(PACK) or _load(PACK, ROOT)


def pack_module(name: str) -> ModuleType:
    """A module of the pack by its path below the root, e.g. `nodes.apply` or `roictrl_core.layout`."""
    load_pack()
    return importlib.import_module(f"{PACK}.{name}")


def register_core() -> None:
    """Make `import roictrl_core` work from the checkout, the pack's own included, and only that."""
    if CORE not in sys.modules:
        sys.meta_path.insert(0, _Alias())
        _load(CORE, ROOT / CORE)


class _Alias(MetaPathFinder, Loader):
    """Finds `roictrl_pack.roictrl_core` and all below it under its own name."""

    def find_spec(self, name: str, path, target=None) -> ModuleSpec | None:
        below = f"{PACK}.{CORE}"
        return ModuleSpec(name, self) if name == below or name.startswith(f"{below}.") else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(spec.name.removeprefix(f"{PACK}."))
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = module.__spec__.loader_state  # the import system has put the alias's there


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
