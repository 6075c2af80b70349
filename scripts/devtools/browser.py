"""Chromium and playwright-core for the browser tests: found, or installed where that needs no password."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from .pack import ROOT
from .places import cache_folder
from .shell import say

PLAYWRIGHT = "playwright-core@1.64.1"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium() -> str | None:
    """The browser's path: $CHROMIUM, else the first known name on PATH."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


def playwright_folder() -> Path:
    """Where playwright-core is installed; its packages lie in `node_modules` below."""
    return cache_folder() / PLAYWRIGHT.replace("@", "-")


def prepare_browser() -> bool:
    """Whether the browser tests can run; says in one line why when they cannot."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        say("the browser tests are skipped: node and npm are not installed")
    elif not (find_chromium() or _install_chromium()):
        say("the browser tests are skipped: no Chromium found (install one, or name it in CHROMIUM)")
    elif not _install_playwright():
        say("the browser tests are skipped: playwright-core could not be installed with npm")
    else:
        return True
    return False


def _install_chromium() -> bool:
    """Debian's package, where we are root on a Debian."""
    if not shutil.which("apt-get") or os.geteuid() != 0:
        return False
    say("installing Debian's Chromium for the browser tests")
    quiet = {"stdout": subprocess.DEVNULL, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
    subprocess.run(["apt-get", "update", "-qq"], **quiet)
    return subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"], **quiet).returncode == 0 and bool(find_chromium())


def _install_playwright() -> bool:
    folder = playwright_folder()
    if (folder / "node_modules" / "playwright-core" / "package.json").is_file():
        return True
    folder.mkdir(parents=True, exist_ok=True)
    say("installing playwright-core into the cache folder")
    command = [shutil.which("npm"), "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), PLAYWRIGHT]
    return subprocess.run(command, cwd=ROOT).returncode == 0
