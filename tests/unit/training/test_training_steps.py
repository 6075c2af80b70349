"""Losses against literal formulas, learning rate, EMA, checkpoints, logs."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys

import pytest
import torch
from roictrl_core.training.checkpoints import RunState, latest_checkpoint, load_checkpoint, read_settings, save_checkpoint
from roictrl_core.files import write_atomically
from roictrl_core.training.logbook import CsvLog, Progress, RunLog, loss_curve
from roictrl_core.training.loop import Report
from roictrl_core.training.losses import global_weight_regulariser, prediction_loss
from roictrl_core.training.optimisation import LearningRate, MovingAverage, make_optimizer, optimiser_step, set_learning_rate
from roictrl_core.training.schedule import NoiseSchedule
from safetensors.torch import save_file


def schedule(prediction):
    betas = torch.linspace(0.00085 ** 0.5, 0.012 ** 0.5, 1000, dtype=torch.float64) ** 2
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
    for weight, mask in zip(weights, masks):
        rows = [weight[b][mask[b]].mean().item() if mask[b].any() else 0.0 for b in range(3)]
        expected.append(sum(rows) / 3)
    value = float(global_weight_regulariser(list(zip(weights, masks))))
    assert value == pytest.approx(sum(expected) / 2, rel=1e-6)
    parts = [float(global_weight_regulariser([(w[b:b + 1], m[b:b + 1]) for w, m in zip(weights, masks)])) for b in range(3)]
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
    state = RunState(toy, make_optimizer(toy, rate, gate_factor=5), torch.amp.GradScaler("cpu", enabled=False),
                     MovingAverage(toy, 0.9) if average else None)
    return state, rate


def advance(state, rate, steps):
    for step in steps:
        set_learning_rate(state.optimizer, rate, step)
        x = torch.randn(8, 3, generator=torch.Generator().manual_seed(step))
        optimiser_step([lambda: (((state.adapter(x) - 2 * x) ** 2).mean(),)], 1, state.optimizer, state.scaler, 1.0)
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
        losses = [lambda part=part: (((state.adapter(part) - 2 * part) ** 2).mean(), part.mean()) for part in parts]
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
    assert [f.name for f in sorted(tmp_path.iterdir())] == ["checkpoint-00000002.safetensors", "checkpoint-00000003.safetensors"]


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


def test_failed_write_leaves_nothing(tmp_path):
    def write(file):
        file.write_bytes(b"half")
        raise OSError("disk full")
    with pytest.raises(OSError, match="disk full"):
        write_atomically(tmp_path / "x", write)
    assert not list(tmp_path.iterdir())


def test_a_written_file_is_as_readable_as_any_new_file(tmp_path):
    (tmp_path / "plain").touch()
    write_atomically(tmp_path / "weights.safetensors", lambda path: save_file({"x": torch.zeros(1)}, path))
    assert (tmp_path / "weights.safetensors").stat().st_mode == (tmp_path / "plain").stat().st_mode


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


def logged(log, step, loss=0.5):
    log.append(step=step, loss=loss, prediction_loss=loss, regulariser=0.1, gradient_norm=1.0, learning_rate=1e-3, images_per_second=2.0)


def test_log_of_a_resumed_run_has_every_step_once(tmp_path):
    log = CsvLog(tmp_path / "log.csv", 0)
    for step in (1, 2, 3, 4):
        logged(log, step)
    with (tmp_path / "log.csv").open("a") as file:
        file.write("5,0.")  # killed while writing
    log = CsvLog(tmp_path / "log.csv", 2)
    logged(log, 3, 0.25)
    assert log.history == [(1, 0.5), (2, 0.5), (3, 0.25)]
    assert [line.split(",")[0] for line in (tmp_path / "log.csv").read_text().split()] == ["step", "1", "2", "3"]


def test_loss_curve_shows_the_values():
    falling = loss_curve([(step, math.exp(-step / 50)) for step in range(1, 200)])
    rising = loss_curve([(step, math.exp(step / 50)) for step in range(1, 200)])

    def height(picture, x):
        column = [picture.getpixel((x, y)) for y in range(picture.height)]
        return [y for y, (red, _, blue) in enumerate(column) if blue - red > 90][0]
    assert height(falling, 80) < height(falling, 500) and height(rising, 80) > height(rising, 500)
    for history in ([], [(1, float("nan"))], [(1, 2.0)], [(1, 2.0), (2, 2.0)]):
        assert loss_curve(history).size == (640, 360)


def test_progress_line():
    line = Progress(10, 100, 4).line(20, 0.5, 0.4, 0.1, 26.12, 3725)
    assert line == "step 20/100  loss 0.50000 (prediction 0.40000, regulariser 0.1000)  26.1 images/s  1:02:05 left"


def test_run_log_writes_means_over_all_processes(tmp_path):
    log = RunLog(tmp_path / "log.csv", Progress(0, 5, 4), 2, lambda means: means / 2)
    lines = [log.add(Report(step, torch.tensor([2.0 * step, 1.0, 0.5]), torch.tensor(3.0), 1e-3)) for step in (1, 2, 3, 4, 5)]
    assert [bool(line) for line in lines] == [False, True, False, True, True]
    assert log.rows.history == [(2, 1.5), (4, 3.5), (5, 5.0)]
    assert lines[1].startswith("step 2/5  loss 1.50000 (prediction 0.50000, regulariser 0.2500)")
    with pytest.raises(ValueError, match="not a number at step 6"):
        RunLog(None, Progress(5, 6, 4), 2).add(Report(6, torch.full((3,), math.nan), torch.tensor(3.0), 1e-3))
