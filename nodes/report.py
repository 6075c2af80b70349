"""What nodes say to people: errors and warnings that name the node, in the log and in the node's own output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..roictrl_core import cells
from ..roictrl_core.drawing import undrawn
from ..roictrl_core.layout import Layout
from ..roictrl_core.notes import Note, capped, log
from ..roictrl_core.plain_data import PlainData
from .remedies import sentence


@contextmanager
def named(node: str) -> Iterator[None]:
    """ValueErrors raised inside begin with the node's name."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{node}: {sentence(error)}") from error


def layout_notes(layout: Layout) -> list[Note]:
    """What is to be said about a layout where it is shown."""
    return layout.warnings() + cells.warnings(layout) + undrawn(layout)


def warn(node: str, notes: Sequence[Note]) -> None:
    """Each note in the log, in English, under the node's name."""
    for note in capped(notes):
        log.warning("%s: %s", node, note.sentence())


def said(node: str, notes: Sequence[Note]) -> dict:
    """Logs the notes, and gives the node's ``ui`` output with them."""
    warn(node, notes)
    return shown(notes)


def shown(notes: Sequence[Note], **more: object) -> dict:
    """The ``ui`` output of a node that has something to say: the page shows the notes in its own language.

    It is plain data whatever another pack hands over: ComfyUI ends where it cannot write an output as JSON.
    """
    return PlainData().of({"roictrl": [{"notes": [note.to_dict() for note in capped(notes)], **more}]})


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """A table as lines of text, its columns aligned."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
