"""Binary masks as run-length text: COCO's compressed RLE, so that a mask fits into a layout's JSON.

Pixels are read column by column (column-major); the runs alternate, beginning with a possibly empty run of zeros.  From
the fourth run on, the difference to the run two before is stored.  Each number is cut into groups of five bits, the
lowest first, as one printable character each: 48 + bits, plus 32 while more groups follow; the top bit of the last
group is the sign.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .notes import quote

MAX_PIXELS = 8192 * 8192
MAX_SIDE = 16384     # ComfyUI's own limit on a picture's side; a strip of 1 x 67 million pixels costs 8 GiB to average over cells


@dataclass(frozen=True)
class RunLengthMask:
    """A binary mask: ``size`` is (height, width) in pixels, ``counts`` the compressed run lengths."""

    size: tuple[int, int]
    counts: str

    @classmethod
    def from_array(cls, mask: np.ndarray) -> RunLengthMask:
        """[H, W] array of bool, or of floats whose pixels over 0.5 count."""
        mask = np.asarray(mask)
        if mask.ndim != 2 or mask.size == 0:
            raise ValueError(f"A mask must be a picture of height x width pixels, but has shape {tuple(mask.shape)}.")
        mask = mask if mask.dtype == bool else mask > 0.5
        flat = mask.ravel(order="F")                                   # [H * W], column by column
        edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
        runs = np.diff(np.concatenate(([0], edges, [flat.size]))).tolist()
        return cls._packed(mask.shape, [0, *runs] if flat[0] else runs)

    @classmethod
    def from_runs(cls, size, runs) -> RunLengthMask:
        """COCO's uncompressed RLE: ``size`` (height, width) and a list of run lengths."""
        if not all(isinstance(run, int) and not isinstance(run, bool) and run >= 0 for run in runs):
            raise ValueError("A mask's run lengths must be whole numbers of at least 0.")
        mask = cls._packed(size, list(runs))
        mask.runs()
        return mask

    @classmethod
    def from_dict(cls, data: object) -> RunLengthMask:
        """``{"size": [h, w], "counts": text or list of runs}``, as in COCO's files; checked."""
        if not isinstance(data, dict) or "size" not in data or "counts" not in data:
            raise ValueError('A mask must be an object {"size": [height, width], "counts": "..."}.')
        size, counts = data["size"], data["counts"]
        if isinstance(counts, list):
            return cls.from_runs(size, counts)
        if not isinstance(counts, str):
            raise ValueError("A mask's counts must be run-length text or a list of run lengths.")
        mask = cls(_checked_size(size), counts)
        mask.runs()
        return mask

    @classmethod
    def _packed(cls, size, runs: list[int]) -> RunLengthMask:
        return cls(_checked_size(size), _pack(runs))

    def to_dict(self) -> dict:
        return {"size": list(self.size), "counts": self.counts}

    def runs(self) -> list[int]:
        """The run lengths, zeros first. Raises ValueError where the text is damaged or does not fit the size."""
        runs, pixels = _unpack(self.counts), self.size[0] * self.size[1]
        if any(run < 0 for run in runs) or sum(runs) != pixels:
            raise ValueError(f"A mask's run lengths cover {sum(runs)} pixels, but its size {self.size[0]} x "
                             f"{self.size[1]} has {pixels}; the text is damaged.")
        return runs

    def to_array(self) -> np.ndarray:
        """[H, W] array of bool."""
        runs = self.runs()
        values = np.arange(len(runs)) % 2 == 1
        flat = np.repeat(values, runs)                                 # [H * W], column by column
        return flat.reshape(self.size, order="F")

    def resized(self, height: int, width: int) -> np.ndarray:
        """[height, width] array of bool; each pixel is the nearest one of the mask."""
        own = self.to_array()
        rows = (np.arange(height) * own.shape[0] + own.shape[0] // 2) // height
        columns = (np.arange(width) * own.shape[1] + own.shape[1] // 2) // width
        return own[np.minimum(rows, own.shape[0] - 1)[:, None], np.minimum(columns, own.shape[1] - 1)]

    def area(self) -> int:
        """Number of pixels set."""
        return sum(self.runs()[1::2])


def box_of(mask: np.ndarray) -> tuple[float, float, float, float] | None:
    """The xyxy box, normalised, around the set pixels of a bool [H, W] mask; None where it has none."""
    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return None
    return (columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height)


def _checked_size(size: object) -> tuple[int, int]:
    whole = isinstance(size, (list, tuple)) and len(size) == 2 and all(type(n) is int and n > 0 for n in size)
    if not whole:
        raise ValueError(f"A mask's size must be [height, width] in whole pixels, not {quote(size)}.")
    if max(size) > MAX_SIDE:
        raise ValueError(f"A mask has a side of {quote(max(size))} pixels; at most {MAX_SIDE} are read. Scale it down.")
    if size[0] * size[1] > MAX_PIXELS:
        raise ValueError(f"A mask of {size[0]} x {size[1]} pixels is too large; "
                         f"at most {MAX_PIXELS} pixels are read. Scale it down.")
    return (size[0], size[1])


def _pack(runs: list[int]) -> str:
    text = []
    for i, run in enumerate(runs):
        number, more = (run - runs[i - 2] if i > 2 else run), True
        while more:
            bits, number = number & 31, number >> 5
            more = number != (-1 if bits & 16 else 0)
            text.append(chr(48 + (bits | 32 if more else bits)))
    return "".join(text)


def _unpack(counts: str) -> list[int]:
    runs: list[int] = []
    number = shift = 0
    for character in counts:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > 60:
            raise ValueError(f"A mask's run-length text holds the unexpected character {character!r}; it is damaged.")
        number |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            number -= 1 << shift
        runs.append(number + runs[-2] if len(runs) > 2 else number)
        number = shift = 0
    if shift:
        raise ValueError("A mask's run-length text ends in the middle of a number; it is damaged.")
    return runs
