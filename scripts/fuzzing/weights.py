"""Hostile weight files: pickles, archives, safetensors and the configs in them, each changed somewhere.

A case may succeed, or raise ValueError with one sentence a line. Whatever else it raises is a fault.
"""

from __future__ import annotations

import io
import json
import pickle
import struct
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from random import Random

import torch
from safetensors.torch import save

from devtools.pack import register_core

register_core()
from roictrl_core.adapter import ROICtrlAdapter  # noqa: E402
from roictrl_core.checkpoint import CONFIG_KEY, read_adapter  # noqa: E402
from roictrl_core.config import AdapterConfig  # noqa: E402
from roictrl_core.instance_diffusion import checkpoint as instance_diffusion  # noqa: E402
from roictrl_core.instance_diffusion.config import InstanceDiffusionConfig  # noqa: E402
from roictrl_core.instance_diffusion.model import InstanceDiffusion  # noqa: E402
from roictrl_core.instances import InstanceBatch  # noqa: E402
from roictrl_core.weights_file import open_weights  # noqa: E402

Case = tuple[str, Callable[[], object]]
Files = dict[str, bytes]

VALUES = [
    None, True, False, 0, -1, -3, 1, 2.5, 0.5, 1e308, 1 << 40, 1 << 70, 99999999, "", "a", "x" * 5000, "a..b",
    "a." * 1000 + "b", "e\ud800\n", [], {}, [[]], [1, 2], ["input", 1], ["nowhere", 1], ["input", -1], ["input", "1"],
    {"a": 1},
]  # fmt: skip
TEXTS = [
    "",
    "NaN",
    "null",
    "[]",
    "{}",
    "[" * 100_000,
    "1" * 5000,
    '{"version": 1}',
    '{"a":' * 3000,
    '"\\ud800"',
    "1" + "0" * 400,
]
# Pieces of pickles: single opcodes, and such with an argument, fit and unfit.
PIECES = [
    *(bytes([code]) for code in b"()]}td2le0u1sabRoQN.\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x92\x93\x94"),
    b"K\x00", b"K\x01", b"M\xff\xff", b"J\xff\xff\xff\xff", b"\x8a\x09" + b"\x7f" * 9, b"\x8b\xff\xff\xff\x7f",
    b"G\x7f\xf8" + b"\0" * 6, b"I1\n", b"Ix\n", b"L5L\n", b"F1e999\n", b"S'a'\n", b"Sa\n", b"U\x01a", b"T\x01\0\0\0a",
    b"X\x01\0\0\0a", b"X\xff\xff\xff\x7f", b"\x8c\x01a", b"\x8c\x02\xff\xfe", b"C\x01a",
    b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff", b"Vx\\u12\n", b"\x95\0\0\0\0\0\0\0\0", b"q\x00", b"h\x00", b"h\x07",
    b"r\xff\xff\xff\xff", b"j\xff\xff\xff\xff", b"p0\n", b"g0\n", b"g-1\n", b"\x80\x02", b"\x80\xff", b"\x82\x01",
    b"\x97", b"Pid\n", b"cos\nsystem\n", b"cbuiltins\neval\n", b"cbuiltins\nbytearray\n",
    b"ccollections\nOrderedDict\n", b"ctorch._utils\n_rebuild_tensor_v2\n", b"ctorch._utils\n_rebuild_parameter\n",
    b"ctorch\nFloatStorage\n", b"ctorch\nfloat32\n", b"cmodule\nClass\n", b"imodule\nClass\n",
    b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x04tQ",
]  # fmt: skip


def cases(random: Random) -> Iterator[Case]:
    """Without an end; every case writes below one temporary folder, which goes with the process."""
    kinds = [
        ("bytes", bytes_case),
        ("pickle", pickle_case),
        ("config", config_case),
        ("header", header_case),
        ("names", names_case),
    ]
    number = 0
    while True:
        kind, make = random.choices(kinds, (4, 4, 2, 2, 1))[0]
        number += 1
        yield (
            f"weights: {kind} {number}",
            partial(read, make(random), random.choice((build_adapter, read_all, instance_diffusion.load))),
        )


def read(files: Files, reader: Callable[[Path], object]) -> None:
    """The first of these files as `reader` reads it, the others beside it."""
    folder = work_folder()
    for old in folder.iterdir():
        old.unlink()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    reader(folder / next(iter(files)))


def build_adapter(path: Path) -> None:
    """What Load ROICtrl Adapter and the first step of a run do."""
    file = read_adapter(path)
    network = ROICtrlAdapter(file.config)
    network.load_state_dict(dict(file.weights))
    instances = InstanceBatch.from_boxes(torch.tensor([[[0.1, 0.1, 0.9, 0.9]]]), slots=file.config.slots)
    for level in {block.level for block in file.config.blocks}:
        network.plan(instances, level, 8, 8, "cpu")


def read_all(path: Path) -> None:
    """Every tensor of a file, whatever it is."""
    file = open_weights(path)
    file.tensors(file.shapes)


# ---- the sorts of cases --------------------------------------------------------------------------------------------


def bytes_case(random: Random) -> Files:
    """A sound file, some of its bytes changed, cut out or put in."""
    files = dict(random.choice(sound_files()))
    first = next(iter(files))
    return {**files, first: changed_bytes(random, files[first])}


def pickle_case(random: Random) -> Files:
    """A sound archive around a pickle that is changed, or made of pieces, and the same in the old form."""
    program = bytes(random.choice(sound_pickles()))
    for _ in range(random.randint(1, 4)):
        place = random.randrange(len(program) + 1)
        program = (
            program[:place]
            + b"".join(random.choices(PIECES, k=random.randint(1, 5)))
            + program[place + random.randint(0, 3) :]
        )
    if random.random() < 0.5:
        program = b"\x80\x02" + b"".join(random.choices(PIECES, k=random.randint(1, 60))) + b"."
    return {"x.pt": archive(program) if random.random() < 0.6 else legacy(program)}


def config_case(random: Random) -> Files:
    """Our own safetensors, with something else in their metadata."""
    key, config, tensors = random.choice(sound_configs())
    text = random.choice(TEXTS) if random.random() < 0.2 else json.dumps(changed(random, json.loads(config)))
    metadata = {
        "format": "pt",
        key: text.encode("utf-8", "replace").decode(),
        "training_steps": str(random.choice(VALUES)).encode("utf-8", "replace").decode(),
    }
    return {"x.safetensors": save(tensors, metadata)}


def header_case(random: Random) -> Files:
    """A safetensors file whose header says something else than it holds."""
    _, config, tensors = random.choice(sound_configs())
    data = save(tensors, {CONFIG_KEY: config})
    length = int.from_bytes(data[:8], "little")
    header = json.dumps(changed(random, json.loads(data[8 : 8 + length])), ensure_ascii=random.random() < 0.5).encode(
        "utf-8", "replace"
    )
    claimed = len(header) if random.random() < 0.9 else random.choice([0, 1, 2**31, 2**63, 2**64 - 1])
    return {"x.safetensors": struct.pack("<Q", claimed) + header + data[8 + length :]}


def names_case(random: Random) -> Files:
    """A pickle with other names, other shapes, and other things among its tensors."""
    tensors = dict(sound_configs()[0][2])
    for name in random.sample(list(tensors), random.randint(1, 3)):
        value = tensors.pop(name)
        other = random.choice(
            [
                value,
                value.flatten(),
                value[:0] if value.ndim else value,
                torch.tensor(1.0),
                torch.zeros(3, dtype=torch.int8),
                torch.full_like(value, torch.nan),
                *VALUES,
            ]
        )
        tensors[
            random.choice(
                [
                    name,
                    name[::-1],
                    f"{name}.{name}",
                    name.replace("0", "9" * 400),
                    name.replace(".", ".."),
                    f"a.{name}",
                    name + "\n",
                ]
            )
        ] = other
    buffer = io.BytesIO()
    torch.save({"state_dict": tensors}, buffer)
    return {"x.ckpt": buffer.getvalue()}


# ---- what they are made of -----------------------------------------------------------------------------------------


@cache
def work_folder() -> Path:
    """Two folders down, as the community split is looked for beside its folder too."""
    work_folder.root = tempfile.TemporaryDirectory(prefix="roictrl-fuzz-")
    folder = Path(work_folder.root.name) / "weights"
    folder.mkdir()
    return folder


@cache
def sound_configs() -> list[tuple[str, str, dict[str, torch.Tensor]]]:
    """(metadata key, config, tensors): an adapter of one block, and what InstanceDiffusion's own files are told by."""
    unet = {
        "model_channels": 8,
        "channel_mult": [1],
        "num_res_blocks": [3],
        "transformer_depth": [0, 0, 1],
        "transformer_depth_output": [0] * 4,
        "transformer_depth_middle": 0,
        "num_heads": 8,
    }
    torch.manual_seed(0)
    config = AdapterConfig.for_unet(unet)
    told_by = {f"position_net.{key}": torch.ones(2, 2) for key in ("linears_list.4.4.weight", "null_polygon_feature")}
    return [
        (
            CONFIG_KEY,
            config.to_json(),
            {key: tensor.detach() for key, tensor in ROICtrlAdapter(config).state_dict().items()},
        ),
        (instance_diffusion.CONFIG_KEY, small_instance_diffusion().to_json(), told_by),
    ]


def small_instance_diffusion() -> InstanceDiffusionConfig:
    return InstanceDiffusionConfig(
        (("input_blocks.1.1", 16), ("middle_block.1", 16)), (8, 4), text_width=16, token_width=16, hidden_width=16
    )


@cache
def sound_files() -> list[Files]:
    """Whole files that are read without a word: an adapter in three forms, InstanceDiffusion as one pickle
    and as the community's three."""
    _, config, adapter = sound_configs()[0]
    shapes = {
        key: tensor.shape
        for key, tensor in InstanceDiffusion(small_instance_diffusion(), device="meta").state_dict().items()
    }
    # One number each: the mask branch is large.
    whole = {key: torch.full((1,) * len(shape), 0.5).expand(shape) for key, shape in shapes.items()}
    parts = {name: saved(tree) for name, tree in community_split(whole).items()}
    rotated = [
        {name: parts[name] for name in (*names[turn:], *names[:turn])} for names in [list(parts)] for turn in range(3)
    ]
    return [
        {"x.safetensors": save(adapter, {CONFIG_KEY: config})},
        {"x.pt": saved(adapter)},
        {"x.bin": saved(adapter, _use_new_zipfile_serialization=False)},
        {"x.pth": saved({"ema": whole, "opt": {"state": {0: torch.zeros(3)}}, "iters": 5})},
        *rotated,
    ]


def community_split(whole: dict[str, torch.Tensor]) -> dict[str, dict]:
    """The tensors of a small InstanceDiffusion as the trees of the community's three files, by name."""

    def block(place: str) -> dict:
        own = {key.rsplit(".fuser.", 1)[1]: tensor for key, tensor in whole.items() if key.startswith(place)}
        return {"params": {}, "state": own}

    prefix = "position_net."
    return {
        "fusers.ckpt": {
            "input_blocks": {"1": block("input_blocks.1.1.")},
            "middle_block": {"1": block("middle_block.1.")},
        },
        "scaleu.ckpt": {str(n): {f"scaleu_{name}": whole[f"scaleu_{name}_{n}"] for name in "bs"} for n in range(2)},
        "position_net.ckpt": {
            key.removeprefix(prefix): tensor for key, tensor in whole.items() if key.startswith(prefix)
        },
    }


def saved(tree: object, **form: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save(tree, buffer, **form)
    return buffer.getvalue()


@cache
def sound_pickles() -> list[bytes]:
    """The pickles in those files, and a short one."""
    found = [
        zipfile.ZipFile(io.BytesIO(data)) for files in sound_files() for data in files.values() if data[:2] == b"PK"
    ]
    return [
        b"\x80\x02}q\x00K\x01h\x00s.",
        *(file.read(name) for file in found for name in file.namelist() if name.endswith("data.pkl")),
    ]


def archive(program: bytes) -> bytes:
    """torch's archive around a pickle, with one storage."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("archive/data.pkl", program)
        file.writestr("archive/data/0", b"\0" * 4096)
    return buffer.getvalue()


def legacy(program: bytes) -> bytes:
    """The form before torch 1.6, without storages."""
    head = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
    return b"".join(pickle.dumps(part, protocol=2) for part in head) + program + pickle.dumps([], protocol=2)


def changed_bytes(random: Random, data: bytes) -> bytes:
    """Some bytes overwritten, a piece cut out, doubled, or the end cut off."""
    for _ in range(random.randint(1, 5)):
        place, size = random.randrange(len(data) or 1), random.choice([1, 1, 2, 8, 100])
        new = random.choice([random.randbytes(size), b"\0" * size, b"\xff" * size, data[place : place + size] * 2, b""])
        data = data[:place] + new + data[place + (size if random.random() < 0.8 else 0) :]
    return data[: random.randrange(len(data) + 1)] if random.random() < 0.1 else data


def changed(random: Random, data: object) -> object:
    """JSON data with a value, a key or an entry of it exchanged."""
    if isinstance(data, dict) and data and random.random() < 0.9:
        key = random.choice(list(data))
        rest = {name: value for name, value in data.items() if name != key}
        how = random.random()
        if how < 0.1:
            return rest
        return {
            **rest,
            (random.choice(["", "x", "self", "__class__", key * 30]) if how < 0.2 else key): changed(random, data[key]),
        }
    if isinstance(data, list) and data and random.random() < 0.9:
        place = random.randrange(len(data))
        return [*data[:place], *([changed(random, data[place])] * random.choice([0, 1, 1, 1, 2])), *data[place + 1 :]]
    return random.choice(VALUES)
