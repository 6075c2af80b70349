"""What a run tells about itself, and what it makes of a log that is damaged or cannot be written."""

from __future__ import annotations

import math

import pytest
import torch

from roictrl_core.training.logbook import CsvLog, Progress, RunLog, loss_curve
from roictrl_core.training.loop import Report


def logged(log, step, loss=0.5):
    log.append(
        step=step,
        loss=loss,
        prediction_loss=loss,
        regulariser=0.1,
        gradient_norm=1.0,
        learning_rate=1e-3,
        images_per_second=2.0,
    )


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


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"\xff\xfe\x00", b"a folder"])
def test_a_file_that_is_no_log_is_left_alone(tmp_path, content):
    path = tmp_path / "log.csv"
    path.mkdir() if content == b"a folder" else path.write_bytes(content)
    with pytest.raises(ValueError, match="log.csv is not the log of a training run: move it away"):
        CsvLog(path, 0)
    assert path.is_dir() or path.read_bytes() == content


def test_damaged_rows_of_a_log_are_dropped(tmp_path):
    log = CsvLog(tmp_path / "log.csv", 0)
    logged(log, 1)
    with (tmp_path / "log.csv").open("a") as file:
        file.write("2,x,0,0,0,0,0\n3,0.5,0,0,0,0,0,0,0\nsix,1,1,1,1,1,1\n4,0.5,0.5,0.1,1,0.001,2\n5,,,,,,\n")
    assert CsvLog(tmp_path / "log.csv", 9).history == [(1, 0.5), (4, 0.5)]


def test_a_log_that_cannot_be_written_does_not_end_the_run(tmp_path):
    log = RunLog(tmp_path / "log.csv", Progress(0, 5, 4), 1)
    (tmp_path / "log.csv").unlink()
    (tmp_path / "log.csv").mkdir()  # as a full disk, or a spreadsheet that holds the file
    line = log.add(Report(1, torch.ones(3), torch.tensor(3.0), 1e-3))
    assert (
        line.startswith("step 1/5 ")
        and "\nwarning: " in line
        and "log.csv cannot be written (Is a directory); the run goes on" in line
    )
    assert log.rows.history == [(1, 1.0)]


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
    lines = [
        log.add(Report(step, torch.tensor([2.0 * step, 1.0, 0.5]), torch.tensor(3.0), 1e-3)) for step in (1, 2, 3, 4, 5)
    ]
    assert [bool(line) for line in lines] == [False, True, False, True, True]
    assert log.rows.history == [(2, 1.5), (4, 3.5), (5, 5.0)]
    assert lines[1].startswith("step 2/5  loss 1.50000 (prediction 0.50000, regulariser 0.2500)")
    with pytest.raises(ValueError, match="not a number at step 6"):
        RunLog(None, Progress(5, 6, 4), 2).add(Report(6, torch.full((3,), math.nan), torch.tensor(3.0), 1e-3))
