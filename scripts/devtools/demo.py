"""`dev.py demo`: a picture from boxes and captions, made by a real ComfyUI server through the example workflow.

The demo model is a small one that comes with the pack: it knows coloured shapes and nothing else.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from demo_world.captions import COLOUR_WORDS, SHAPE_WORDS, TEXTURE_NOUNS, TEXTURE_WORDS
from demo_world.judge import judge, summarise
from demo_world.world import Attributes

from .base import default_base, make_base
from .client import PromptError
from .pack import register_core
from .pictures import Made, make_picture, node_of, open_server, without_control
from .server import ServerError
from .shell import say
from .templates import DEMO, template
from .workflow import WorkflowError, load_workflow, to_prompt

register_core()

from roictrl_core.layout import Layout  # noqa: E402

GAP = 8  # pixels between pictures side by side


def main() -> int:
    """Two pictures of one seed, with and without the boxes, and what the judge sees in each box."""
    parser = argparse.ArgumentParser(prog="dev.py demo", description=__doc__)
    parser.add_argument("--seed", type=int, help="another picture")
    arguments = parser.parse_args()
    base = make_base(default_base())
    try:
        return demo(base, arguments.seed)
    except (ServerError, PromptError, WorkflowError) as error:
        print(f"[roictrl] {error}", file=sys.stderr)
        return 1


def demo(base: Path, seed: int | None) -> int:
    """The demo model's two pictures and what the judge sees in them."""
    with open_server(base) as server:
        prompt = to_prompt(load_workflow(template(DEMO)), server.object_info)
        if seed is not None:
            prompt[node_of(prompt, "KSampler")]["inputs"]["seed"] = seed
        controlled, plain = make_picture(server, prompt, base), make_picture(server, without_control(prompt), base)
    layout = Layout.from_json(prompt[node_of(prompt, "ROICtrlInstanceBoxPrompt")]["inputs"]["layout"])
    report("with its boxes", controlled, layout)
    report("the same seed without control", plain, layout)
    say(f"all side by side: {side_by_side(controlled, plain)}")
    return 0


def report(what: str, made: Made, layout: Layout) -> None:
    """Where the pictures are, and a verdict per box."""
    say(f"picture, {what}: {made.picture} ({made.seconds:.1f} s)")
    say(f"  its boxes drawn on it: {made.boxes}")
    wanted = [attributes_in(instance.caption) for instance in layout.instances]
    verdicts = judge(
        np.asarray(Image.open(made.picture).convert("RGB")), [instance.box for instance in layout.instances], wanted
    )
    for instance, verdict in zip(layout.instances, verdicts, strict=True):
        found = (
            "nothing"
            if verdict.found is None
            else f"a {verdict.found.colour} {verdict.found.texture} {verdict.found.shape}, IoU {verdict.iou:.2f}"
        )
        say(f"  {'right' if verdict.success else 'wrong'}: the box says '{instance.caption}', the judge sees {found}")
    say(
        f"  {sum(verdict.success for verdict in verdicts)} of {len(verdicts)} boxes hold what they say; demo model, "
        f"mean IoU {summarise(verdicts)['iou']:.2f}"
    )


def side_by_side(controlled: Made, plain: Made) -> Path:
    """One picture for a reader: the boxes, the picture they gave, the same seed without control."""
    boxes = Image.open(controlled.boxes)  # enlarged by the workflow, so that captions fit
    pictures = [
        boxes,
        *(
            Image.open(file).resize(boxes.size, Image.Resampling.LANCZOS)
            for file in (controlled.picture, plain.picture)
        ),
    ]
    sheet = Image.new("RGB", (3 * boxes.width + 2 * GAP, boxes.height), "white")
    for place, picture in enumerate(pictures):
        sheet.paste(picture.convert("RGB"), (place * (boxes.width + GAP), 0))
    file = controlled.picture.with_name(f"{controlled.picture.stem}side_by_side.jpg")
    sheet.save(file, quality=92)
    return file


def attributes_in(caption: str) -> Attributes:
    """What a caption of the demo world asks for."""
    words = set(caption.replace(",", " ").split())
    textures = {name: TEXTURE_WORDS[name] + TEXTURE_NOUNS.get(name, ()) for name in TEXTURE_WORDS}
    found = [
        next((name for name, synonyms in table.items() if words & set(synonyms)), "plain")
        for table in (SHAPE_WORDS, COLOUR_WORDS, textures)
    ]
    return Attributes(*found)


if __name__ == "__main__":
    sys.exit(main())
