"""`dev.py test`: style, the Python tests in two processes, then the page's. With further arguments
only pytest runs, with them.

Two processes and not more: each may hold a ComfyUI, and the servers come on top. Tests of one file stay together,
because they share what is slow to make.
"""

from __future__ import annotations

import subprocess
import sys

from .pack import ROOT
from .shell import say
from .web_tests import run_web_tests

ALL = ["-n", "2", "--dist", "loadfile"]


def main(arguments: list[str]) -> int:
    """The worst exit status of all runners."""
    if not arguments and (wrong := style()):
        return wrong
    say("running the Python tests")
    code = subprocess.run([sys.executable, "-m", "pytest", *(arguments or ALL)], cwd=ROOT).returncode
    return code if arguments else max(code, run_web_tests())


def style() -> int:
    """Not 0 where ruff, by the rules in pyproject.toml, finds something to change."""
    say("checking the Python style")
    ruff = [sys.executable, "-m", "ruff"]
    checks = ([*ruff, "check", "."], [*ruff, "format", "--check", "."])
    return max(subprocess.run(check, cwd=ROOT).returncode for check in checks)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
