"""Draws the loss curves of all training stages of the demo model into docs/images/demo_model_loss.png.

python scripts/demo_curves.py
"""

from __future__ import annotations

import csv
import math

from PIL import Image, ImageDraw

from demo_common import CACHE, start
from devtools.pack import ROOT

start()
from roictrl_core.training.logbook import loss_curve  # noqa: E402

LOGS = {
    "VAE": "vae_log.csv",
    "base, small": "base_small_log.csv",
    "base, train": "base_train_log.csv",
    "base, crowded": "base_crowded_log.csv",
    "adapter": "adapter/log.csv",
}
COLUMNS, TILE = 2, (480, 280)


def main() -> None:
    sheet = Image.new("RGB", (COLUMNS * TILE[0], math.ceil(len(LOGS) / COLUMNS) * TILE[1]), "white")
    for number, (name, file) in enumerate(LOGS.items()):
        with open(CACHE / file) as log:  # a resumed step replaces the first
            rows = {int(row["step"]): float(row["loss"]) for row in csv.DictReader(log)}
        curve = loss_curve(sorted(rows.items()), TILE)
        ImageDraw.Draw(curve).text((TILE[0] // 2, 20), name, fill="#333333", anchor="mm")
        sheet.paste(curve, (number % COLUMNS * TILE[0], number // COLUMNS * TILE[1]))
    target = ROOT / "docs" / "images" / "demo_model_loss.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    sheet.quantize(32).save(target, optimize=True)
    print(target.relative_to(ROOT))


if __name__ == "__main__":
    main()
