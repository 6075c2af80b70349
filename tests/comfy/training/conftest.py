"""A base of 7 small text blocks, a cache of random latents, and one way to train on them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from devtools import tiny_models, training_run


@pytest.fixture(scope="session")
def parts(pack) -> SimpleNamespace:
    """The trainer's modules, as the nodes see them."""
    return training_run.modules(pack.module)


@pytest.fixture
def model():
    """A ModelPatcher around a fresh random UNet, equal every time."""
    return tiny_models.patcher(tiny_models.sd15_model(training_run.TINY))


@pytest.fixture(scope="session")
def cache(parts, tmp_path_factory):
    return training_run.random_cache(parts, tmp_path_factory.mktemp("cache"))
