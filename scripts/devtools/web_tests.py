"""The page's tests: the editor's modules under node's test runner, their types, and a real Chromium on a real ComfyUI.

What they need is installed where that needs no password; what cannot run is said in one line, and the rest runs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys

from .pack import ROOT
from .shell import say

FOLDER = ROOT / "tests" / "web"
LOCK = FOLDER / "package-lock.json"
STAMP = FOLDER / "node_modules" / "roictrl-lock"  # the lock file's digest that node_modules was made from
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def run_web_tests() -> int:
    """The worst exit status of the runners; 0 where node is not installed, with a line that says so."""
    if shutil.which("node") is None:
        say("the page's tests are skipped: node is not installed")
        return 0
    codes = [_node_tests("unit", "running the editor's unit tests")]
    if not _install_packages():
        say("type checks and browser tests are skipped: npm is not installed or could not install their packages")
        return max(codes)
    say("checking the editor's types")
    codes.append(
        subprocess.run(
            ["node", "node_modules/typescript/bin/tsc", "--noEmit", "-p", "tsconfig.json"], cwd=FOLDER
        ).returncode
    )
    if chromium := _find_chromium() or _install_chromium():
        codes.append(_node_tests("browser", "running the browser tests", CHROMIUM=chromium, PYTHON=sys.executable))
    else:
        say("the browser tests are skipped: no Chromium found (install one, or name it in CHROMIUM)")
    return max(codes)


def _node_tests(folder: str, saying: str, **variables: str) -> int:
    """One folder's *.test.mjs, a file at a time: they share two cores with the server they drive."""
    files = sorted(str(file.relative_to(FOLDER)) for file in (FOLDER / folder).rglob("*.test.mjs"))
    if not files:
        return 0
    say(saying)
    return subprocess.run(
        ["node", "--test", "--test-concurrency=1", *files], cwd=FOLDER, env={**os.environ, **variables}
    ).returncode


def _install_packages() -> bool:
    """`npm ci` when the lock file is not what node_modules was made from."""
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if STAMP.is_file() and STAMP.read_text(encoding="utf-8") == digest:
        return True
    npm = shutil.which("npm")
    if npm is None:
        return False
    say("installing the page tests' packages with npm")
    if subprocess.run([npm, "ci", "--silent", "--no-audit", "--no-fund"], cwd=FOLDER).returncode:
        return False
    STAMP.write_text(digest, encoding="utf-8")
    return True


def _find_chromium() -> str | None:
    """The browser's path: $CHROMIUM, else the first known name on PATH."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)


def _install_chromium() -> str | None:
    """Debian's package, where we are root on a Debian."""
    if not shutil.which("apt-get") or os.geteuid() != 0:
        return None
    say("installing Debian's Chromium for the browser tests")
    quiet = {"stdout": subprocess.DEVNULL, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
    subprocess.run(["apt-get", "update", "-qq"], **quiet)
    subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"], **quiet)
    return _find_chromium()
