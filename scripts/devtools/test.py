"""`dev.py test`: the Python tests, then the page's. With further arguments only pytest runs, with them."""

from __future__ import annotations

import subprocess
import sys

from .pack import ROOT
from .shell import say
from .web_tests import run_web_tests


def main(arguments: list[str]) -> int:
    """The worst exit status of all runners."""
    say("running the Python tests")
    code = subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=ROOT).returncode
    return code if arguments else max(code, run_web_tests())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
