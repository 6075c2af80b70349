"""Where things live: the cache outside the checkout, the unpacked ComfyUI, the one a user names."""

from __future__ import annotations

import os
import sys
from pathlib import Path

COMFYUI_VERSION = "0.3.75"


def cache_folder() -> Path:
    """The cache: $ROICTRL_CACHE, else the platform's cache folder (XDG_CACHE_HOME, LOCALAPPDATA, ~/Library/Caches)."""
    if named := os.environ.get("ROICTRL_CACHE"):
        return Path(named).expanduser()
    if xdg := os.environ.get("XDG_CACHE_HOME"):
        return Path(xdg) / "comfyui-roictrl"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "comfyui-roictrl"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "comfyui-roictrl"
    return Path.home() / ".cache" / "comfyui-roictrl"


def unpacked_comfyui() -> Path:
    """Where set-up puts its own ComfyUI."""
    return cache_folder() / f"ComfyUI-{COMFYUI_VERSION}"


def find_comfyui() -> Path:
    """The ComfyUI to use: $COMFYUI_PATH when set, else our own. Raises FileNotFoundError with
    the remedy when neither is one."""
    named = os.environ.get("COMFYUI_PATH")
    folder = Path(named).expanduser().resolve() if named else unpacked_comfyui()
    if not (folder / "comfy" / "cli_args.py").is_file():
        remedy = (
            "COMFYUI_PATH must name a ComfyUI folder (the one with main.py)"
            if named
            else "run `python scripts/dev.py test` once: it fetches one"
        )
        raise FileNotFoundError(f"No ComfyUI in {folder}: {remedy}.")
    return folder
