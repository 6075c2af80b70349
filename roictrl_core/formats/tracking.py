"""TRACKING of ComfyUI's video packs: ``{class: {id: [[x1, y1, x2, y2, W, H] or null, one for each frame]}}``,
in pixels.

A layout is one frame: the first, or the one that is picked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ..layout import Layout
from ..notes import subject
from .common import Reader, choose, entries, finite_numbers, numbers
from .placing import in_pixels, settle_unit

MAX_FRAMES = 100_000  # an hour of video
_LENGTH = 6


def is_tracking(data: object) -> bool:
    """Rows of six numbers; MIG-Bench's mappings of mappings have rows of four."""
    if not isinstance(data, Mapping) or not data or not all(isinstance(tracks, Mapping) for tracks in data.values()):
        return False
    rows = [row for *_, frames in _tracks(data) for row in frames]
    if not any(row is not None for row in rows):  # of a mapping without any list, nothing says that it is MIG-Bench's
        return bool(rows) or not any(tracks for tracks in data.values())
    return any(len(finite_numbers(row) or ()) == _LENGTH for row in rows)


def _tracks(data: Mapping) -> Iterator[tuple[str, str, list]]:
    """Class, id and frames of every track."""
    for name, tracks in data.items():
        for number, frames in tracks.items():
            if isinstance(frames, (list, tuple)):
                yield str(name), str(number), list(frames)


def read_tracking(data: Mapping, reader: Reader) -> Layout:
    tracks = entries(list(_tracks(data)), "The tracking")
    count = max((len(frames) for *_, frames in tracks), default=0)
    if count > MAX_FRAMES:
        raise ValueError(f"The tracking has {count} frames; at most {MAX_FRAMES} are read. Cut the video.")
    if not any(row is not None for *_, frames in tracks for row in frames):
        reader.note("read.no_tracks")
        return reader.layout()
    frame = choose([f"frame {i}" for i in range(1, count + 1)], reader.pick, "frame", reader)
    present = [
        (name, number, frames[frame])
        for name, number, frames in tracks
        if frame < len(frames) and frames[frame] is not None
    ]
    _settle(tracks, (row for *_, row in present), reader)
    for i, (name, number, row) in enumerate(present, 1):
        who = subject("track", i, name)
        values = numbers(row, _LENGTH, who, reader)
        if values is not None:
            (x1, y1), (x2, y2) = in_pixels((values[:2], values[2:4]), reader)
            reader.add(reader.pixels((x1, y1, x2, y2)), who, caption=name, imported={"track_id": number})
    if absent := len(tracks) - len(present):
        reader.note("read.absent", count=absent)
    return reader.layout()


def _settle(tracks: list[tuple[str, str, list]], present: Iterable, reader: Reader) -> None:
    """The size of the frame, which all frames of a video share, and the unit of all boxes."""
    size = next((row[4:] for row in map(_row, present) if row), None)
    if size:
        reader.own_size(*size, "The tracking")
        settle_unit((value for *_, rows in tracks for row in map(_row, rows) if row for value in row[:4]), reader)


def _row(value: object) -> tuple[float, ...] | None:
    """A box and its frame's size; None for anything else."""
    row = finite_numbers(value)
    return row if row is not None and len(row) == _LENGTH else None
