"""Torch's files read without torch's loader: every value as torch reads it, and nothing that a hostile one asks for."""

from __future__ import annotations

import io
import os
import pickle
import pickletools
import struct
import tracemalloc
import zipfile
from collections import OrderedDict, defaultdict

import pytest
import torch

from roictrl_core import pickles, saved_tensors, torch_file
from roictrl_core.pickles import Damaged
from roictrl_core.saved_tensors import SavedTensor, Storage, read_contents, tensors_of
from roictrl_core.torch_file import TorchFile
from roictrl_core.weights_file import open_weights

SAVED = SavedTensor(Storage("0", torch.float32, 1), torch.float32, 0, (1,), (1,))
FORMS = {"zip": {}, "legacy": {"_use_new_zipfile_serialization": False}}


def tensors() -> dict[str, torch.Tensor]:
    """One of every kind."""
    torch.manual_seed(0)
    whole = torch.randn(6, 8)
    kinds = {
        str(dtype): torch.randn(2, 3).mul(9).to(dtype)
        for dtype in (
            torch.float32,
            torch.float64,
            torch.float16,
            torch.bfloat16,
            torch.int64,
            torch.int32,
            torch.int16,
            torch.int8,
            torch.uint8,
            torch.bool,
            torch.complex64,
        )
    }
    return {
        **kinds,
        "whole": whole,
        "shared": whole[2:4],
        "columns": whole[:, 2:5],
        "transposed": whole.T,
        "stepped": whole[::2, 1],
        "number": torch.tensor(2.5),
        "empty": torch.zeros(0, 4),
        "expanded": torch.tensor([7.0]).expand(3, 4),
        "parameter": torch.nn.Parameter(torch.ones(2)),
    }


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("form", FORMS)
def test_every_value_is_the_one_that_torch_reads(tmp_path, form, protocol):
    torch.save(
        {"state_dict": OrderedDict(tensors()), "epoch": 3}, tmp_path / "a.pt", pickle_protocol=protocol, **FORMS[form]
    )
    expected = torch.load(tmp_path / "a.pt", weights_only=False)[
        "state_dict"
    ]  # our own file; the safe loader knows protocol 2 alone
    file = TorchFile(tmp_path / "a.pt")
    assert (
        list(file.tensors) == [f"state_dict.{key}" for key in expected] and file.tree["epoch"] == 3 and not file.foreign
    )
    for key, tensor in expected.items():
        read = file.read(file.tensors[f"state_dict.{key}"])
        assert read.dtype == tensor.dtype and read.shape == tensor.shape and torch.equal(read, tensor), key


def test_types_without_a_storage_of_their_own(tmp_path):
    saved = {
        "small": torch.randn(3, 2).to(torch.float8_e4m3fn),
        "unsigned": torch.tensor([0, 1, 65535], dtype=torch.uint16),
    }
    torch.save(saved, tmp_path / "a.pt")
    file = TorchFile(tmp_path / "a.pt")
    for key, tensor in saved.items():
        read = file.read(file.tensors[key])
        assert read.dtype == tensor.dtype and torch.equal(read.view(torch.uint8), tensor.view(torch.uint8))


def test_a_module_of_a_script_is_read_around(tmp_path):
    """Of a whole training checkpoint the dictionaries of tensors count; what else is in it is named and left out."""
    torch.save(
        {
            "model": tensors(),
            "args": Settings(3),
            "scores": defaultdict(list, {"a": [1]}),
            "kinds": {1, 2},
            "when": (1, "x"),
        },
        tmp_path / "a.pt",
    )
    file = TorchFile(tmp_path / "a.pt")
    assert len(file.tensors) == len(tensors()) and [name.split(".")[-1] for name in file.foreign] == [
        "list",
        "Settings",
    ]


class Settings:
    def __init__(self, value: int) -> None:
        self.value = value


def test_pairs_as_python_2_wrote_them():
    text = b"ccollections\nOrderedDict\n((lp0\n(lp1\nS'a'\naI1\naa(lp2\nS'b'\naI2\naatR."
    assert read_contents(io.BytesIO(text)).tree == {"a": 1, "b": 2}


def test_only_what_is_asked_for_is_read(tmp_path):
    torch.save({"large": torch.zeros(1000, 1000), "wanted": torch.arange(3.0)}, tmp_path / "a.pt")
    whole = (tmp_path / "a.pt").read_bytes()
    start = whole.index(torch.arange(3.0).numpy().tobytes())
    with (tmp_path / "a.pt").open("rb+") as file:  # the large one's values are gone, and nobody notices
        file.seek(start - 3_000_000)
        file.write(b"\xff" * 1_000_000)
    file = TorchFile(tmp_path / "a.pt")
    assert file.read(file.tensors["wanted"]).tolist() == [0, 1, 2]


# ---- hostile ones --------------------------------------------------------------------------------------------------


def zipped(data: bytes, compression: int = zipfile.ZIP_STORED, **entries: bytes) -> bytes:
    """An archive as torch makes it around a pickle."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in {
            "data.pkl": data,
            "version": b"3\n",
            **{key.replace("__", "/"): value for key, value in entries.items()},
        }.items():
            archive.writestr(f"archive/{name}", content)
    return buffer.getvalue()


def legacy(data: bytes) -> bytes:
    parts = (
        torch_file.LEGACY,
        torch_file.PROTOCOL,
        {"protocol_version": 1001, "little_endian": True, "type_sizes": {}},
    )
    return b"".join(pickle.dumps(part, protocol=2) for part in parts) + data + pickle.dumps([], protocol=2)


def laughs(levels: int, opening: bytes = b"}", key: bytes = b"K%c") -> bytes:
    """Dictionaries of ten entries, all of them the dictionary beneath: 10 ** levels leaves in some hundred bytes."""
    text = b"\x80\x02}q\x00"
    for level in range(1, levels):
        text += (
            b"}q"
            + bytes([level])
            + b"("
            + b"".join(b"K" + bytes([n]) + b"h" + bytes([level - 1]) for n in range(10))
            + b"u"
        )
    return text + b"."


def calling(module: str, name: str, arguments: bytes = b")") -> bytes:
    return b"\x80\x02c" + f"{module}\n{name}\n".encode() + arguments + b"R."


DEEP = b"\x80\x02" + b"}K\x01" * 100_000 + b"}" + b"s" * 100_000 + b"."
ITSELF = b"\x80\x02}q\x00K\x01h\x00s."
COLLIDING = (
    b"\x80\x02}("
    + b"".join(b"\x8a\x12" + (n * (2**61 - 1)).to_bytes(18, "little") + b"N" for n in range(30_000))
    + b"u."
)
LONG = b"\x80\x02" + b"N0" * 600_000 + b"N."
STORAGE = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu%bt"
TENSOR = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(" + STORAGE + b"QK\x00%b%b\x89ccollections\nOrderedDict\n)RtR."
FEW = zipped(TENSOR % (b"K\x04", b"K\x04\x85", b"K\x01\x85"), data__0=b"\0" * 16)

HOSTILE = {
    "references to references": (laughs(9), "entries"),
    "a dictionary in itself": (ITSELF, "nested more than 32 deep"),
    "100,000 dictionaries in one another": (DEEP, "nested more than 32 deep"),
    "more steps than weights have": (LONG, "more than 1000000 steps"),
    "a call of os.system": (calling("os", "system", b"X\x02\x00\x00\x00id\x85"), "asks for os.system"),
    "a call of eval": (calling("builtins", "eval", b"X\x01\x00\x00\x001\x85"), "asks for builtins.eval"),
    "a call of eval by Python 2's name": (
        calling("__builtin__", "eval", b"X\x01\x00\x00\x001\x85"),
        r"asks for __builtin__.eval",
    ),
    "a loader inside": (calling("importlib._bootstrap", "_load"), "asks for importlib._bootstrap._load"),
    "a class without a name": (b"\x80\x04)\x8c\x00\x93.", "names a class that cannot be one"),
    "a class of ten thousand letters": (b"\x80\x02cx\n" + b"y" * 10_000 + b"\n.", "names a class that cannot be one"),
    "an extension's opcode": (b"\x80\x02\x82\x01.", "opcode EXT1"),
    "a storage that is a number": (b"\x80\x02K\x01Q.", "a tensor's storage otherwise than torch"),
    "a storage of a foreign type": (
        b"\x80\x02(" + STORAGE.replace(b"FloatStorage", b"OddStorage") % b"K\x01" + b"Q.",
        "a tensor's storage otherwise",
    ),
    "a tensor of nothing": (calling("torch._utils", "_rebuild_tensor_v2"), "describes a tensor otherwise"),
    "a tensor of a text": (
        calling("torch._utils", "_rebuild_tensor_v2", b"(X\x01\x00\x00\x00aK\x00))t"),
        "describes a tensor otherwise",
    ),
    "a tensor of negative size": (
        TENSOR % (b"K\x04", b"J\xff\xff\xff\xff\x85", b"K\x01\x85"),
        "describes a tensor otherwise",
    ),
    "a tensor of half a size": (
        TENSOR % (b"K\x04", b"G?\xe0\x00\x00\x00\x00\x00\x00\x85", b"K\x01\x85"),
        "describes a tensor otherwise",
    ),
    "a tensor without end": (
        TENSOR % (b"K\x04", b"J\xff\xff\xff\x7f\x85", b"K\x00\x85"),
        r"stand for tensors of 8\.6 GB",
    ),
    "a tensor across the file": (TENSOR % (b"J\xff\xff\xff\x7f", b"K\x02\x85", b"J\xff\xff\xff\x0f\x85"), "scattered"),
    "an empty stack": (b"\x80\x02.", "takes what is not there"),
    "no mark": (b"\x80\x02t.", "takes what is not there"),
    "what was never stored": (b"\x80\x02h\x07.", "takes what is not there"),
    "entries of nothing": (b"\x80\x02N(K\x01K\x02u", "breaks off"),
    "a number too large": (b"\x80\x02I" + b"9" * 5000 + b"\n.", "makes no sense"),
    "no UTF-8": (b"\x80\x02X\x01\x00\x00\x00\xff.", "makes no sense"),
    "text, where 'l' wants a mark": (b"hello", "takes what is not there"),
}


@pytest.mark.parametrize("wrap", [zipped, legacy], ids=["zip", "legacy"])
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_are_one_sentence(tmp_path, name, wrap):
    data, reason = HOSTILE[name]
    (tmp_path / "x.pt").write_bytes(wrap(data))
    with pytest.raises(
        ValueError,
        match=rf"^x\.pt is damaged or hostile \(.*{reason}.*\)\. Download it again, from where it was published\.$",
    ):
        open_weights(tmp_path / "x.pt")


@pytest.mark.parametrize(
    "data",
    [
        calling("builtins", "bytearray", b"\x8a\x06" + (10**14).to_bytes(6, "little") + b"\x85"),
        COLLIDING,
        b"\x80\x02(" + b"K\x01" * 10 + b"\x91.",
        b"\x80\x02cmodule\nClass\n)\x81}(K\x01K\x02ub.",
    ],
)
def test_what_would_cost_without_a_bound_is_left_out(tmp_path, data):
    """A bytearray of 100 TB, keys that all collide, sets, objects: placeholders, or nothing."""
    (tmp_path / "x.pt").write_bytes(zipped(data))
    assert TorchFile(tmp_path / "x.pt").tensors == {}


def test_a_list_given_to_many_calls_is_read_once():
    pairs = b"]q\x01(" + b"(K\x01K\x02t" * 20_000 + b"e0"
    calls = b"".join(b"h\x00h\x01\x85R0" for _ in range(20_000))
    contents = read_contents(
        io.BytesIO(b"\x80\x02ccollections\nOrderedDict\nq\x000" + pairs + calls + b"h\x00h\x01\x85R.")
    )
    assert contents.tree == {}


def cut_off() -> bytes:
    """The archive's list says that the last storage is longer than the file."""
    data = bytearray(
        zipped(TENSOR % (b"J\x00\x00\x01\x00", b"J\x00\x00\x01\x00\x85", b"K\x01\x85"), data__0=b"\0" * 16)
    )
    entry = data.rindex(b"archive/data/0") - 46
    data[entry + 20 : entry + 28] = struct.pack("<II", 4 * 65536, 4 * 65536)
    return bytes(data)


ARCHIVES = {
    "half of it": (FEW[: len(FEW) // 2], "its archive's list cannot be read"),
    "nothing but its beginning": (b"PK\x03\x04 and then nothing", "its archive's list cannot be read"),
    "a packed pickle": (zipped(b"\x80\x02X\x00\x00\x10\x00" + b"a" * 2**20 + b".", zipfile.ZIP_DEFLATED), "compressed"),
    "a pickle of 9 MB": (zipped(b"\x80\x02X\x00\x00\x90\x00" + b"a" * (9 * 2**20) + b"."), "over 8 MB"),
    "no pickle": (zipped(b"").replace(b"data.pkl", b"data.xyz"), "0 files data.pkl"),
    "two pickles": (zipped(b"N.", **{"more__data.pkl": b"N."}), "2 files data.pkl"),
    "another byte order": (zipped(b"N.", byteorder=b"big"), "byte order"),
    "a directory that points nowhere": (
        FEW.replace(b"PK\x03\x04", b"PK\x03\x05").replace(b"PK\x03\x05", b"PK\x03\x04", 1),
        "does not fit its entries",
    ),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_hostile_archives_are_one_sentence(tmp_path, name):
    data, reason = ARCHIVES[name]
    (tmp_path / "x.pt").write_bytes(data)
    with pytest.raises(ValueError, match=rf"^x\.pt is damaged or hostile \(.*{reason}.*\)\. Download it again"):
        file = TorchFile(tmp_path / "x.pt", "x.pt")
        [file.read(tensor) for tensor in file.tensors.values()]


VALUES = {
    "a missing storage": (zipped(TENSOR % (b"K\x04", b"K\x04\x85", b"K\x01\x85")), "a tensor's values are missing"),
    "a storage that is too short": (
        zipped(TENSOR % (b"K\x05", b"K\x05\x85", b"K\x01\x85"), data__0=b"\0" * 16),
        "a tensor's values lie past the end of their storage",
    ),
    "a storage that is cut off": (cut_off(), "it is cut off: a tensor's values lie past its end"),
}


@pytest.mark.parametrize("name", VALUES)
def test_values_that_are_not_there_are_missed_when_they_are_read(tmp_path, name):
    data, reason = VALUES[name]
    (tmp_path / "x.pt").write_bytes(data)
    file = open_weights(tmp_path / "x.pt")
    with pytest.raises(ValueError, match=rf"^x\.pt is damaged or hostile \({reason}\)\. Download it again"):
        file.tensors(["tensor"])


def test_a_list_of_an_archive_that_is_too_long_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(torch_file, "MAX_PART", 1000)
    with zipfile.ZipFile(tmp_path / "x.pt", "w") as archive:
        for number in range(30):
            archive.writestr(f"archive/data/{number}", b"")
    with pytest.raises(ValueError, match=r"x\.pt is damaged or hostile \(a part that should be short"):
        TorchFile(tmp_path / "x.pt", "x.pt")


def test_every_opcode_is_known_or_refused():
    used = {"EXT1", "EXT2", "EXT4", "PERSID", "NEXT_BUFFER", "READONLY_BUFFER"}
    assert {
        opcode.name for opcode in pickletools.opcodes
    } == pickles._ACTIONS.keys() | used and not used & pickles._ACTIONS.keys()


def test_entries_are_counted_as_often_as_they_are_reached(monkeypatch):
    monkeypatch.setattr(saved_tensors, "MAX_ENTRIES", 110)
    assert list(tensors_of(read_contents(io.BytesIO(laughs(3))).tree)) == []
    with pytest.raises(Damaged, match="more than 110 entries"):
        list(tensors_of(read_contents(io.BytesIO(laughs(4))).tree))


def nested(levels: int, key: str, inner: dict) -> dict:
    for _ in range(levels):
        inner = {key: inner}
    return inner


@pytest.mark.parametrize(
    "tree, sentence",
    [
        (nested(31, "k" * 512, dict.fromkeys(map(str, range(99_000)), SAVED)), "a name of 1024 characters"),
        (nested(1, "k", dict.fromkeys(map(str, range(99_000)), SAVED)), "more than 20000 tensors"),
        (nested(1, "k" * 500, dict.fromkeys(map(str, range(19_000)), SAVED)), "more than 2097152 characters together"),
        ({"a\n": SAVED}, "a name of 2 characters that cannot be one"),
    ],
    ids=["long", "many", "much", "unprintable"],
)
def test_names_are_bounded_while_they_are_made(tree, sentence):
    tracemalloc.start()
    try:
        with pytest.raises(Damaged, match=sentence):
            dict(tensors_of(tree))
        assert tracemalloc.get_traced_memory()[1] < 12 * 2**20
    finally:
        tracemalloc.stop()


def test_names_of_other_things_cost_nothing_to_speak_of():
    """Settings beside the weights may be nested as they like."""
    tree = {"settings": nested(20, "k" * 512, {"a": 1}), "weights": {"a": SAVED}}
    assert dict(tensors_of(tree)) == {"weights.a": SAVED}


def test_a_number_of_thousands_of_digits_is_said_without_pythons_advice(tmp_path):
    (tmp_path / "x.pt").write_bytes(b"L" + b"1" * 5000 + b"L\n.")
    with pytest.raises(
        ValueError, match=r"x\.pt is damaged or hostile \(its pickle .*: a number of thousands of digits\)"
    ):
        TorchFile(tmp_path / "x.pt", "x.pt")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path):
    (tmp_path / "x.pt").write_bytes(FEW)
    (tmp_path / "x.pt").chmod(0)
    with pytest.raises(ValueError, match=r"x\.pt cannot be read \(Permission denied\)"):
        open_weights(tmp_path / "x.pt")
