"""The page that a ComfyUI asks for, when the environment's own package is another version."""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path

from .places import cache_folder
from .shell import download, output, say

PACKAGE = "comfyui-frontend-package"


def wanted_version(comfyui: Path) -> str | None:
    """The frontend version that a ComfyUI's requirements.txt pins."""
    found = re.search(rf"^{PACKAGE}==(\S+)", (comfyui / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else None


def installed_version(python: Path) -> str:
    """The frontend version in an environment; empty when it has none."""
    return output([python, "-c", f"import importlib.metadata as m; print(m.version('{PACKAGE}'))"])


def frontend_root(python: Path, version: str) -> Path:
    """The `static` folder of a frontend version, for --front-end-root; fetched into the cache once."""
    folder = cache_folder() / f"frontend-{version}"
    static = folder / "comfyui_frontend_package" / "static"
    if not (static / "index.html").is_file():
        say(f"fetching the ComfyUI page {version} from PyPI")
        partial = folder.with_suffix(f"{folder.suffix}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        failure = f"The ComfyUI page {version} could not be fetched from PyPI"
        download(python, f"{PACKAGE}=={version}", partial, failure)
        with zipfile.ZipFile(next(partial.glob("*.whl"))) as archive:
            archive.extractall(partial)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    return static


def frontend_arguments(python: Path, comfyui: Path) -> list[str]:
    """Server arguments that give a ComfyUI the page it asks for; none when the environment's own is that page."""
    wanted = wanted_version(comfyui)
    if wanted is None or wanted == installed_version(python):
        return []
    return ["--front-end-root", str(frontend_root(python, wanted))]
