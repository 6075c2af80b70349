"""Latents and text embeddings, computed once, then memory-mapped: training holds only the pages that it reads.

A cache is a folder of safetensors parts and a manifest.json, written last, so a folder without one is unfinished.

rows-NNNNN.safetensors     latents [n, V, C, h, w]  before the model's scaling; where V = 2, view 1 is mirrored
                           boxes [m, 4] float32, instance_text [m] int64, first_instance [n + 1] int64
                           global_text [g] int64, first_global [n + 1] int64, mirrorable [n] bool
texts-NNNNN.safetensors    tokens [sum of lengths, c], first_token [u + 1] int64
                           pooled [u, p], where the base has it
                           utf8 [bytes] uint8, first_byte [u + 1] int64
Text number 0 is the empty caption, which stands for a dropped one.
"""

from __future__ import annotations

import bisect
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..files import check_room, check_writable, remove_partials, write_atomically
from ..finite import all_finite
from ..pickles import first_line
from .pictures import box_array
from .rows import shown

MANIFEST = "manifest.json"
FORMAT = "roictrl-training-cache"
VERSION = 1
ROWS_PER_PART = 2048
TEXTS_PER_PART = 4096
DROPPED = 0  # number of the empty caption


class Embedding(NamedTuple):
    """tokens: [L, c] cross-attention context.  pooled: [p], or None where the base takes none."""

    tokens: Tensor
    pooled: Tensor | None = None


class Row(NamedTuple):
    """latents [V, C, h, w]; boxes [n, 4] float32; instance_text [n], global_text [g]: numbers of texts."""

    latents: Tensor
    boxes: np.ndarray
    instance_text: np.ndarray
    global_text: np.ndarray
    mirrorable: bool


class CacheWriter:
    """Collects rows, then texts. Use: `add` every picture, then `finish` with the text encoder.

    description: what the cache was made from and with (plain JSON); the reader hands it back.
    """

    def __init__(self, folder: str | Path, description: dict | None = None, dtype: torch.dtype = torch.float16) -> None:
        self.folder, self.description, self.dtype = Path(folder), description or {}, dtype
        check_writable(self.folder / MANIFEST)
        (self.folder / MANIFEST).unlink(missing_ok=True)
        for old in (*self.folder.glob("rows-*.safetensors"), *self.folder.glob("texts-*.safetensors")):
            old.unlink()
        remove_partials(self.folder)
        self.numbers: dict[str, int] = {"": DROPPED}
        self.pending: list[Row] = []
        self.row_parts: list[int] = []
        self.latent_shape: tuple[int, ...] | None = None

    def add(
        self,
        latents: Tensor,
        boxes: np.ndarray,
        captions: Sequence[str],
        instance_captions: Sequence[str],
        mirrorable: bool = False,
    ) -> None:
        """One picture. latents: [V, C, h, w] or [C, h, w]; boxes: [n, 4] normalised xyxy, one instance caption each."""
        latents = (latents[None] if latents.ndim == 3 else latents).to("cpu", self.dtype)
        self.latent_shape = self.latent_shape or tuple(latents.shape)
        boxes = box_array(boxes)
        if tuple(latents.shape) != self.latent_shape:
            raise ValueError(
                f"latents are {list(latents.shape)}, the cache's first ones {list(self.latent_shape)}: "
                "one size per cache"
            )
        if len(boxes) != len(instance_captions) or not captions:
            raise ValueError(
                f"{len(boxes)} boxes with {len(instance_captions)} instance captions and {len(captions)} global ones"
            )
        if not all_finite(latents):
            raise ValueError(
                "the VAE made values that are not numbers of this picture: run it in fp32 "
                "or bf16 (ComfyUI's --fp32-vae)"
            )
        self.pending.append(
            Row(
                latents, boxes, self._number(instance_captions), self._number(captions), mirrorable and len(latents) > 1
            )
        )
        if len(self.pending) == ROWS_PER_PART:
            self._write_rows()

    def check_room(self, rows: int, texts: int, embedding: Embedding) -> None:
        """After the first rows: raise WriteError where the latents of all, and as many texts' embeddings,
        will not fit on the disk."""
        row = math.prod(self.latent_shape) * self.dtype.itemsize
        text = sum(part.numel() * self.dtype.itemsize for part in embedding if part is not None)
        written = sum(self.row_parts)
        check_room(
            self.folder,
            (rows - written) * row + texts * text,
            f"the training cache ({rows} pictures, {texts} different captions)",
        )

    def finish(
        self,
        encode: Callable[[Sequence[str]], list[Embedding]],
        batch: int = 64,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        """Encode every text once and write the manifest. encode: captions -> one Embedding each."""
        if self.pending:
            self._write_rows()
        if not self.row_parts:
            raise ValueError("no pictures to train on: every row is bad, or the data is empty")
        texts, text_parts = list(self.numbers), []
        for start in range(0, len(texts), TEXTS_PER_PART):
            part = texts[start : start + TEXTS_PER_PART]
            embeddings: list[Embedding] = []
            for at in range(0, len(part), batch):
                embeddings += self._encoded(encode, part[at : at + batch])
                progress(start + len(embeddings), len(texts))
            self._save(f"texts-{len(text_parts):05d}", _text_tensors(part, embeddings))
            text_parts.append(len(part))
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            "latent_shape": list(self.latent_shape),
            "rows": self.row_parts,
            "texts": text_parts,
            "description": self.description,
        }
        write_atomically(self.folder / MANIFEST, lambda file: file.write_text(json.dumps(manifest, indent=1)))

    def _encoded(self, encode: Callable[[Sequence[str]], list[Embedding]], texts: Sequence[str]) -> list[Embedding]:
        embeddings = [
            Embedding(e.tokens.to("cpu", self.dtype), None if e.pooled is None else e.pooled.to("cpu", self.dtype))
            for e in encode(texts)
        ]
        for text, embedding in zip(texts, embeddings, strict=True):
            if not all(part is None or all_finite(part) for part in embedding):
                raise ValueError(
                    f"the text encoder made values that are not numbers of the caption {shown(text)!r}: run it in fp32"
                )
        return embeddings

    def _number(self, captions: Sequence[str]) -> np.ndarray:
        return np.array([self.numbers.setdefault(text, len(self.numbers)) for text in captions], np.int64)

    def _write_rows(self) -> None:
        rows, self.pending = self.pending, []
        self._save(
            f"rows-{len(self.row_parts):05d}",
            {
                "latents": torch.stack([row.latents for row in rows]),
                "boxes": torch.from_numpy(np.concatenate([row.boxes for row in rows])),
                "instance_text": torch.from_numpy(np.concatenate([row.instance_text for row in rows])),
                "first_instance": _offsets([len(row.boxes) for row in rows]),
                "global_text": torch.from_numpy(np.concatenate([row.global_text for row in rows])),
                "first_global": _offsets([len(row.global_text) for row in rows]),
                "mirrorable": torch.tensor([row.mirrorable for row in rows]),
            },
        )
        self.row_parts.append(len(rows))

    def _save(self, name: str, tensors: dict[str, Tensor]) -> None:
        write_atomically(self.folder / f"{name}.safetensors", lambda file: save_file(tensors, file))


def _offsets(lengths: Sequence[int]) -> Tensor:
    return torch.tensor([0, *np.cumsum(lengths)], dtype=torch.int64)


def _text_tensors(texts: Sequence[str], embeddings: list[Embedding]) -> dict[str, Tensor]:
    raw = [text.encode() for text in texts]
    tensors = {
        "tokens": torch.cat([e.tokens for e in embeddings]),
        "first_token": _offsets([len(e.tokens) for e in embeddings]),
        "utf8": torch.from_numpy(np.frombuffer(b"".join(raw), np.uint8).copy()),
        "first_byte": _offsets([len(text) for text in raw]),
    }
    if embeddings[0].pooled is not None:
        tensors["pooled"] = torch.stack([e.pooled for e in embeddings])
    return tensors


@dataclass
class TrainingCache:
    """A finished cache, opened for random reading. Raises ValueError when the folder holds none."""

    folder: Path

    def __post_init__(self) -> None:
        self.folder = Path(self.folder)
        file = self.folder / MANIFEST
        if not file.is_file():
            raise ValueError(
                f"{self.folder} holds no finished training cache: prepare the data first (docs/training.md)"
            )
        try:
            manifest = json.loads(file.read_text())
            if manifest.get("format") != FORMAT or manifest.get("version") != VERSION:
                raise ValueError(f"no training cache of version {VERSION}")
            self.description: dict = manifest["description"]
            self.latent_shape: tuple[int, ...] = tuple(manifest["latent_shape"])  # [V, C, h, w]
            self._rows = _Parts(self.folder, "rows", manifest["rows"])
            self._texts = _Parts(self.folder, "texts", manifest["texts"])
            self._check()
        except (OSError, SafetensorError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ValueError(
                f"{self.folder} holds a training cache that is damaged or of another version ({first_line(error)}): "
                "delete the folder and prepare the data again"
            ) from None

    def _check(self) -> None:
        """Raise ValueError where the parts do not fit the manifest or each other."""
        if len(self.latent_shape) != 4:
            raise ValueError(f"latents of shape {list(self.latent_shape)}")
        for part, rows in zip(self._rows.parts, self._rows.sizes, strict=True):
            boxes = _last(part["first_instance"], rows)
            if (
                tuple(part["latents"].shape) != (rows, *self.latent_shape)
                or tuple(part["boxes"].shape) != (boxes, 4)
                or len(part["mirrorable"]) != rows
            ):
                raise ValueError("rows of another number or shape")
            for numbers, count in (
                (part["instance_text"], boxes),
                (part["global_text"], _last(part["first_global"], rows)),
            ):
                if (
                    len(numbers) != count
                    or count
                    and not 0 <= int(numbers.min()) <= int(numbers.max()) < self.text_count
                ):
                    raise ValueError("captions of another number")
        for part, texts in zip(self._texts.parts, self._texts.sizes, strict=True):
            if len(part["tokens"]) != _last(part["first_token"], texts) or len(part["utf8"]) != _last(
                part["first_byte"], texts
            ):
                raise ValueError("captions of another length")

    def __len__(self) -> int:
        return self._rows.total

    @property
    def text_count(self) -> int:
        return self._texts.total

    def row(self, index: int) -> Row:
        part, i = self._rows.find(index)
        box = slice(*part["first_instance"][i : i + 2].tolist())
        text = slice(*part["first_global"][i : i + 2].tolist())
        return Row(
            part["latents"][i],
            part["boxes"][box].numpy(),
            part["instance_text"][box].numpy(),
            part["global_text"][text].numpy(),
            bool(part["mirrorable"][i]),
        )

    def embedding(self, number: int) -> Embedding:
        part, i = self._texts.find(number)
        token = slice(*part["first_token"][i : i + 2].tolist())
        return Embedding(part["tokens"][token], part["pooled"][i] if "pooled" in part else None)

    def text(self, number: int) -> str:
        part, i = self._texts.find(number)
        byte = slice(*part["first_byte"][i : i + 2].tolist())
        return bytes(part["utf8"][byte].numpy()).decode()


class _Parts:
    """The memory-mapped parts of one kind and the place of every item in them."""

    def __init__(self, folder: Path, kind: str, sizes: list[int]) -> None:
        if not isinstance(sizes, list) or not sizes or not all(type(size) is int and size > 0 for size in sizes):
            raise ValueError(f"no numbers of {kind}")
        self.sizes, self.starts = sizes, [0, *np.cumsum(sizes).tolist()]
        self.parts = [_map(folder / f"{kind}-{number:05d}.safetensors") for number in range(len(sizes))]

    @property
    def total(self) -> int:
        return self.starts[-1]

    def find(self, index: int) -> tuple[dict[str, Tensor], int]:
        if not 0 <= index < self.total:
            raise IndexError(index)
        part = bisect.bisect_right(self.starts, index) - 1
        return self.parts[part], index - self.starts[part]


def _last(offsets: Tensor, items: int) -> int:
    """Where the last of `items` items ends. Raises ValueError for offsets that are of another number or fall."""
    if offsets.shape != (items + 1,) or offsets[0] != 0 or (offsets.diff() < 0).any():
        raise ValueError("items that do not lie one after another")
    return int(offsets[-1])


def _map(path: Path) -> dict[str, Tensor]:
    """The file's tensors as views of the mapped file; nothing is read before it is used."""
    with safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping: it cannot be iterated)
