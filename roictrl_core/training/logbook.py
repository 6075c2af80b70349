"""What a run tells about itself: a CSV log, the loss curve, lines of progress."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ..files import write_atomically
from .loop import Report

COLUMNS = ("step", "loss", "prediction_loss", "regulariser", "gradient_norm", "learning_rate", "images_per_second")
OVERSAMPLING = 2  # the curve is drawn this much larger and scaled down, which smooths its edges


class CsvLog:
    """One row per logged step. Opened at step n it drops the rows after n, which a resumed run writes anew."""

    def __init__(self, path: str | Path, start: int) -> None:
        self.path = Path(path)
        rows = [row for row in self._read() if int(row["step"]) <= start] if self.path.exists() else []
        write_atomically(self.path, lambda file: self._write(file, rows))
        self.history = [(int(row["step"]), float(row["loss"])) for row in rows]

    def append(self, **values: float) -> None:
        """Raises OSError where the row cannot be written; the history has it all the same."""
        self.history.append((values["step"], values["loss"]))
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, COLUMNS).writerow(
                {k: v if isinstance(v, int) else f"{v:.7g}" for k, v in values.items()}
            )

    def _read(self) -> list[dict[str, str]]:
        """The complete rows: a kill may have cut the last one short. Raises ValueError for what is no log of a run."""
        try:
            with self.path.open(newline="") as file:
                reader = csv.DictReader(file)
                rows = [row for row in reader if _is_complete(row)]
                if reader.fieldnames is None or tuple(reader.fieldnames) == COLUMNS:
                    return rows
        except (OSError, ValueError, csv.Error):
            pass
        raise ValueError(f"{self.path} is not the log of a training run: move it away, or choose another folder")

    @staticmethod
    def _write(path: Path, rows: list[dict[str, str]]) -> None:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)


def _is_complete(row: dict[str, str]) -> bool:
    try:
        return (
            None not in row.values()
            and int(row["step"]) >= 0
            and len([float(row[name]) for name in COLUMNS]) == len(row)
        )
    except (KeyError, ValueError, TypeError):
        return False


class Progress:
    """Speed over the steps since the last report, and the time that the rest will take at this run's mean speed."""

    def __init__(self, start: int, steps: int, images_per_step: int) -> None:
        self.first, self.steps, self.images = start, steps, images_per_step
        self.last, self.began = start, time.monotonic()
        self.since = self.began

    def report(self, done: int) -> tuple[float, float]:
        """done: optimiser steps of the whole run. Returns (images per second, seconds left)."""
        now = time.monotonic()
        speed = (done - self.last) * self.images / max(now - self.since, 1e-9)
        left = (self.steps - done) * (now - self.began) / max(done - self.first, 1)
        self.last, self.since = done, now
        return speed, left

    def line(self, done: int, loss: float, prediction: float, regulariser: float, speed: float, left: float) -> str:
        hours, seconds = divmod(int(left), 3600)
        return (
            f"step {done}/{self.steps}  loss {loss:.5f} (prediction {prediction:.5f}, regulariser {regulariser:.4f})  "
            f"{speed:.1f} images/s  {hours}:{seconds // 60:02d}:{seconds % 60:02d} left"
        )


class RunLog:
    """What a run writes as it goes: a row of the CSV log and a line to print, every `every`
    steps and after the last one.

    path: of the CSV log; None: lines alone.  progress: of the same run.
    gather: [3] means of this process -> those of all, where several share the run.
    """

    def __init__(
        self,
        path: str | Path | None,
        progress: Progress,
        every: int,
        gather: Callable[[Tensor], Tensor] = lambda means: means,
    ) -> None:
        self.progress, self.every, self.gather = progress, every, gather
        self.rows = CsvLog(path, progress.first) if path else None
        self.losses: list[Tensor] = []  # since the last row

    def add(self, report: Report) -> str | None:
        """The line, after a step that has one.  Raises ValueError where the loss is not a number."""
        self.losses.append(report.losses)
        if report.step % self.every and report.step != self.progress.steps:
            return None
        means = self.gather(sum(self.losses) / len(self.losses))
        self.losses.clear()
        if not means.isfinite().all():
            raise ValueError(
                f"the loss is not a number at step {report.step}. The last checkpoint is kept: "
                "go on from it with a lower learning rate, or in bf16 or fp32"
            )
        loss, prediction, regulariser = means.tolist()
        speed, left = self.progress.report(report.step)
        line = self.progress.line(report.step, loss, prediction, regulariser, speed, left)
        if self.rows is None:
            return line
        try:
            self.rows.append(
                step=report.step,
                loss=loss,
                prediction_loss=prediction,
                regulariser=regulariser,
                gradient_norm=float(report.norm),
                learning_rate=report.learning_rate,
                images_per_second=speed,
            )
        except OSError as error:
            # A full disk, or a spreadsheet that holds the file: no reason to lose the steps since the last checkpoint.
            line += (
                f"\nwarning: {self.rows.path} cannot be written ({error.strerror}); the run goes on without this row"
            )
        return line


def loss_curve(history: Sequence[tuple[int, float]], size: tuple[int, int] = (640, 360)) -> Image.Image:
    """(step, loss) pairs -> a picture: every value in grey, their moving average in blue, axes from the data."""
    picture = Image.new("RGB", (OVERSAMPLING * size[0], OVERSAMPLING * size[1]), "white")
    finite = [(step, loss) for step, loss in history if math.isfinite(loss)]
    _draw_curve(picture, finite, _moving_average([loss for _, loss in finite]))
    return picture.resize(size, Image.Resampling.LANCZOS)


def _draw_curve(picture: Image.Image, values: Sequence[tuple[int, float]], smooth: Sequence[float]) -> None:
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(11 * OVERSAMPLING)
    left, top, right, bottom = (
        60 * OVERSAMPLING,
        14 * OVERSAMPLING,
        picture.width - 14 * OVERSAMPLING,
        picture.height - 28 * OVERSAMPLING,
    )
    draw.rectangle((left, top, right, bottom), outline="#999999")
    if not values:
        draw.text((left + 20, top + 20), "no loss yet", fill="#666666", font=font)
        return
    first, last = values[0][0], max(values[-1][0], values[0][0] + 1)
    low, high = _value_axis(smooth)

    def place(step: int, loss: float) -> tuple[float, float]:
        share = min(max((loss - low) / (high - low), 0.0), 1.0)
        return left + (step - first) / (last - first) * (right - left), bottom - share * (bottom - top)

    for x, y in (place(*value) for value in values):
        draw.ellipse((x - OVERSAMPLING, y - OVERSAMPLING, x + OVERSAMPLING, y + OVERSAMPLING), fill="#c8c8c8")
    draw.line(
        [place(step, loss) for (step, _), loss in zip(values, smooth, strict=True)],
        fill="#0072b2",
        width=2 * OVERSAMPLING,
        joint="curve",
    )
    for share in (0, 0.5, 1):
        y = bottom - share * (bottom - top)
        draw.text((left - 12, y), f"{low + share * (high - low):.4g}", fill="#333333", anchor="rm", font=font)
    draw.text((left, bottom + 10), f"step {first}", fill="#333333", font=font)
    draw.text((right, bottom + 10), f"step {values[-1][0]}", fill="#333333", anchor="ra", font=font)
    draw.text((right - 16, top + 12), f"loss {smooth[-1]:.5f}", fill="#0072b2", anchor="ra", font=font)


def _value_axis(smooth: Sequence[float]) -> tuple[float, float]:
    """Lowest and highest value shown. The first losses may be far above all others:
    the top follows the later nine tenths."""
    low, high = min(smooth), max(smooth[len(smooth) // 10 :])
    margin = 0.15 * (high - low) or 0.05 * abs(high) or 1.0
    return low - margin, high + margin


def _moving_average(values: Sequence[float]) -> list[float]:
    """Exponential, over about a twentieth of the curve, unbiased at its beginning."""
    keep = 1 - 1 / max(len(values) / 20, 1)
    average, weight, smooth = 0.0, 0.0, []
    for value in values:
        average, weight = keep * average + (1 - keep) * value, keep * weight + (1 - keep)
        smooth.append(average / weight)
    return smooth


def save_picture(path: str | Path, picture: Image.Image) -> None:
    """Atomically, in the format of the path's suffix."""
    kind = Image.registered_extensions()[Path(path).suffix]
    write_atomically(path, lambda file: picture.save(file, kind, quality=92))
