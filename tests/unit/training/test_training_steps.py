"""Losses against literal formulas, learning rate, EMA, checkpoints."""

from __future__ import annotations

import gc
import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from roictrl_core.files import WriteError
from roictrl_core.training.checkpoints import (
    METADATA,
    RunState,
    check_checkpoint_room,
    latest_checkpoint,
    load_checkpoint,
    read_settings,
    save_checkpoint,
    what_is_left,
)
from roictrl_core.training.losses import global_weight_regulariser, prediction_loss
from roictrl_core.training.optimisation import (
    LearningRate,
    MovingAverage,
    make_optimizer,
    optimiser_step,
    set_learning_rate,
)
from roictrl_core.training.schedule import NoiseSchedule


def schedule(prediction):
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    cumulative = torch.cumprod(1 - betas, 0)
    return cumulative, NoiseSchedule.from_sigmas(((1 - cumulative) / cumulative).sqrt(), prediction)


@pytest.mark.parametrize("prediction", ["eps", "v"])
def test_schedule_and_loss_follow_the_formula(prediction):
    cumulative, plan = schedule(prediction)
    torch.manual_seed(0)
    latents, noise, output = torch.randn(3, 2, 4, 4, 4).unbind(0)[:3]
    timesteps = torch.tensor([0, 999])
    noisy, target = plan.add_noise(latents, noise, timesteps), plan.target(latents, noise, timesteps)
    expected = 0.0
    for b, t in enumerate(timesteps.tolist()):
        a, s = math.sqrt(cumulative[t]), math.sqrt(1 - cumulative[t])
        torch.testing.assert_close(noisy[b], a * latents[b] + s * noise[b], rtol=1e-5, atol=1e-6)
        truth = noise[b] if prediction == "eps" else a * noise[b] - s * latents[b]
        expected += float(((output[b] - truth) ** 2).sum())
    assert float(prediction_loss(output, target)) == pytest.approx(expected / output.numel(), rel=1e-5)


def test_unknown_prediction_is_refused():
    with pytest.raises(ValueError, match="eps and v"):
        NoiseSchedule(torch.ones(2), torch.ones(2), "flow")


def test_regulariser_follows_the_formula():
    torch.manual_seed(0)
    weights = [torch.rand(3, 16), torch.rand(3, 4)]
    masks = [torch.rand(3, 16) > 0.5, torch.rand(3, 4) > 0.5]
    masks[1][2] = False
    expected = []
    for weight, mask in zip(weights, masks, strict=True):
        rows = [weight[b][mask[b]].mean().item() if mask[b].any() else 0.0 for b in range(3)]
        expected.append(sum(rows) / 3)
    value = float(global_weight_regulariser(list(zip(weights, masks, strict=True))))
    assert value == pytest.approx(sum(expected) / 2, rel=1e-6)
    parts = [
        float(global_weight_regulariser([(w[b : b + 1], m[b : b + 1]) for w, m in zip(weights, masks, strict=True)]))
        for b in range(3)
    ]
    assert value == pytest.approx(sum(parts) / 3, rel=1e-6)


def test_regulariser_without_fusers_is_an_error():
    with pytest.raises(ValueError, match="without the adapter"):
        global_weight_regulariser([])


def test_learning_rate():
    rate = LearningRate(2.0, steps=100, warmup=4, decay_from=0.5, floor=0.1)
    assert rate.factor(0) == 0.2 and rate.factor(3) == 0.8 and rate.factor(4) == rate.factor(49) == 1
    assert rate.factor(75) == pytest.approx(0.55) and rate.factor(100) == rate.factor(200) == pytest.approx(0.1)
    assert LearningRate(1.0, 100).factor(99) == 1


class Toy(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.layer = torch.nn.Linear(3, 3)
        self.alpha_dense = torch.nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return x + torch.tanh(self.alpha_dense) * self.layer(x)


def toy_state(average=True):
    toy = Toy()
    rate = LearningRate(1e-2, 20, warmup=2, decay_from=0.5)
    state = RunState(
        toy,
        make_optimizer(toy, rate, gate_factor=5),
        torch.amp.GradScaler("cpu", enabled=False),
        MovingAverage(toy, 0.9) if average else None,
    )
    return state, rate


def advance(state, rate, steps):
    for step in steps:
        set_learning_rate(state.optimizer, rate, step)
        x = torch.randn(8, 3, generator=torch.Generator().manual_seed(step))
        losses = [lambda x=x: (((state.adapter(x) - 2 * x) ** 2).mean(),)]
        optimiser_step(losses, 1, state.optimizer, state.scaler, 1.0)
        state.average.update(step)


def everything(state):
    return {**state.tensors()}


def test_gates_have_their_own_rate_and_no_decay():
    state, rate = toy_state()
    set_learning_rate(state.optimizer, rate, 5)
    groups = {id(p): group for group in state.optimizer.param_groups for p in group["params"]}
    gate, matrix = groups[id(state.adapter.alpha_dense)], groups[id(state.adapter.layer.weight)]
    assert gate["lr"] == pytest.approx(5 * matrix["lr"]) and gate["weight_decay"] == 0 < matrix["weight_decay"]


def test_accumulation_equals_one_batch():
    x = torch.randn(8, 3)
    results = []
    for parts in (x[None], x.view(4, 2, 3)):
        state, _ = toy_state()
        state.adapter.alpha_dense.data.fill_(0.5)
        adapter = state.adapter
        losses = [
            lambda part=part, adapter=adapter: (((adapter(part) - 2 * part) ** 2).mean(), part.mean()) for part in parts
        ]
        means, _ = optimiser_step(losses, len(parts), state.optimizer, state.scaler, 1e9)
        results.append((means, [p.grad for p in state.adapter.parameters()]))
    torch.testing.assert_close(results[0], results[1])


def test_moving_average_follows_the_formula():
    toy, decay = Toy(), 0.9
    average, expected = MovingAverage(toy, decay), toy.layer.weight.detach().clone()
    for step in range(30):
        toy.layer.weight.data.add_(0.1)
        average.update(step)
        keep = min(decay, (1 + step) / (10 + step))
        expected = keep * expected + (1 - keep) * toy.layer.weight.detach()
    torch.testing.assert_close(average.shadow["layer.weight"], expected)


def test_resumed_equals_uninterrupted_to_the_bit(tmp_path):
    whole, rate = toy_state()
    advance(whole, rate, range(20))
    first, rate = toy_state()
    advance(first, rate, range(9))
    save_checkpoint(tmp_path, 9, first, {"seed": 1})
    second, rate = toy_state()
    second.adapter.layer.weight.data.zero_()
    path = latest_checkpoint(tmp_path)
    assert read_settings(path) == (9, {"seed": 1})
    advance(second, rate, range(load_checkpoint(path, second), 20))
    a, b = everything(whole), everything(second)
    assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_old_checkpoints_go_only_after_the_new_one_is_there(tmp_path):
    state, rate = toy_state()
    advance(state, rate, range(1))
    for step in (1, 2, 3):
        save_checkpoint(tmp_path, step, state, {}, keep=2)
    assert [f.name for f in sorted(tmp_path.iterdir())] == [
        "checkpoint-00000002.safetensors",
        "checkpoint-00000003.safetensors",
    ]


KILLED_WRITER = """
import os, pathlib, sys
sys.path.insert(0, {scripts!r})
from devtools.pack import register_core
register_core()
from roictrl_core.files import write_atomically
def write(file):
    file.write_bytes(b"half")
    print("writing", flush=True)
    sys.stdin.read()
write_atomically(pathlib.Path({target!r}), write)
"""


def test_kill_during_save_leaves_the_old_checkpoint(tmp_path, root):
    state, rate = toy_state()
    advance(state, rate, range(2))
    path = save_checkpoint(tmp_path, 2, state, {})
    old = path.read_bytes()
    code = KILLED_WRITER.format(scripts=str(root / "scripts"), target=str(path))
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().strip() == "writing"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert path.read_bytes() == old and latest_checkpoint(tmp_path) == path
    assert len(list(tmp_path.iterdir())) == 2  # the old one, and half a file that nobody takes for one
    save_checkpoint(tmp_path, 3, state, {})
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux's list of mapped files")
def test_a_loaded_checkpoint_is_not_held_on_the_disk(tmp_path):
    """A resumed run deletes it: its room must be free for the next one."""
    state, rate = toy_state()
    advance(state, rate, range(1))
    path = save_checkpoint(tmp_path, 1, state, {})
    again, _ = toy_state()
    load_checkpoint(path, again)
    gc.collect()
    assert str(path) not in Path("/proc/self/maps").read_text()
    assert len(again.optimizer.state) == 3


def test_checkpoints_that_will_not_fit_are_known_before_the_first_step(tmp_path, monkeypatch):
    """13 weights of 4 bytes: 208 a checkpoint with two moments and the average, and the adapter."""
    state, rate = toy_state()

    def fits(free, saves, keep):
        monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=free))
        try:
            check_checkpoint_room(tmp_path / "adapter.safetensors", state, saves, keep)
        except ValueError as error:
            assert (
                f"{tmp_path} has 0.0 MB left on its disk; the run (checkpoints of 0.0 MB, {keep} of them kept) needs"
                in str(error)
            )
            return False
        return True

    for saves, keep, needed in ((1, 2, 208), (2, 2, 2 * 208), (9, 2, 3 * 208), (9, 1, 2 * 208)):
        assert fits(needed + 52, saves, keep) and not fits(needed + 51, saves, keep)
    (tmp_path / "adapter.safetensors").write_bytes(b"x" * 52)
    (tmp_path / "checkpoint-00000001.safetensors").write_bytes(b"x" * 208)
    assert fits(2 * 208, 9, 2) and not fits(2 * 208 - 1, 9, 2)


def test_a_failed_save_keeps_the_last_checkpoint_and_says_what_is_left(tmp_path):
    state, rate = toy_state()
    advance(state, rate, range(1))
    assert what_is_left(tmp_path) == f"{tmp_path} holds no checkpoint yet: the run must begin anew"
    path = save_checkpoint(tmp_path, 1, state, {}, keep=1)
    (tmp_path / "checkpoint-00000002.safetensors").mkdir()  # the rename fails, as late as it can
    with pytest.raises(WriteError, match="checkpoint-00000002.safetensors cannot be written"):
        save_checkpoint(tmp_path, 2, state, {}, keep=1)
    (tmp_path / "checkpoint-00000002.safetensors").rmdir()
    assert list(tmp_path.iterdir()) == [path] and load_checkpoint(path, toy_state()[0]) == 1
    assert what_is_left(tmp_path) == f"{path} is kept: mend this, then start the same command again to go on from it"


def test_foreign_files_are_refused(tmp_path):
    state, _ = toy_state()
    save_file(state.adapter.state_dict(), tmp_path / "adapter.safetensors")
    with pytest.raises(ValueError, match="no checkpoint of a training run"):
        load_checkpoint(tmp_path / "adapter.safetensors", state)
    (tmp_path / "torn.safetensors").write_bytes(b"12")
    with pytest.raises(ValueError, match="torn.safetensors cannot be read"):
        load_checkpoint(tmp_path / "torn.safetensors", state)
    without, _ = toy_state(average=False)
    path = save_checkpoint(tmp_path, 1, without, {})
    with pytest.raises(ValueError, match="it lacks .* for example average/"):
        load_checkpoint(path, state)


@pytest.mark.parametrize(
    "damage, sentence",
    [
        ("cut", "cannot be read as a checkpoint"),
        ("empty", "cannot be read as a checkpoint"),
        ("a folder", "cannot be read as a checkpoint"),
        ("about", "what it says about its run cannot be read"),
        ("step", "what it says about its run cannot be read"),
        ("scaler", "what it says about its run cannot be read"),
        ("shape", "adapter/layer.bias has the shape .4. instead of .3."),
        ("nan", "holds values that are not numbers, in adapter/alpha_dense"),
        ("optimizer", "optimiser state cannot be read"),
    ],
)
def test_damaged_checkpoints_are_said_with_the_one_before(tmp_path, damage, sentence):
    state, rate = toy_state()
    advance(state, rate, range(1))
    for step in (1, 2):
        save_checkpoint(tmp_path, step, state, {"seed": 1})
    path, tensors = latest_checkpoint(tmp_path), state.tensors()
    about = {"step": 2, "settings": {}, "scaler": {}}
    if damage in ("cut", "empty"):
        path.write_bytes(path.read_bytes()[:300] if damage == "cut" else b"")
    elif damage == "a folder":
        path.unlink()
        path.mkdir()
    else:
        tensors |= {
            "shape": {"adapter/layer.bias": torch.zeros(4)},
            "nan": {"adapter/alpha_dense": torch.tensor(math.nan)},
        }.get(damage, {})
        if damage == "optimizer":
            tensors = {
                name: tensor for name, tensor in tensors.items() if not name.startswith("optimizer/layer.weight/step")
            }
        about |= {"step": {"step": "2"}, "scaler": {"scaler": None}, "about": {"settings": 3}}.get(damage, {})
        save_file(tensors, path, {METADATA: "{" if damage == "cut" else json.dumps(about)})
    with pytest.raises(ValueError, match=f"checkpoint-00000002.safetensors .*{sentence}") as refused:
        load_checkpoint(path, toy_state()[0])
    assert "go on from checkpoint-00000001.safetensors" in str(refused.value) or damage == "shape"


def test_a_users_own_files_are_no_checkpoints(tmp_path):
    """checkpoint-best would be the newest by its name: it was gone on from, and real ones were deleted in its place."""
    state, rate = toy_state()
    advance(state, rate, range(1))
    (tmp_path / "checkpoint-best.safetensors").write_bytes(b"mine")
    for step in (1, 2, 3):
        save_checkpoint(tmp_path, step, state, {}, keep=1)
    assert latest_checkpoint(tmp_path).name == "checkpoint-00000003.safetensors"
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "checkpoint-00000003.safetensors",
        "checkpoint-best.safetensors",
    ]
