"""The model that `Load ROICtrl Demo Model` loads, in ComfyUI's own classes.

tokenizer.py  CLIP's tokenizer with the demo world's vocabulary
networks.py   a UNetModel of SD1.5 topology and a two-layer CLIP text model, and what ComfyUI wants to know of them
files.py      its weights -> MODEL, CLIP and VAE
limits.py     what is said where it is asked for what it cannot draw
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "demo_model"  # what comes with the pack
