"""Training through ComfyUI's own UNet: it learns, leaves the base alone, and goes on to the bit."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from devtools import tiny_models, training_run
from devtools.training_run import new_run, random_cache, train


def bits(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def same(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_overfits_one_batch_and_leaves_the_base_alone(parts, model, cache):
    model.model.diffusion_model.out[2].weight.mul_(4)  # a random UNet's output is too faint to draw the target with
    plain = parts.batches.Augmentation(flip=0, box_dropout=0, caption_dropout=0, random_slots=False)
    run = new_run(parts, model, cache, steps=60, batch_size=1, rate=3e-3, gate_factor=1, augmentation=plain)
    given, used, begun = bits(model.model), bits(run.base.unet), bits(run.adapter)
    batch = next(b for step in range(12) for b in run.stream.step(step) if len(b.instances.pairs) == 3)
    run.stream.step = lambda step: iter([batch])
    losses = [float(report.losses[1]) for report in train(parts, run)]
    assert losses[-1] < 0.75 * losses[0]
    assert same(given, bits(model.model)) and same(used, bits(run.base.unet))
    trained = bits(run.adapter)
    gates = [name for name in trained if ".alpha_" in name]
    assert len(gates) == 21 and all(begun[name] == 0 and trained[name] != 0 for name in gates)
    assert not [name for name in trained if torch.equal(trained[name], begun[name])]


def test_resumed_equals_uninterrupted_to_the_bit(parts, model, cache, tmp_path):
    whole = new_run(parts, model, cache, dropout=0.2)
    reports = train(parts, whole)
    first = new_run(parts, model, cache, dropout=0.2)
    train(parts, first, stop=3)
    path = parts.checkpoints.save_checkpoint(tmp_path, 3, first.state, {})
    torch.manual_seed(99)
    second = new_run(parts, model, cache, dropout=0.2)
    start = parts.checkpoints.load_checkpoint(path, second.state)
    again = train(parts, second, start=start)
    assert start == 3 and [r.step for r in again] == [4, 5, 6]
    assert all(
        torch.equal(a.losses, b.losses) and torch.equal(a.norm, b.norm) for a, b in zip(reports[3:], again, strict=True)
    )
    assert same(whole.state.tensors(), second.state.tensors())


def gradients(parts, model, cache, **settings):
    run = new_run(parts, model, cache, **settings)
    run.adapter.load_state_dict(tiny_models.randomize(run.adapter, seed=4).state_dict())
    torch.manual_seed(1)
    losses = run.objective(next(run.stream.step(0)))
    losses.total.backward()
    return losses, {name: p.grad for name, p in run.adapter.named_parameters()}


def test_gradient_checkpointing_gives_the_same_gradients(parts, model, cache):
    plain, kept = gradients(parts, model, cache, dropout=0.2)
    recomputed, again = gradients(parts, model, cache, dropout=0.2, checkpointing=True)
    torch.testing.assert_close(recomputed, plain)
    torch.testing.assert_close(again, kept, rtol=1e-4, atol=1e-7)


def test_gradient_checkpointing_computes_the_layers_again(parts, model, cache):
    def calls(**settings) -> int:
        run, seen = new_run(parts, model, cache, **settings), []
        run.base.unet.middle_block[1].transformer_blocks[0].attn1.to_q.register_forward_hook(lambda *_: seen.append(1))
        run.objective(next(run.stream.step(0))).total.backward()
        return len(seen)

    assert calls(checkpointing=True) == 2 * calls() > 0


def test_mean_over_rows_is_the_sum_of_parts(parts, model, cache):
    """The loss of a batch is the mean of the losses of its pictures, so that processes and accumulation add up."""
    whole, _ = gradients(parts, model, cache, batch_size=4)
    run = new_run(parts, model, cache, batch_size=1, accumulation=4)
    run.adapter.load_state_dict(tiny_models.randomize(run.adapter, seed=4).state_dict())
    singles = [run.objective(batch) for batch in run.stream.step(0)]
    for part in range(3):
        torch.testing.assert_close(torch.stack([s[part] for s in singles]).mean(), whole[part], rtol=1e-5, atol=1e-6)


def test_a_batch_without_boxes_trains_what_still_acts(parts, model, cache):
    """Box tokens and the dense layers act without ROIs as well."""
    losses, found = gradients(parts, model, cache, augmentation=parts.batches.Augmentation(box_dropout=1))
    assert losses.regulariser == 0 and torch.isfinite(losses.total)
    assert found["position_net.null_position_feature"].abs().sum() > 0
    assert all(gradient is None or torch.isfinite(gradient).all() for gradient in found.values())


def test_bf16_autocast_keeps_the_adapter_in_fp32(parts, model, cache):
    run = new_run(parts, model, cache, precision="bf16", steps=2)
    reports = train(parts, run)
    assert all(torch.isfinite(r.losses).all() for r in reports)
    assert {p.dtype for p in run.adapter.parameters()} == {torch.float32}
    assert {p.dtype for p in run.base.unet.parameters()} == {torch.bfloat16}
    exact = train(parts, new_run(parts, model, cache, steps=2))
    torch.testing.assert_close(reports[0].losses, exact[0].losses, rtol=0.05, atol=0.01)


def test_sdxl_topology_trains(parts, tmp_path):
    small = {
        **tiny_models.SDXL,
        "num_res_blocks": [1, 1],
        "channel_mult": [1, 2],
        "transformer_depth": [0, 2],
        "transformer_depth_middle": 2,
        "transformer_depth_output": [0, 0, 2, 2],
    }
    model = tiny_models.patcher(tiny_models.sdxl_model(small))
    run = new_run(parts, model, random_cache(parts, tmp_path, width=64, pooled=64), steps=3)
    begun = bits(run.adapter)
    assert (
        len(run.adapter.config.blocks) == 8
    )  # two transformers each in one encoder, the middle and two decoder blocks
    reports = train(parts, run)
    assert all(torch.isfinite(r.losses).all() for r in reports) and not same(begun, bits(run.adapter))


def test_weights_of_inference_mode_are_trained_through(parts, cache):
    """Loader nodes make their weights in inference mode."""
    with torch.inference_mode():
        model = tiny_models.patcher(tiny_models.sd15_model(training_run.TINY))
        assert next(model.model.parameters()).is_inference()
        with torch.inference_mode(False):
            assert len(train(parts, new_run(parts, model, cache, steps=2))) == 2


@pytest.mark.parametrize("prediction", ["EPS", "V_PREDICTION"])
def test_schedule_is_the_models_own(parts, prediction):
    from comfy.model_base import ModelType, model_sampling

    kind = getattr(ModelType, prediction)
    made = tiny_models.sd15_model(training_run.TINY)
    made.model_sampling = model_sampling(made.model_config, kind)
    base = parts.base.TrainingBase.from_model(tiny_models.patcher(made), torch.float32, (64, 64))
    assert base.schedule.prediction == {"EPS": "eps", "V_PREDICTION": "v"}[prediction]
    latents, noise, timesteps = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8), torch.tensor([10, 900])
    sigma = made.model_sampling.sigmas[timesteps]
    noisy = made.model_sampling.calculate_input(sigma, latents + sigma.view(-1, 1, 1, 1) * noise)
    torch.testing.assert_close(base.schedule.add_noise(latents, noise, timesteps), noisy, rtol=1e-5, atol=1e-5)
    # A UNet that says exactly the target leads the sampler back to the latents.
    target = base.schedule.target(latents, noise, timesteps)
    denoised = made.model_sampling.calculate_denoised(sigma, target, latents + sigma.view(-1, 1, 1, 1) * noise)
    torch.testing.assert_close(denoised, latents, rtol=1e-3, atol=1e-3)


def test_what_cannot_be_trained_on_is_refused(parts):
    from comfy.model_base import ModelType, model_sampling

    flow = tiny_models.sd15_model(training_run.TINY)
    flow.model_sampling = model_sampling(flow.model_config, ModelType.FLOW)
    with pytest.raises(ValueError, match="noise .eps. and v-prediction"):
        parts.base.TrainingBase.from_model(tiny_models.patcher(flow), torch.float32, (64, 64))
    odd = tiny_models.sd15_model(training_run.TINY)
    odd.diffusion_model.out[2].weight = torch.nn.Parameter(
        odd.diffusion_model.out[2].weight.to(torch.float8_e4m3fn), requires_grad=False
    )
    with pytest.raises(ValueError, match="quantised .*float8"):
        parts.base.TrainingBase.from_model(tiny_models.patcher(odd), torch.float32, (64, 64))


def test_two_processes_follow_one(parts, model, cache, tmp_path, root):
    """Two gloo processes of 2 pictures, two forward passes each, against one process of 8."""
    out = tmp_path / "two.safetensors"
    environment = {
        **os.environ,
        "PYTHONPATH": str(root / "scripts"),
        "OMP_NUM_THREADS": "1",
        "GLOO_SOCKET_IFNAME": "lo",
    }
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "-m",
        "devtools.training_run",
        str(cache.folder),
        str(out),
    ]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr[-3000:]
    one = new_run(parts, model, cache, batch_size=8)
    losses = torch.stack([report.losses for report in train(parts, one)])
    two = load_file(out)
    torch.testing.assert_close(two.pop("losses"), losses, rtol=0, atol=1e-5)
    expected = one.state.tensors()
    for name in expected:
        if name.startswith(("adapter/", "average/")):
            torch.testing.assert_close(two[name], expected[name], rtol=0, atol=1e-5)
