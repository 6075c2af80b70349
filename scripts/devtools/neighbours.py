"""Other packs beside ours in a base directory: the real one where a variable names it, else a small one of our own."""

from __future__ import annotations

import os
from pathlib import Path

from .base import link
from .pack import ROOT

# The variable that names a pack, its folder in custom_nodes, and what stands in for it.
NEIGHBOURS = (("IPADAPTER_PLUS_PATH", "ComfyUI_IPAdapter_plus", ROOT / "tests" / "http" / "ip_adapter"),)


def add_neighbours(base: Path) -> Path:
    """Links them into the base directory, and gives it."""
    for variable, folder, ours in NEIGHBOURS:
        named = os.environ.get(variable)
        link(Path(named).expanduser().resolve() if named else ours, base / "custom_nodes" / folder)
    return base
