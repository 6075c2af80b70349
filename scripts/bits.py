"""Whether a change left every picture as it was, to the bit: the latents of all example workflows and of some settings.

    python scripts/bits.py before.safetensors        draws and writes the file, or compares with it where it exists

Small random models stand in for the published weights, and the demo model draws its own workflow; pictures
are small and steps few.  Compared are the latents, in float: 8 bits of a picture would hide a small change.  Run it
with the Python of the environment that `dev.py setup` makes; it wants COMFYUI_PATH, or what `dev.py setup` fetched.
"""

from __future__ import annotations

import argparse
import copy
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from devtools.base import make_base
from devtools.client import run_prompt
from devtools.frontend import frontend_arguments
from devtools.pack import ROOT
from devtools.pictures import node_of
from devtools.places import find_comfyui
from devtools.server import Server
from devtools.workflow import load_workflow, shrunk, to_prompt

APPLY, GROUNDED, LAYOUT = "ROICtrlApply", "ROICtrlApplyInstanceDiffusion", "ROICtrlInstanceBoxPrompt"
# Settings beyond those of the workflows: the workflow, a node's class, and what of its inputs is another.
SETTINGS = {
    "text_to_image, negative pass off": ("text_to_image", APPLY, {"uncond_boxes": "off"}),
    "text_to_image, negative pass none": ("text_to_image", APPLY, {"uncond_boxes": "none"}),
    "text_to_image, strength": ("text_to_image", APPLY, {"strength": 0.7}),
    "text_to_image, shuffled": ("text_to_image", APPLY, {"slot_shuffle_seed": 3}),
    "text_to_image, window": ("text_to_image", APPLY, {"start_percent": 0.2, "end_percent": 0.7}),
    "text_to_image, three pictures": ("text_to_image", "EmptyLatentImage", {"batch_size": 3}),
    "masks, hard edge": ("masks", APPLY, {"mask_feather": 0}),
    "instance_diffusion, masked attention": ("instance_diffusion", GROUNDED, {"masked_attention": "corrected"}),
    "instance_diffusion, alpha": ("instance_diffusion", GROUNDED, {"alpha": 0.4, "strength": 0.8}),
    "sdxl_roi_prompts, weight": ("sdxl_roi_prompts", "ROICtrlApplyROIPrompts", {"global_weight": 0.5, "strength": 1.3}),
}


def prompts(object_info: dict) -> Iterator[tuple[str, dict]]:
    """Each picture's name and prompt."""
    known = {}
    for file in sorted((ROOT / "workflows").glob("*.json")):
        prompt = shrunk(to_prompt(load_workflow(file), object_info), steps=3)
        if not any(entry["class_type"] == "UNETLoader" for entry in prompt.values()):  # there are no small ones
            saved = prompt[node_of(prompt, "SaveImage")]["inputs"]["filename_prefix"]  # stays when a title changes
            known[Path(saved).name] = prompt
    yield from known.items()
    known["text_to_image"] = _with_settings(known["text_to_image"])
    for name, (workflow, kind, inputs) in SETTINGS.items():
        prompt = copy.deepcopy(known[workflow])
        prompt[node_of(prompt, kind)]["inputs"].update(inputs)
        yield name, prompt
    yield "text_to_image, two Applies", _stacked(known["text_to_image"])


def _with_settings(prompt: dict) -> dict:
    """Apply ROICtrl, which has settings, in the place of Apply Boxes."""
    prompt = copy.deepcopy(prompt)
    entry = prompt[node_of(prompt, "ROICtrlApplyBoxes")]
    defaults = {"uncond_boxes": "negative prompt", "slot_shuffle_seed": -1}
    entry.update(class_type=APPLY, inputs={**entry["inputs"], **defaults})
    return prompt


def _stacked(prompt: dict) -> dict:
    """Apply ROI Prompts behind Apply ROICtrl."""
    prompt = copy.deepcopy(prompt)
    first = node_of(prompt, APPLY)
    inputs = prompt[first]["inputs"]
    for entry in prompt.values():
        entry["inputs"].update({key: ["second", 0] for key, value in entry["inputs"].items() if value == [first, 0]})
    prompt["second"] = {
        "class_type": "ROICtrlApplyROIPrompts",
        "inputs": {
            "model": [first, 0],
            "clip": inputs["clip"],
            "layout": inputs["layout"],
            "strength": 1.0,
            "global_weight": 0.2,
            "start_percent": 0.0,
            "end_percent": 0.6,
            "caption_suffix": "a style",
        },
    }
    return prompt


def latents(server: Server, base: Path, prompt: dict) -> torch.Tensor:
    """What the prompt's VAE Decode decodes."""
    prompt = {
        **prompt,
        "bits": {
            "class_type": "SaveLatent",
            "inputs": {"samples": prompt[node_of(prompt, "VAEDecode")]["inputs"]["samples"], "filename_prefix": "bits"},
        },
    }
    saved = run_prompt(server.url, prompt).outputs["bits"]["latents"][0]
    return load_file(base / "output" / saved["subfolder"] / saved["filename"])["latent_tensor"]


def draw(base: Path) -> dict[str, torch.Tensor]:
    """All of them, on one server."""
    make_base(base)
    rows, columns = np.mgrid[0:64, 0:64]
    example = np.stack([rows * 4, columns * 4, (rows // 8 + columns // 8) % 2 * 255], -1).astype(np.uint8)
    Image.fromarray(example).save(base / "input" / "example.png")
    subprocess.run([sys.executable, "-m", "devtools.small_models", base / "models"], cwd=ROOT / "scripts", check=True)
    python, comfyui, found = Path(sys.executable), find_comfyui(), {}
    with Server(python, comfyui, base, arguments=frontend_arguments(python, comfyui)) as server:
        for name, prompt in prompts(server.object_info):
            found[name] = latents(server, base, prompt)
            print(f"{name}: {tuple(found[name].shape)}", flush=True)
    return found


def main() -> int:
    """1 where a latent is another than before."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    file = parser.parse_args().file
    with tempfile.TemporaryDirectory(prefix="roictrl-bits-") as folder:
        found = draw(Path(folder))
    if not file.exists():
        save_file(found, file)
        print(f"{len(found)} latents written to {file}")
        return 0
    before = load_file(file)
    known = [name for name in found if name in before]
    others = [name for name in known if not torch.equal(found[name], before[name])]
    print(
        f"{len(known) - len(others)} of {len(before)} latents are equal to the bit"
        + "".join(f"\n{name} is not" for name in others)
    )
    return int(len(known) - len(others) < len(before))


if __name__ == "__main__":
    sys.exit(main())
