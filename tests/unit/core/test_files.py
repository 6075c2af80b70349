"""Writing: a failure leaves what was there, says why in a sentence, and most are found before the work is done."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from roictrl_core.files import WriteError, check_room, check_writable, remove_partials, write_atomically

resource = pytest.importorskip("resource")


@contextmanager
def full_disk(left: int = 4096):
    """No file may grow beyond `left` bytes: the system refuses the write as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (left, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def tensors(path):
    save_file({"x": torch.zeros(100_000)}, path)


def text(path):
    path.write_text("x" * 100_000)


def picture(path):
    Image.effect_noise((400, 400), 90).save(path, "png")


@pytest.mark.parametrize("write", [tensors, text, picture])
@pytest.mark.parametrize("old", [None, b"old"])
def test_a_full_disk_is_a_sentence_and_leaves_the_old_file(tmp_path, write, old):
    path = tmp_path / "weights.safetensors"
    if old:
        path.write_bytes(old)
    with full_disk(), pytest.raises(WriteError) as error:
        write_atomically(path, write)
    assert str(error.value) == f"{path} cannot be written: File too large"
    assert (path.read_bytes() if path.exists() else None) == old and len(list(tmp_path.iterdir())) == bool(old)


def test_failed_write_leaves_nothing(tmp_path):
    def write(file):
        file.write_bytes(b"half")
        raise KeyError("not a matter of files")

    with pytest.raises(KeyError):
        write_atomically(tmp_path / "x", write)
    assert not list(tmp_path.iterdir())


def test_a_written_file_is_as_readable_as_any_new_file(tmp_path):
    (tmp_path / "plain").touch()
    write_atomically(tmp_path / "weights.safetensors", tensors)
    assert (tmp_path / "weights.safetensors").stat().st_mode == (tmp_path / "plain").stat().st_mode


def places(tmp_path: Path) -> dict[str, tuple[Path, str]]:
    """Where nothing can be written, and why."""
    (tmp_path / "file").write_text("mine")
    (tmp_path / "taken").mkdir()
    return {
        "long name": (tmp_path / ("x" * 250), "File name too long"),
        "folder": (tmp_path / "taken", "a folder of that name is there|Is a directory"),
        "in a file": (tmp_path / "file" / "a" / "b", f"{tmp_path}/file is a file|Not a directory"),
        "file for a folder": (tmp_path / "file" / "a", f"{tmp_path}/file is a file|Not a directory"),
    }


@pytest.mark.parametrize("kind", ["long name", "folder", "in a file", "file for a folder"])
def test_what_cannot_be_written_is_known_before(tmp_path, kind):
    path, sentence = places(tmp_path)[kind]
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(WriteError, match=f"cannot be (written|a folder): .*({sentence})"):
        check_writable(path)
    with pytest.raises(WriteError, match=f"cannot be written: .*({sentence})"):
        write_atomically(path, text)
    assert sorted(tmp_path.rglob("*")) == before and (tmp_path / "file").read_text() == "mine"


def test_what_can_be_written_is_left_as_it_is(tmp_path):
    (tmp_path / "a").write_text("mine")
    check_writable(tmp_path / "a")
    check_writable(tmp_path / "new" / "folder" / "b")
    assert (
        (tmp_path / "a").read_text() == "mine"
        and (tmp_path / "new" / "folder").is_dir()
        and not (tmp_path / "new" / "folder" / "b").exists()
    )


def test_read_only_folders_are_known_before(tmp_path):
    tmp_path.chmod(stat.S_IREAD | stat.S_IEXEC)
    try:
        if os.access(tmp_path, os.W_OK):
            pytest.skip("this user may write everywhere")
        with pytest.raises(WriteError, match="Permission denied"):
            check_writable(tmp_path / "a")
    finally:
        tmp_path.chmod(stat.S_IRWXU)


def test_room_is_known_before(tmp_path):
    check_room(tmp_path, 1, "a byte")
    with pytest.raises(WriteError, match=r"has .* left on its disk; the run needs 1000000000\.0 GB\. Make room"):
        check_room(tmp_path, 1e18, "the run")


def test_what_killed_writers_leave_is_removed_and_nothing_else(tmp_path):
    """safetensors writes beside the file that it is given, under a name of its own."""
    for name in ("a.safetensors.12.partial", ".tmpLZkis5", "mine.tmp", ".tmp", ".tmp-mine", "tmpLZkis5"):
        (tmp_path / name).write_text("x")
    remove_partials(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [".tmp", ".tmp-mine", "mine.tmp", "tmpLZkis5"]
