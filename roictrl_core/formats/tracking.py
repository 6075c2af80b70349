"""TRACKING of ComfyUI's video packs: ``{class: {id: [[x1, y1, x2, y2, W, H] or null, one for each frame]}}``, in pixels.

A layout is one frame: the first, or the one that is picked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..layout import Layout
from ..notes import subject
from .common import Reader, choose, entries, finite_numbers, numbers

MAX_FRAMES = 100_000  # an hour of video
_LENGTH = 6


def is_tracking(data: object) -> bool:
    """Rows of six numbers; MIG-Bench's mappings of mappings have rows of four."""
    if not isinstance(data, Mapping) or not data or not all(isinstance(tracks, Mapping) for tracks in data.values()):
        return False
    rows = (row for *_, frames in _tracks(data) for row in frames if row is not None)
    return any(len(finite_numbers(row) or ()) == _LENGTH for row in rows)


def _tracks(data: Mapping) -> Iterator[tuple[str, str, list]]:
    """Class, id and frames of every track."""
    for name, tracks in data.items():
        for number, frames in tracks.items():
            if isinstance(frames, (list, tuple)):
                yield str(name), str(number), list(frames)


def read_tracking(data: Mapping, reader: Reader) -> Layout:
    tracks = entries(list(_tracks(data)), "The tracking")
    count = max(len(frames) for *_, frames in tracks)
    if count > MAX_FRAMES:
        raise ValueError(f"The tracking has {count} frames; at most {MAX_FRAMES} are read. Cut the video.")
    frame = choose([f"frame {i}" for i in range(1, count + 1)], reader.pick, "frame", reader)
    present = [
        (name, number, frames[frame])
        for name, number, frames in tracks
        if frame < len(frames) and frames[frame] is not None
    ]
    sized = False  # all of a video's frames have one size
    for i, (name, number, row) in enumerate(present, 1):
        who = subject("track", i, name)
        values = numbers(row, _LENGTH, who, reader)
        if values is None:
            continue
        if not sized:
            reader.own_size(*values[4:], "The tracking")
            sized = True
        reader.add(reader.pixels(values[:4]), who, caption=name, imported={"track_id": number})
    if absent := len(tracks) - len(present):
        reader.note("read.absent", count=absent)
    return reader.layout()
