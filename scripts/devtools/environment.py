"""The Python that runs ComfyUI: the one beside a user's ComfyUI, or our own .venv, made, adopted or repaired."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from .pack import ROOT
from .places import cache_folder
from .shell import SetupError, output, run, say

REQUIREMENTS = ROOT / "requirements-dev.txt"
CONSTRAINTS = ROOT / "constraints.txt"
HOOK = Path(__file__).with_name("torchvision_hook.py")
HOOK_MODULE = "roictrl_torchvision_hook"
TOOLS = ("pytest", "pytest-asyncio", "pytest-xdist", "hypothesis", "pycocotools", "matplotlib", "ruff~=0.17.0")


@dataclass(frozen=True)
class Environment:
    """A Python to run things with. path: extra folders for PYTHONPATH."""

    python: Path
    path: tuple[Path, ...] = ()

    def variables(self) -> dict[str, str]:
        """The environment variables of a command run with it."""
        folders = [ROOT / "scripts", *self.path]
        inherited = os.environ.get("PYTHONPATH")
        joined = os.pathsep.join([str(folder) for folder in folders] + ([inherited] if inherited else []))
        return {**os.environ, "PYTHONPATH": joined}


def environment_for(comfyui: Path | None, tools: bool) -> Environment:
    """The Python beside a user's ComfyUI when it has one, which is left as it is; else our .venv, ready to use.

    tools: whether those of tests and plots are needed as well; .venv always has them.
    """
    if comfyui is not None and (python := python_beside(comfyui)):
        say(f"using the Python beside that ComfyUI: {python}")
        return Environment(python, (tool_packages(python),) if tools else ())
    return Environment(make_venv(ROOT / ".venv"))


def python_beside(comfyui: Path) -> Path | None:
    """The .venv, venv or python_embeded in or next to a ComfyUI folder."""
    for parent in (comfyui, comfyui.parent):
        for name in (".venv", "venv"):
            if (python := venv_python(parent / name)).is_file():
                return python
        if (python := parent / "python_embeded" / "python.exe").is_file():
            return python
    return None


def venv_python(venv: Path) -> Path:
    """The interpreter of a virtual environment."""
    return venv / "Scripts" / "python.exe" if sys.platform == "win32" else venv / "bin" / "python"


def make_venv(venv: Path) -> Path:
    """Create, adopt or repair the virtual environment; returns its interpreter. Quick when nothing changed."""
    python = venv_python(venv)
    stamp = venv / "roictrl-setup.json"
    wanted = fingerprint()
    if not works(python):
        create(venv)
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        say("the virtual environment is up to date")
        return python
    install(python, ["-r", REQUIREMENTS])
    install_hook(python)
    run(
        [python, "-c", "import torch, torchvision, torchaudio"],
        "torch and torchvision were installed but do not import: delete .venv and start again",
    )
    stamp.write_text(wanted, encoding="utf-8")
    return python


def fingerprint() -> str:
    """What the environment was made from; another one means installing again."""
    files = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in (REQUIREMENTS, CONSTRAINTS, HOOK)}
    return json.dumps(files, indent=1)


def works(python: Path) -> bool:
    """Whether the interpreter runs and has pip."""
    return python.is_file() and bool(output([python, "-m", "pip", "--version"]))


def create(venv: Path) -> None:
    """A new, empty virtual environment in place of whatever is there."""
    if venv.exists():
        say(f"the virtual environment in {venv.name} does not run: making it anew")
        shutil.rmtree(venv)
    say(f"making a virtual environment in {venv.name}")
    remedy = (
        "Python could not make a virtual environment. On Debian and Ubuntu `apt install python3-venv` "
        "brings what is missing"
    )
    run([sys.executable, "-m", "venv", venv], remedy)


def install(python: Path, what: list[str | Path]) -> None:
    """Install packages under our constraints: with uv, and with pip where uv fails."""
    common = ["install", "-c", CONSTRAINTS, *what]
    say("installing packages (the first time this takes some minutes)")
    try:
        if not output([python, "-m", "uv", "--version"]):
            run([python, "-m", "pip", "install", "-q", "uv"], "uv could not be installed")
        run(
            [python, "-m", "uv", "pip", *common, "--python", python, "--compile-bytecode", *pip_settings(python)],
            "uv could not install",
        )
    except SetupError as error:
        say(f"{error}; going on with pip, which takes longer")
        run([python, "-m", "pip", *common], "The packages could not be installed: see pip's own words above")


def pip_settings(python: Path) -> list[str]:
    """pip's configured indexes and link folders as arguments for uv, which does not read pip's configuration."""
    arguments = []
    for name, flag in (
        ("index-url", "--default-index"),
        ("extra-index-url", "--index"),
        ("find-links", "--find-links"),
    ):
        variable = "PIP_" + name.upper().replace("-", "_")
        value = os.environ.get(variable) or output([python, "-m", "pip", "config", "get", f"global.{name}"])
        arguments += [part for entry in value.split() for part in (flag, entry)]
    # pip looks at all indexes alike; uv by default stops at the first that knows the name.
    return arguments + ["--index-strategy", "unsafe-best-match"] if arguments else []


def install_hook(python: Path) -> None:
    """Put the torchvision hook and the .pth line that starts it into site-packages."""
    site = Path(output([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]))
    shutil.copyfile(HOOK, site / f"{HOOK_MODULE}.py")
    (site / f"{HOOK_MODULE}.pth").write_text(f"import {HOOK_MODULE}\n", encoding="utf-8")


def tool_packages(python: Path) -> Path:
    """The tools in a folder of their own, so that a user's environment stays as it is."""
    tag = output([python, "-c", "import sys; print(f'{sys.version_info[0]}.{sys.version_info[1]}')"])
    folder = cache_folder() / f"tools-{tag}"
    if not (folder / "done").is_file():
        say("fetching the tools for tests and plots into the cache folder")
        run(
            [python, "-m", "pip", "install", "-q", "--upgrade", "--target", folder, *TOOLS],
            "The tools for tests and plots could not be installed",
        )
        (folder / "done").touch()
    return folder
