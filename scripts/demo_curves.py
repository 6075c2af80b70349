"""Draws the loss curves of all training stages of the demo model, or of the demo transformer, into docs/images.

python scripts/demo_curves.py [model | transformer]
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Mapping
from pathlib import Path

from PIL import Image, ImageDraw

from demo_common import CACHE, start
from devtools.pack import ROOT

start()
from roictrl_core.training.logbook import loss_curve  # noqa: E402

SHEETS = {
    "model": {
        "VAE": "vae_log.csv",
        "base, small": "base_small_log.csv",
        "base, train": "base_train_log.csv",
        "base, crowded": "base_crowded_log.csv",
        "adapter": "adapter/log.csv",
    },
    "transformer": {"small": "transformer_small_log.csv", "train": "transformer_train_log.csv"},
}
COLUMNS, TILE = 2, (480, 280)


def draw(logs: Mapping[str, str], target: Path) -> None:
    """A curve for each log, by its title."""
    sheet = Image.new("RGB", (COLUMNS * TILE[0], math.ceil(len(logs) / COLUMNS) * TILE[1]), "white")
    for number, (name, file) in enumerate(logs.items()):
        with open(CACHE / file) as log:  # a resumed step replaces the first
            rows = {int(row["step"]): float(row["loss"]) for row in csv.DictReader(log)}
        curve = loss_curve(sorted(rows.items()), TILE)
        ImageDraw.Draw(curve).text((TILE[0] // 2, 20), name, fill="#333333", anchor="mm")
        sheet.paste(curve, (number % COLUMNS * TILE[0], number // COLUMNS * TILE[1]))
    target.parent.mkdir(parents=True, exist_ok=True)
    sheet.quantize(32).save(target, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("sheet", nargs="?", default="model", choices=list(SHEETS))
    name = parser.parse_args().sheet
    target = ROOT / "docs" / "images" / f"demo_{name}_loss.png"
    draw(SHEETS[name], target)
    print(target.relative_to(ROOT))


if __name__ == "__main__":
    main()
