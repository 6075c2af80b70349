"""The peers of the mode without training, made anew: regions read their captions, and nothing else changes."""

from __future__ import annotations

import comfy.sample
import pytest
import torch

from devtools import tiny_models

SIZE = 128  # px: 16 cells


@pytest.fixture(scope="module")
def model(pack):
    return tiny_models.patcher(tiny_models.sd15_model())


@pytest.fixture(scope="module")
def text():
    return lambda seed: torch.randn(1, 77, 64, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def drawn(text):
    def run(model, batch=1, prompt=5):
        latent = torch.zeros(batch, 4, SIZE // 8, SIZE // 8)
        prompts = ([[text(seed), {}]] for seed in (prompt, 6))
        noise = comfy.sample.prepare_noise(latent, 1)
        with torch.inference_mode():
            return comfy.sample.sample(model, noise, 2, 3.0, "euler", "normal", *prompts, latent, disable_pbar=True)

    return run


def halves() -> torch.Tensor:
    masks = torch.zeros(2, SIZE, SIZE)
    masks[0, :, : SIZE // 2] = 1
    masks[1, : SIZE // 2] = 1
    return masks


@pytest.mark.parametrize("ratio", [0.0, 0.2])
def test_every_token_reads_as_much_as_before(pack, ratio):
    from benchmark.peers import region_weights

    base, left, top = region_weights(halves(), 8, ratio).view(3, 8, 8)
    assert torch.allclose(base + left + top, torch.ones(8, 8))
    assert (base[4:, 4:] == 1).all() and torch.allclose(base[:4], torch.tensor(ratio))
    assert torch.allclose(left[0, 0], top[0, 0]) and left[0, 0] > 0


def test_regions_that_read_the_prompt_change_nothing(model, text, drawn):
    from benchmark.peers import coupled

    same = coupled(model, [text(5), text(5)], halves(), 0.2)
    assert torch.allclose(drawn(same, 2), drawn(model, 2), atol=1e-4)


def test_a_region_of_everything_is_its_caption(model, text, drawn):
    from benchmark.peers import coupled

    whole = coupled(model, [text(7)], torch.ones(1, SIZE, SIZE), 0.0)
    assert torch.allclose(drawn(whole), drawn(model, prompt=7), atol=1e-4)
    mixed = drawn(coupled(model, [text(7)], torch.ones(1, SIZE, SIZE), 0.5))
    assert not torch.allclose(mixed, drawn(whole), atol=1e-2) and not torch.allclose(mixed, drawn(model), atol=1e-2)
