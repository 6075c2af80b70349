"""What nodes say to people: errors and warnings that name the node, in the log and in the node's own output."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger("ROICtrl")


@contextmanager
def named(node: str) -> Iterator[None]:
    """ValueErrors raised inside begin with the node's name."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{node}: {error}") from error


def warn(node: str, sentences: list[str]) -> None:
    """Each sentence in the log, under the node's name."""
    for sentence in sentences:
        log.warning("%s: %s", node, sentence)
