"""One view of a picture file for its boxes and its pixels: the size it is stored in, how it is turned, its colours.

A camera stores a picture as the sensor lies, and writes beside it (EXIF orientation, 1 to 8) how to show it. Boxes in
pixels count in the stored file; `Stored.turned` takes them along when the picture is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from .rows import Box, RowProblem, shown

ORIENTATION, TIFF_WIDTH, TIFF_HEIGHT, TIFF_PHOTOMETRIC = 274, 256, 257, 262  # tags of EXIF and TIFF
UPRIGHT = 1  # the orientation of a picture that is shown as it is stored
WHITE_IS_ZERO = 0
TRANSPARENT = ("RGBA", "LA", "PA", "RGBa", "La")
SIXTEEN_BITS_AS_32 = ("PNG", "PPM")  # formats whose 16-bit grey older Pillows hand out as 32-bit numbers

# Orientation -> what Pillow does to the stored picture, and where its point (x, y), in shares, is then seen.
SHOWN: dict[int, tuple[Image.Transpose, Callable[[float, float], tuple[float, float]]]] = {
    2: (Image.Transpose.FLIP_LEFT_RIGHT, lambda x, y: (1 - x, y)),
    3: (Image.Transpose.ROTATE_180, lambda x, y: (1 - x, 1 - y)),
    4: (Image.Transpose.FLIP_TOP_BOTTOM, lambda x, y: (x, 1 - y)),
    5: (Image.Transpose.TRANSPOSE, lambda x, y: (y, x)),
    6: (Image.Transpose.ROTATE_270, lambda x, y: (1 - y, x)),
    7: (Image.Transpose.TRANSVERSE, lambda x, y: (1 - y, 1 - x)),
    8: (Image.Transpose.ROTATE_90, lambda x, y: (y, 1 - x)),
}


@dataclass(frozen=True)
class Stored:
    """A picture as its file stores it. size: (width, height) in pixels.  orientation: EXIF's."""

    size: tuple[int, int]
    orientation: int

    @property
    def seen_size(self) -> tuple[int, int]:
        return self.size[::-1] if self.orientation >= 5 else self.size

    def turned(self, box: Box) -> Box:
        """A normalised xyxy box of the stored picture -> the same box of the picture as it is seen."""
        if self.orientation == UPRIGHT:
            return box
        _, place = SHOWN[self.orientation]
        (x1, y1), (x2, y2) = place(box[0], box[1]), place(box[2], box[3])
        return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


def find_picture(folder: Path, name: object) -> Path:
    """The file that a row names, inside the folder. Raises RowProblem; nothing but its beginning has been read then."""
    if not isinstance(name, str) or not name:
        raise RowProblem("has no `file_name`")
    file = folder / name
    try:
        inside, exists = file.resolve().is_relative_to(folder.resolve()), file.is_file()
    except (OSError, ValueError, RuntimeError) as error:  # too long, half a character, a link to itself
        raise RowProblem(f"`file_name` {shown(name)} cannot be looked up ({_reason(error)})") from None
    if not inside:
        raise RowProblem(f"`file_name` {shown(name)} leads out of the data folder")
    if not exists:
        raise RowProblem(f"picture {shown(name)} does not exist")
    with _opened(file):
        return file


def stored(file: Path) -> Stored:
    """How a file's pixels count. Raises RowProblem for what is no picture."""
    with _opened(file) as picture:
        orientation = picture.getexif().get(ORIENTATION)
        size = picture.size
        if picture.format == "TIFF":  # Pillow says a TIFF's size as it is seen
            size = (picture.tag_v2[TIFF_WIDTH], picture.tag_v2[TIFF_HEIGHT])
        return Stored(size, orientation if orientation in SHOWN else UPRIGHT)


def read_rgb(file: Path) -> Image.Image:
    """The picture as it is seen: upright, RGB, transparent parts on white.
    Raises RowProblem where that cannot be had."""
    with _opened(file) as picture:
        picture.load()  # a TIFF turns itself here, and then says that it is upright
        turn = SHOWN.get(picture.getexif().get(ORIENTATION))
        rgb = _rgb(picture)
        return rgb if turn is None else rgb.transpose(turn[0])


@contextmanager
def _opened(file: Path) -> Iterator[Image.Image]:
    name = f"picture {shown(file.name)}"
    try:
        with Image.open(file) as picture:
            if picture.format == "EPS":
                raise RowProblem("is a PostScript program, which is not run: save it as PNG or JPEG")
            yield picture
    except RowProblem as problem:
        raise RowProblem(f"{name} {problem}") from None
    except Exception as error:  # Pillow's decoders meet damaged files with exceptions of nearly every kind
        raise RowProblem(f"{name} cannot be read ({_reason(error)})") from None


def _reason(error: Exception) -> str:
    text = " ".join(str(getattr(error, "strerror", None) or error).split())
    return f"{text[:160]}…" if len(text) > 160 else text or type(error).__name__


def _rgb(picture: Image.Image) -> Image.Image:
    """Of any mode. Pillow's own conversion cuts 16-bit and decimal greys off at 255, which makes them white."""
    mode = picture.mode
    if mode.startswith("I;16") or (mode == "I" and picture.format in SIXTEEN_BITS_AS_32):
        return _grey(np.asarray(picture).astype(np.float32) / 65535, picture)
    if mode == "I":
        raise RowProblem("has whole numbers of 32 bits, whose white is not known: save it with 8 or 16 bits")
    if mode == "F":
        values = np.asarray(picture)
        if not (values >= 0).all() or not (values <= 1).all():
            raise RowProblem(
                "has decimal values that are not all in 0..1, so that its white is not known: save it with 8 or 16 bits"
            )
        return _grey(values, picture)
    if mode in TRANSPARENT or "transparency" in picture.info:
        white = Image.new("RGBA", picture.size, "white")
        white.alpha_composite(picture.convert("RGBA"))
        return white.convert("RGB")
    return picture.convert("RGB")


def _grey(values: np.ndarray, picture: Image.Image) -> Image.Image:
    """values: [height, width] in 0..1."""
    if picture.format == "TIFF" and picture.tag_v2.get(TIFF_PHOTOMETRIC) == WHITE_IS_ZERO:
        values = 1 - values
    return Image.fromarray((values * 255).round().astype(np.uint8)).convert("RGB")
