"""`dev.py test`: Python tests, then the page's. Further arguments go to pytest, and then only pytest runs."""

from __future__ import annotations

import shutil
import subprocess
import sys

from .browser import prepare_browser
from .pack import ROOT
from .shell import say


def main(arguments: list[str]) -> int:
    """The worst exit status of all runners."""
    if arguments:
        return pytest(arguments)
    prepare_browser()
    return max(pytest([]), node())


def pytest(arguments: list[str]) -> int:
    """tests/unit, tests/comfy, tests/http, and what of tests/web is Python."""
    say("running the Python tests")
    return subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=ROOT).returncode


def node() -> int:
    """The editor's modules under node's own test runner, without a browser."""
    files = sorted(str(file.relative_to(ROOT)) for file in (ROOT / "tests" / "web").rglob("*.test.mjs"))
    program = shutil.which("node")
    if program is None or not files:
        say("the editor's unit tests are skipped: " + ("node is not installed" if program is None else "there are none"))
        return 0
    say("running the editor's unit tests")
    return subprocess.run([program, "--test", *files], cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
