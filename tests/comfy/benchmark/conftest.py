"""A demo model of random weights with a random adapter and a training cache, for the benchmark to run on."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from devtools.random_demo import write_adapter, write_cache, write_demo


@pytest.fixture(scope="session")
def random_demo(pack, tmp_path_factory) -> SimpleNamespace:
    """folder with the whole demo model, and the training cache."""
    folder = write_demo(tmp_path_factory.mktemp("demo"))
    write_adapter(folder / "adapter.safetensors")
    demo = pack.module("nodes.demo_model.files").load_demo(folder)
    return SimpleNamespace(folder=folder, cache=write_cache(tmp_path_factory.mktemp("cache"), demo.clip), parts=demo)


@pytest.fixture
def places(random_demo, tmp_path):
    from benchmark.places import Places

    return Places(
        random_demo.folder, random_demo.folder / "adapter.safetensors", tmp_path / "trained", tmp_path / "results"
    )
