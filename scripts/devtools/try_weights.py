"""`dev.py try`: what a checkpoint and an adapter of yours are, the same picture with and without boxes,
and what the boxes cost."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

from .base import default_base, make_base, put_model
from .client import PromptError
from .pack import register_core
from .pictures import make_picture, node_of, open_server, without_control
from .server import ServerError
from .shell import say
from .templates import TEXT_TO_IMAGE, template
from .workflow import load_workflow, to_prompt

register_core()

from roictrl_core.checkpoint import read_adapter  # noqa: E402
from roictrl_core.layout import Layout  # noqa: E402
from roictrl_core.recognise import recognise  # noqa: E402
from roictrl_core.weights_file import open_weights  # noqa: E402

TEXT_KEY = "model.diffusion_model.input_blocks.{}.1.transformer_blocks.0.attn2.to_k.weight"
BASES = {768: "Stable Diffusion 1.x", 1024: "Stable Diffusion 2.x", 2048: "SDXL"}  # by the width of the text embeddings


def main() -> int:
    """Recognise both files, run, report."""
    options = arguments()
    try:
        say(describe_checkpoint(options.checkpoint))
        say(read_adapter(options.adapter).description)
        layout = Layout.from_json(options.layout.read_text(encoding="utf-8")) if options.layout else None
        return run(options, layout)
    except (ValueError, OSError, ServerError, PromptError) as error:
        print(f"[roictrl] {error}", file=sys.stderr)
        return 1


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="dev.py try", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True, help="an SD1.x checkpoint")
    parser.add_argument(
        "--adapter", type=Path, required=True, help="ROICtrl weights, such as ROICtrl_sdv14_30K.safetensors"
    )
    parser.add_argument("--layout", type=Path, help="a file of layout JSON; without it the example's")
    parser.add_argument("--steps", type=int, help="sampling steps; without it the example's")
    parser.add_argument("--seed", type=int, help="without it the example's")
    return parser.parse_args()


def describe_checkpoint(file: Path) -> str:
    """One sentence on what a checkpoint is; ValueError when it is no checkpoint at all."""
    shapes = open_weights(file).shapes
    kind = recognise(shapes)
    if not kind.name.startswith("a full checkpoint"):
        raise ValueError(f"{file.name} is {kind.name}, not a checkpoint. Give --checkpoint an SD1.x checkpoint.")
    width = next((shapes[key][1] for number in (1, 4) if (key := TEXT_KEY.format(number)) in shapes), None)
    size = sum(math.prod(shape) for shape in shapes.values()) / 1e6
    return f"{file.name} is {BASES.get(width, 'a checkpoint of an unknown base')} with {size:.0f} million parameters."


def run(options: argparse.Namespace, layout: Layout | None) -> int:
    """Both pictures on one server, and the cost of the boxes per sampling step."""
    base = make_base(default_base())
    names = put_model(base, "checkpoints", options.checkpoint), put_model(base, "roictrl", options.adapter)
    with open_server(base) as server:
        prompt = to_prompt(load_workflow(template(TEXT_TO_IMAGE)), server.object_info)
        prompt[node_of(prompt, "CheckpointLoaderSimple")]["inputs"]["ckpt_name"] = names[0]
        prompt[node_of(prompt, "ROICtrlLoadAdapter")]["inputs"]["adapter_name"] = names[1]
        if layout is not None:
            prompt[node_of(prompt, "ROICtrlInstanceBoxPrompt")]["inputs"].update(
                layout=layout.to_json(), width=layout.width, height=layout.height
            )
        chosen = {"steps": options.steps, "seed": options.seed}
        prompt[node_of(prompt, "KSampler")]["inputs"].update(
            {key: value for key, value in chosen.items() if value is not None}
        )
        plain, controlled = make_picture(server, without_control(prompt), base), make_picture(server, prompt, base)
    say(f"without boxes: {plain.picture}")
    say(f"with boxes:    {controlled.picture}")
    say(f"drawn on it:   {controlled.boxes}")
    if plain.step_seconds and controlled.step_seconds:
        say(
            f"a sampling step takes {plain.step_seconds:.2f} s without and {controlled.step_seconds:.2f} s with boxes: "
            f"{controlled.step_seconds / plain.step_seconds:.2f} times"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
