"""Everything a developer needs, on a bare machine with Python 3.10+ and pip:

    python scripts/dev.py demo     set up, start a ComfyUI, make a picture
    python scripts/dev.py test     set up, run every test
    python scripts/dev.py try --checkpoint FILE --adapter FILE
                                   the same picture with and without boxes, with your own weights
    python scripts/dev.py bench    the demo benchmark: how well each method fills its boxes
    python scripts/dev.py bench-train ROW
                                   the weights of one of its rows, which are not in the repository
    python scripts/dev.py cost     what the boxes cost, as a table
    python scripts/dev.py workflows   write the example workflows anew, after a node has changed
    python scripts/dev.py setup    the set-up alone

Standard library only: the packages come with the set-up. Every command can be interrupted and started again.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

if sys.version_info < (3, 10):  # noqa: UP036
    sys.exit(f"Python 3.10 or newer is needed; this is {sys.version.split()[0]}.")

from devtools.comfyui import get_comfyui
from devtools.environment import Environment, environment_for
from devtools.pack import ROOT
from devtools.shell import SetupError, fail, say

COMMANDS = {
    "setup": None,
    "demo": ["-m", "devtools.demo"],
    "test": ["-m", "devtools.test"],
    "try": ["-m", "devtools.try_weights"],
    "bench": [ROOT / "scripts" / "bench_control.py"],
    "bench-train": [ROOT / "scripts" / "bench_train.py"],
    "cost": [ROOT / "scripts" / "bench_cost.py"],
    "workflows": [ROOT / "scripts" / "make_workflows.py"],
}
# Of what they run, a file that the published pack lacks (.comfyignore).
ONLY_IN_A_CLONE = {
    "demo": "scripts/devtools/demo.py",
    "test": "tests/conftest.py",
    "bench": "scripts/bench_control.py",
    "bench-train": "scripts/bench_train.py",
    "cost": "scripts/bench_cost.py",
}


def arguments() -> tuple[argparse.Namespace, list[str]]:
    """The verb, our options, and everything else for what the verb runs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, add_help=False
    )
    parser.add_argument("verb", choices=COMMANDS, nargs="?")
    parser.add_argument("--comfyui", metavar="PATH", help="use this ComfyUI (or set COMFYUI_PATH)")
    parser.add_argument("-h", "--help", action="store_true")
    known, rest = parser.parse_known_args()
    if known.verb is None:
        parser.print_help()
        sys.exit(0 if known.help else 2)
    return known, rest + (["--help"] if known.help else [])


def check_is_here(verb: str) -> None:
    """Raises SetupError where this is the published pack and the verb needs the repository."""
    if (part := ONLY_IN_A_CLONE.get(verb)) and not (ROOT / part).is_file():
        raise SetupError(f"`{verb}` needs {part}, which is not published with the pack: run it in a clone from git.")


def set_up(comfyui: str | None, tools: bool) -> Environment:
    """Environment and ComfyUI, ready; COMFYUI_PATH names the latter from here on.
    tools: with those of tests and plots."""
    named = comfyui or os.environ.get("COMFYUI_PATH")
    folder = Path(named).expanduser().resolve() if named else None
    if folder is not None and not (folder / "main.py").is_file():
        raise SetupError(f"{folder} is no ComfyUI: name the folder with main.py in it.")
    environment = environment_for(folder, tools)
    os.environ["COMFYUI_PATH"] = str(folder or get_comfyui(environment.python))
    say(f"ComfyUI: {os.environ['COMFYUI_PATH']}")
    return environment


def main() -> int:
    """Set up, then hand over to the module of the verb, in the environment."""
    known, rest = arguments()
    try:
        check_is_here(known.verb)
        environment = set_up(known.comfyui, tools=known.verb in ("test", "bench"))
    except SetupError as error:
        return fail(error)
    command = COMMANDS[known.verb]
    return (
        subprocess.run([environment.python, *command, *rest], env=environment.variables()).returncode if command else 0
    )


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
