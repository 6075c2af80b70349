"""The server runner: what it notices, and that nothing is left running."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from devtools.base import make_base
from devtools.places import find_comfyui
from devtools.server import Server, ServerError


def test_a_pack_that_fails_to_import_is_noticed_although_comfyui_goes_on(tmp_path):
    base = make_base(tmp_path)
    (base / "custom_nodes" / "broken").mkdir()
    (base / "custom_nodes" / "broken" / "__init__.py").write_text("raise RuntimeError('a screw is loose')\n")
    with (
        pytest.raises(ServerError, match="(?s)failed to import.*a screw is loose"),
        Server(Path(sys.executable), find_comfyui(), base),
    ):
        pytest.fail("the server counts as ready")
    assert not running(base)


def test_a_server_that_ends_while_starting_says_its_last_words(tmp_path):
    base = make_base(tmp_path)
    with (
        pytest.raises(ServerError, match="(?s)ended while starting.*--no-such-option"),
        Server(Path(sys.executable), find_comfyui(), base, arguments=["--no-such-option"]),
    ):
        pytest.fail("the server counts as ready")
    assert not running(base)


def running(base: Path) -> list[psutil.Process]:
    """Processes that were started for a base directory."""
    return [process for process in psutil.process_iter(["cmdline"]) if str(base) in (process.info["cmdline"] or [])]
