"""Files of torch.save, of any version: the tree at once, each tensor's values when asked for, nothing ever run.

The official InstanceDiffusion checkpoint is 13.6 GB, most of it optimizer; only the wanted tenth of it is ever read.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from io import BufferedReader, BytesIO, FileIO
from math import prod
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from .pickle_policy import refuse_code
from .pickles import Damaged, first_line
from .saved_tensors import Contents, SavedTensor, Storage, read_contents, tensors_of

MAX_PART = 8 * 2**20  # bytes of the pickles, and of an archive's list; the official checkpoint has 0.4 MB of each
ZIP, LEGACY = b"PK\x03\x04", 0x1950A86A20F9469CFC6C  # how files of torch.save begin since 1.6, and before
PROTOCOL = 1001
SLACK = 256 * 2**20  # bytes of values that a small file may stand for: one number expanded to a tensor


class Place(NamedTuple):
    """Where a storage's bytes lie in the file."""

    start: int
    nbytes: int


@contextmanager
def damage_named(name: str | Path) -> Iterator[None]:
    """What is found wrong inside becomes the one sentence about a file that cannot be trusted. Raises ValueError."""
    try:
        yield
    except Damaged as error:
        raise ValueError(
            f"{name} is damaged or hostile ({error}). Download it again, from where it was published."
        ) from None
    except OSError as error:
        raise ValueError(
            f"{name} cannot be read ({error.strerror or first_line(error)}). Check the file and the disk."
        ) from None


class TorchFile:
    """A file of torch.save on disk.

    Attributes:
        tree: what was saved, tensors as SavedTensor, and placeholders for all but dictionaries, lists and plain values.
        foreign: names of the classes and functions in it that are no part of weights; none of them is ever looked up.

    Raises ValueError with a sentence for a file that is damaged or hostile; `name` is what the sentences call it.
    """

    def __init__(self, path: str | Path, name: str | Path | None = None) -> None:
        self.path, self.name = Path(path), name or path
        with damage_named(self.name), _ShortReads(FileIO(self.path)) as file:
            self._zipped = file.peek(4)[:4] == ZIP
            contents, self._places = _read_zip(file) if self._zipped else _read_legacy(file)
            self.tree, self.foreign = contents.tree, contents.foreign
            refuse_code(self.foreign)
            _refuse_bombs(list(self.tensors.values()), self.path.stat().st_size)

    @cached_property
    def tensors(self) -> dict[str, SavedTensor]:
        """All tensors by their keys joined with dots."""
        return dict(tensors_of(self.tree))

    def read(self, tensor: SavedTensor) -> Tensor:
        """The values of a tensor. Raises ValueError when they are not all there."""
        with damage_named(self.name), _ShortReads(FileIO(self.path)) as file:
            place = self._place(file, tensor.storage)
            size = tensor.dtype.itemsize
            if (tensor.offset + tensor.span) * size > place.nbytes:
                raise Damaged("a tensor's values lie past the end of their storage")
            data = torch.empty(tensor.span, dtype=tensor.dtype)
            file.seek(place.start + tensor.offset * size)
            if file.readinto(data.view(torch.uint8).numpy()) != tensor.span * size:
                raise Damaged("it is cut off: a tensor's values lie past its end")
            return data.as_strided(tensor.shape, tensor.stride)

    def _place(self, file: BufferedReader, storage: Storage) -> Place:
        place = self._places.get(storage.key)
        if place is None:
            raise Damaged("a tensor's values are missing")
        return _place_in_zip(file, place) if isinstance(place, zipfile.ZipInfo) else place


class _ShortReads(BufferedReader):
    """A file of which nobody reads much at once: zipfile takes an archive's list as long as the archive says."""

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(MAX_PART + 1 if size is None or size < 0 else min(size, MAX_PART + 1))
        if len(data) > MAX_PART:
            raise Damaged(f"a part that should be short has over {MAX_PART >> 20} MB")
        return data


def _read_zip(file: BufferedReader) -> tuple[Contents, dict[str, zipfile.ZipInfo]]:
    """torch 1.6 and later: an archive of data.pkl, and data/<key> for each storage."""
    try:
        with zipfile.ZipFile(file) as archive:
            infos = {info.filename: info for info in archive.infolist()}
    except Damaged:
        raise
    except (zipfile.BadZipFile, NotImplementedError, OverflowError, ValueError, struct.error) as error:
        raise Damaged(f"its archive's list cannot be read: {first_line(error)}") from None
    pickles = [name for name in infos if name == "data.pkl" or name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise Damaged(f"it is an archive with {len(pickles)} files data.pkl; torch's have one")
    root = pickles[0].removesuffix("data.pkl")
    if f"{root}byteorder" in infos and _bytes_in_zip(file, infos[f"{root}byteorder"]) != b"little":
        raise Damaged("it was written on a machine of another byte order")
    contents = read_contents(BytesIO(_bytes_in_zip(file, infos[pickles[0]])))
    return contents, {
        name.removeprefix(f"{root}data/"): info for name, info in infos.items() if name.startswith(f"{root}data/")
    }


def _place_in_zip(file: BufferedReader, info: zipfile.ZipInfo) -> Place:
    """Past the entry's own header, whose length only it tells."""
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1 or info.header_offset < 0:
        raise Damaged("its archive is compressed or encrypted; torch's are not")
    file.seek(info.header_offset)
    header = file.read(30)
    if len(header) < 30 or header[:4] != ZIP:
        raise Damaged("its archive's list does not fit its entries")
    return Place(info.header_offset + 30 + sum(struct.unpack("<HH", header[26:])), info.file_size)


def _bytes_in_zip(file: BufferedReader, info: zipfile.ZipInfo) -> bytes:
    place = _place_in_zip(file, info)
    file.seek(place.start)
    data = file.read(place.nbytes)
    if len(data) != place.nbytes:
        raise Damaged("it is cut off")
    return data


def _read_legacy(file: BufferedReader) -> tuple[Contents, dict[str, Place]]:
    """Before torch 1.6: pickles of a magic number, a version, the machine, what was saved
    and the storages' keys; then their bytes."""
    stream = BytesIO(file.read(MAX_PART))
    magic = read_contents(stream)
    if magic.foreign:
        return magic, {}  # a pickle of another program: what it holds is said
    if magic.tree != LEGACY or read_contents(stream).tree != PROTOCOL:
        raise Damaged("it does not begin as torch's files do")
    machine = read_contents(stream).tree
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise Damaged("it was written on a machine of another byte order")
    contents, keys = read_contents(stream), read_contents(stream).tree
    return contents, _places(file, stream.tell(), contents, keys)


def _places(file: BufferedReader, position: int, contents: Contents, keys: object) -> dict[str, Place]:
    """Storages one after the other, each behind its number of elements in 8 bytes."""
    places = {}
    for key in keys if isinstance(keys, list) else []:
        storage = contents.storages.get(key) if isinstance(key, str) else None
        file.seek(position)
        if storage is None or int.from_bytes(file.read(8), "little") != storage.size:
            raise Damaged("its list of storages does not fit them")
        places[key] = Place(position + 8, storage.size * (storage.dtype.itemsize if storage.dtype else 1))
        position = places[key].start + places[key].nbytes
    return places


def _refuse_bombs(tensors: list[SavedTensor], size: int) -> None:
    """A few bytes can stand for tensors of any size, by steps of 0 or a storage that many share."""
    total = sum(tensor.nbytes for tensor in tensors)
    if total > 2 * size + SLACK:
        raise Damaged(f"its {size / 1e6:.1f} MB stand for tensors of {total / 1e9:.1f} GB")
    if any(tensor.span > 4 * prod(tensor.shape) + 1024 for tensor in tensors):
        raise Damaged("a tensor's values lie scattered over far more of the file than they fill")
