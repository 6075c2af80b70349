"""The running ComfyUI server, and through it the page, for what is known before a node has ended."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ..roictrl_core.notes import Note
from .report import warn

SAID = "roictrl.said"  # the event's name


def server():
    """ComfyUI's server; None where there is none (tests, scripts): main.py has loaded its module by now."""
    module = sys.modules.get("server")
    return getattr(getattr(module, "PromptServer", None), "instance", None)


def tell(node: str, notes: Sequence[Note]) -> None:
    """Each note in the log, and all of them in the box editors of the page that queued the prompt, in the place of what
    was told there before."""
    warn(node, notes)
    running = server()
    if running is not None and running.client_id is not None:
        running.send_sync(SAID, {"notes": [note.to_dict() for note in notes]}, running.client_id)
