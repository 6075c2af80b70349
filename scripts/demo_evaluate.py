"""Judges the demo model on held-out layouts: ROICtrl beside the same base without control, and the ceiling.

    python scripts/demo_evaluate.py [--folder demo_model] [--split test] [--layouts 100]

Layouts have 2 to 6 instances in turn; one picture each through ComfyUI's own sampler, seed = layout number. Settings are chosen
on --split tuning. Writes a JSON report and a sheet of pictures into the cache folder.
"""
from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from demo_common import CACHE, ROOT, start

start()
import comfy.sample

from devtools.pack import pack_module
from roictrl_core.demo.captions import global_caption, instance_caption
from roictrl_core.demo.judge import judge, summarise
from roictrl_core.demo.world import normalised_boxes, random_scene, render

SPLITS = {"tuning": 700, "test": 600}       # seeds of layouts; none is trained on
LEVELS = (2, 3, 4, 5, 6)


@dataclass(frozen=True)
class Settings:
    """How a picture is sampled."""

    steps: int
    cfg: float
    sampler: str
    scheduler: str


def scenes_of(split: str, count: int) -> list:
    """Held-out layouts, levels 2..6 in turn."""
    return [random_scene((SPLITS[split], index), LEVELS[index % len(LEVELS)]) for index in range(count)]


def captions_of(scene, number: int) -> list[str]:
    rng = np.random.default_rng((77, number))
    return [instance_caption(thing.attributes, rng) for thing in scene.things]


def layout_of(scene, captions: list[str]):
    module = pack_module("roictrl_core.layout")
    return module.Layout(scene.size, scene.size, tuple(module.Instance(box, text) for box, text in zip(normalised_boxes(scene), captions)))


@torch.no_grad()
def sample(demo, model, text: str, size: int, settings: Settings, seed: int) -> np.ndarray:
    """One picture, uint8 [size, size, 3]; the negative prompt is empty."""
    positive, negative = (demo.clip.encode_from_tokens_scheduled(demo.clip.tokenize(t)) for t in (text, ""))
    latent = torch.zeros(1, 4, size // 8, size // 8)
    noise = comfy.sample.prepare_noise(latent, seed)
    out = comfy.sample.sample(model, noise, settings.steps, settings.cfg, settings.sampler, settings.scheduler, positive, negative,
                              latent, seed=seed, disable_pbar=True)
    return (demo.vae.decode(out)[0].clamp(0, 1) * 255 + 0.5).byte().cpu().numpy()


def round_trip(demo, scene) -> np.ndarray:
    """The scene itself through the VAE: what no method can surpass."""
    picture = torch.from_numpy(render(scene)).float()[None] / 255
    return (demo.vae.decode(demo.vae.encode(picture))[0].clamp(0, 1) * 255 + 0.5).byte().cpu().numpy()


def draw(method: str, demo, adapter, scene, number: int, settings: Settings) -> np.ndarray:
    """The picture of one layout by one method: ceiling, base, prompts or roictrl."""
    if method == "ceiling":
        return round_trip(demo, scene)
    captions, model = captions_of(scene, number), demo.model
    if method == "roictrl":
        model = pack_module("nodes.apply").ApplyROICtrl.execute(demo.model, adapter, demo.clip, layout_of(scene, captions)).result[0]
    elif method == "prompts":
        model = pack_module("nodes.apply").ApplyROIPrompts.execute(demo.model, demo.clip, layout_of(scene, captions)).result[0]
    return sample(demo, model, ", ".join(captions), scene.size, settings, number)


def evaluate(method: str, demo, adapter, scenes: list, settings: Settings):
    """(report, pictures): rates over all instances and per level."""
    started, pictures, verdicts = time.time(), [], {level: [] for level in LEVELS}
    for number, scene in enumerate(scenes):
        pictures.append(draw(method, demo, adapter, scene, number, settings))
        verdicts[len(scene.things)] += judge(pictures[-1], normalised_boxes(scene), [thing.attributes for thing in scene.things])
    report = {k: round(v, 4) for k, v in summarise([v for level in verdicts.values() for v in level]).items()}
    report["levels"] = {level: round(summarise(found)["isr"], 4) for level, found in verdicts.items() if found}
    report["seconds_per_picture"] = round((time.time() - started) / len(scenes), 2)
    return report, pictures


def sheet(scenes: list, columns: dict[str, list[np.ndarray]]) -> Image.Image:
    """A row per layout: the wanted picture, then each method's."""
    rows = [np.concatenate([render(scene), *(pictures[i] for pictures in columns.values())], 1) for i, scene in enumerate(scenes)]
    half = (len(rows) + 1) // 2
    rows += [np.zeros_like(rows[0])] * (2 * half - len(rows))
    return Image.fromarray(np.concatenate([np.concatenate(rows[:half]), np.concatenate(rows[half:])], 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folder", type=Path, default=ROOT / "demo_model")
    parser.add_argument("--adapter", type=Path, help="another adapter than the folder's")
    parser.add_argument("--split", choices=SPLITS, default="test")
    parser.add_argument("--layouts", type=int, default=100)
    parser.add_argument("--methods", nargs="+", default=["ceiling", "base", "roictrl"])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--cfg", type=float, nargs="+", default=[2.0])
    parser.add_argument("--sampler", default="euler")
    parser.add_argument("--scheduler", default="normal")
    parser.add_argument("--out", default="evaluation")
    a = parser.parse_args()
    demo, adapter = pack_module("nodes.demo_model").load_demo(a.folder), None
    if "roictrl" in a.methods:
        file = pack_module("roictrl_core.checkpoint").read_adapter(a.adapter or a.folder / "adapter.safetensors")
        adapter = pack_module("nodes.patch.weights").adapter_patcher(file)
    scenes, report, columns = scenes_of(a.split, a.layouts), {}, {}
    for method in a.methods:
        for cfg in a.cfg if method != "ceiling" else [1.0]:
            name = f"{method} cfg {cfg:g}" if len(a.cfg) > 1 else method
            report[name], columns[name] = evaluate(method, demo, adapter, scenes, Settings(a.steps, cfg, a.sampler, a.scheduler))
            print(name, json.dumps(report[name]), flush=True)
    (CACHE / f"{a.out}.json").write_text(json.dumps({"arguments": {k: str(v) for k, v in vars(a).items()}, "methods": report}, indent=1))
    sheet(scenes[:16], columns).save(CACHE / f"{a.out}.png")


if __name__ == "__main__":
    main()
