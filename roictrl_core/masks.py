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
MAX_SIDE = (
    16384  # ComfyUI's own limit on a picture's side; a strip of 1 x 67 million pixels costs 8 GiB to average over cells
)
MAX_COUNTS = 2**21  # characters of one mask's text; one of 1024 x 1024 pixels of noise has a quarter of it
_GROUPS = 6  # of five bits: enough for any run within MAX_PIXELS
_CHUNK = 2**16  # runs that are written at once, to save memory


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
        _checked_size(mask.shape)  # before any work is done on it
        mask = mask if mask.dtype == bool else mask > 0.5
        flat = mask.ravel(order="F")  # [H * W], column by column
        edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
        starts = [0, 0] if flat[0] else [0]  # an empty run of zeros where ones come first
        return cls.from_array_of_runs(mask.shape, np.diff(np.concatenate((starts, edges, [flat.size]))))

    @classmethod
    def from_part(cls, part: np.ndarray, left: int, top: int, size: tuple[int, int]) -> RunLengthMask:
        """A bool [h, w] mask of the part of a picture of ``size`` that begins at ``left``, ``top`` and lies inside it.

        Costs what the part has of pixels, not the picture.
        """
        height, width = part.shape
        columns = np.zeros((width, height + 1), dtype=bool)  # a zero under each column, so that no span goes on
        columns[:, :height] = part.T
        flat = np.concatenate(([False], columns.ravel()))
        edges = np.flatnonzero(flat[1:] != flat[:-1])
        column, row = np.divmod(edges, height + 1)
        places = (left + column) * size[0] + top + row  # where ones begin and end, in turn
        begin, end = places[::2], places[1::2]
        apart = begin[1:] != end[:-1]  # spans that touch over the picture's border are one
        begin, end = begin[np.append(True, apart)[: len(begin)]], end[np.append(apart, True)[: len(end)]]
        runs = np.diff(np.concatenate(([0], np.stack([begin, end], axis=1).ravel(), [size[0] * size[1]])))
        return cls.from_array_of_runs(size, runs if runs[-1] else runs[:-1])

    @classmethod
    def from_runs(cls, size, runs) -> RunLengthMask:
        """COCO's uncompressed RLE: ``size`` (height, width) and a list of run lengths."""
        if not all(type(run) is int and 0 <= run <= MAX_PIXELS for run in runs):
            raise ValueError(f"A mask's run lengths must be whole numbers from 0 to {MAX_PIXELS}.")
        mask = cls.from_array_of_runs(size, np.asarray(runs, dtype=np.int64))
        mask.check()
        return mask

    @classmethod
    def from_array_of_runs(cls, size, runs: np.ndarray) -> RunLengthMask:
        """``runs`` as they are, int64 [N]; only the size is checked."""
        return cls(_checked_size(size), _pack(runs))

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
        if len(counts) > MAX_COUNTS:
            raise ValueError(
                f"A mask's run-length text has {len(counts)} characters; at most {MAX_COUNTS} are read. "
                "Smooth the mask or scale it down."
            )
        mask = cls(_checked_size(size), counts)
        mask.check()
        return mask

    def to_dict(self) -> dict:
        return {"size": list(self.size), "counts": self.counts}

    def runs(self) -> np.ndarray:
        """The run lengths, int64 [N], zeros first. Raises ValueError where the text is damaged."""
        return _unpack(self.counts)

    def check(self) -> None:
        """Raises ValueError where the text is damaged or does not fit the size."""
        runs, pixels = self.runs(), self.size[0] * self.size[1]
        if (runs < 0).any() or runs.sum() != pixels:
            raise ValueError(
                f"A mask's run lengths cover {runs.sum()} pixels, but its size {self.size[0]} x "
                f"{self.size[1]} has {pixels}; the text is damaged."
            )

    def to_array(self) -> np.ndarray:
        """[H, W] array of bool."""
        runs = self.runs()
        flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)  # [H * W], column by column
        return flat.reshape(self.size, order="F")

    def resized(self, height: int, width: int) -> np.ndarray:
        """[height, width] array of bool; each pixel is the nearest one of the mask."""
        own = self.to_array()
        rows = (np.arange(height) * own.shape[0] + own.shape[0] // 2) // height
        columns = (np.arange(width) * own.shape[1] + own.shape[1] // 2) // width
        return own[np.minimum(rows, own.shape[0] - 1)[:, None], np.minimum(columns, own.shape[1] - 1)]

    def area(self) -> int:
        """Number of pixels set."""
        return int(self.runs()[1::2].sum())


def box_of(mask: np.ndarray) -> tuple[float, float, float, float] | None:
    """The xyxy box, normalised, around the set pixels of a bool [H, W] mask; None where it has none."""
    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return None
    left, right, top, bottom = (int(place) for place in (columns[0], columns[-1] + 1, rows[0], rows[-1] + 1))
    return left / width, top / height, right / width, bottom / height


def _checked_size(size: object) -> tuple[int, int]:
    whole = isinstance(size, (list, tuple)) and len(size) == 2 and all(type(n) is int and n > 0 for n in size)
    if not whole:
        raise ValueError(f"A mask's size must be [height, width] in whole pixels, not {quote(size)}.")
    if max(size) > MAX_SIDE:
        raise ValueError(f"A mask has a side of {quote(max(size))} pixels; at most {MAX_SIDE} are read. Scale it down.")
    if size[0] * size[1] > MAX_PIXELS:
        raise ValueError(
            f"A mask of {quote(size[0])} x {quote(size[1])} pixels is too large; "
            f"at most {MAX_PIXELS} pixels are read. Scale it down."
        )
    return (size[0], size[1])


def _pack(runs: np.ndarray) -> str:
    """``runs``, int64 [N], to text."""
    numbers = runs.copy()
    numbers[3:] -= runs[1:-2]
    return "".join(_characters(numbers[start : start + _CHUNK]) for start in range(0, len(numbers), _CHUNK))


def _characters(numbers: np.ndarray) -> str:
    shifts = 5 * np.arange(_GROUPS)
    groups = (numbers[:, None] >> shifts) & 31  # [N, groups], the lowest five bits first
    # A group is the last when what is left above it is nothing but its own top bit, the sign.
    rest = numbers[:, None] >> (shifts + 5)
    more = rest != -(groups >> 4)
    written = np.ones_like(more)
    written[:, 1:] = np.logical_and.accumulate(more[:, :-1], axis=1)
    return (48 + groups + 32 * more)[written].astype(np.uint8).tobytes().decode("ascii")


def _unpack(counts: str) -> np.ndarray:
    """Text to runs, int64 [N]. Raises ValueError where it is damaged."""
    if not counts.isascii():
        raise ValueError("A mask's run-length text holds characters that it cannot have; it is damaged.")
    codes = np.frombuffer(counts.encode("ascii"), dtype=np.uint8) - np.uint8(48)
    if (codes > 63).any():
        wrong = quote(counts[int(np.argmax(codes > 63))])
        raise ValueError(f"A mask's run-length text holds the unexpected character {wrong}; it is damaged.")
    ends = np.flatnonzero(codes < 32)  # [N], where each number's last group stands
    if len(codes) and (not len(ends) or ends[-1] != len(codes) - 1):
        raise ValueError("A mask's run-length text ends in the middle of a number; it is damaged.")
    starts = np.concatenate(([0], ends[:-1] + 1)) if len(ends) else ends
    lengths = ends - starts + 1
    if (lengths > _GROUPS).any():
        raise ValueError("A mask's run-length text holds a number that is too large for it; it is damaged.")
    return _summed(codes, starts, ends, lengths)


def _summed(codes: np.ndarray, starts: np.ndarray, ends: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The runs from six bits a character, and from where each number begins and ends."""
    if not len(starts):
        return np.zeros(0, dtype=np.int64)
    place = np.arange(len(codes)) - np.repeat(starts, lengths)  # of each group in its number
    numbers = np.add.reduceat((codes & 31).astype(np.int64) << (5 * place), starts)
    numbers -= np.where(codes[ends] & 16, np.int64(1) << (5 * lengths), 0)
    runs = numbers.copy()
    runs[1::2] = np.cumsum(numbers[1::2])  # from the fourth on, the difference to the one two before
    runs[2::2] = np.cumsum(numbers[2::2])
    return runs
