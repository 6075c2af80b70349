"""The example workflows of Check Layout, Keep Steps and Redo Boxes, on the demo model: nothing to download."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from demo_workflows import KNOWS
from devtools.graph import Graph, Output, Outputs
from workflow_files import note
from workflow_parts import boxes, empty_latent, prompts
from workflow_scenes import CROSS_AND_STAR, RINGS

CHANGE_NOTE = f"""**Change one caption, and keep the rest of the picture.** Keep Steps keeps the latents of the first \
picture; Edit Instance gives the first box another caption; Redo Boxes draws that box anew with the same noise, and \
everything else stays as it is. Change the caption in Edit Instance and run again: the first picture is not drawn again.

{KNOWS}"""
CHECK_NOTE = f"""**Draw, check, and draw again what was missed.** Check Layout compares the boxes with what a detector \
found; Redo Boxes draws the missed ones anew with noise of another seed, at most twice. A redo of a picture that \
obeys its layout samples nothing and costs nothing.

The detector here is made of colour channels, as the demo model's things have pure colours: connect any detector's \
bounding boxes, SEGS or masks to `detections` in its place, and for more tries copy the last stage.

{KNOWS}"""
FOUND = (("red", "a red cross"), ("blue", "a blue star"))  # a colour channel, and what shines in it alone
STRICT = 0.95  # of IoU: at the usual 0.5 the demo model hardly ever misses
SHINES = 0.4  # the demo world's grounds are darker
ENLARGED = {"upscale_method": "lanczos", "scale_by": 3.0}


@dataclass(frozen=True)
class Scene:
    """What all sampling of a workflow shares."""

    g: Graph
    model: Outputs
    drawn: Outputs
    sigmas: Output
    latent: Output

    @classmethod
    def of(cls, g: Graph, text: str) -> Scene:
        """The demo model, the boxes, and 20 steps on an empty latent."""
        model = g.add(0, "ROICtrlLoadDemoModel")
        drawn = boxes(g, 0, text)
        scheduled = g.add(1, "BasicScheduler", model=model["model"], scheduler="normal", steps=20)
        return cls(g, model, drawn, scheduled[0], empty_latent(g, 1, drawn))

    def guider(self, column: int, layout: Output) -> Output:
        """A guider whose model knows the layout, with its captions as the prompt."""
        words = self.g.add(column, "ROICtrlLayoutToPrompt", layout=layout)
        positive, negative = prompts(self.g, column, self.model["clip"], words[0], "")
        inputs = {name: self.model[name] for name in ("model", "adapter", "clip")}
        controlled = self.g.add(column, "ROICtrlApplyBoxes", **inputs, layout=layout)[0]
        return self.g.add(column, "CFGGuider", model=controlled, positive=positive, negative=negative, cfg=2.0)[0]

    def draw(self, column: int, sampler: Output, guider: Output, seed: int) -> tuple[Output, Output]:
        """The latent and the picture."""
        noise = self.g.add(column, "RandomNoise", noise_seed=seed)[0]
        inputs = {"noise": noise, "guider": guider, "sampler": sampler, "sigmas": self.sigmas}
        sampled = self.g.add(column, "SamplerCustomAdvanced", **inputs, latent_image=self.latent)[0]
        return sampled, self.g.add(column, "VAEDecode", samples=sampled, vae=self.model["vae"])[0]

    def keep(self, column: int) -> Outputs:
        """Keep Steps around Euler."""
        euler = self.g.add(column, "KSamplerSelect", sampler_name="euler")[0]
        return self.g.add(column, "ROICtrlKeepSteps", sampler=euler, layout=self.drawn["layout"])

    def finish(self, column: int, image: Output, layout: Output, name: str) -> None:
        """Save the picture, and show the boxes on it."""
        self.g.add(column, "SaveImage", room=260, images=image, filename_prefix=f"ROICtrl/{name}")
        large = self.g.add(column, "ImageScaleBy", image=image, **ENLARGED)
        self.g.add(column, "ROICtrlPreviewLayout", room=300, layout=layout, image=large[0], table=False)


def change_one(g: Graph) -> str:
    """One caption changed after the picture is drawn."""
    note(g, CHANGE_NOTE)
    scene = Scene.of(g, RINGS)
    kept = scene.keep(2)
    latent, before = scene.draw(2, kept["sampler"], scene.guider(1, scene.drawn["layout"]), 42)
    edited = g.add(3, "ROICtrlEditInstance", layout=scene.drawn["layout"], instance="1", caption="a green plain ring")
    redo = g.add(3, "ROICtrlRedoBoxes", kept_steps=kept["kept_steps"], latent=latent, layout=edited[0])
    _, after = scene.draw(4, redo["sampler"], scene.guider(3, edited[0]), 42)
    pasted = g.add(
        5,
        "ImageCompositeMasked",
        title="Old pixels outside the box",
        destination=before,
        source=after,
        mask=redo["mask"],
        x=0,
        y=0,
        resize_source=False,
    )
    g.add(5, "PreviewImage", title="Before", room=260, images=before)
    scene.finish(5, pasted[0], edited[0], "redo")
    return RINGS


def until_obeyed(g: Graph) -> str:
    """Drawn, checked, and redone at most twice."""
    note(g, CHECK_NOTE)
    scene = Scene.of(g, CROSS_AND_STAR)
    kept, guider = scene.keep(2), scene.guider(1, scene.drawn["layout"])
    latent, image = scene.draw(2, kept["sampler"], guider, 42)
    for again in (1, 2):
        checked = _check(scene, 2 * again + 1, image)
        inputs = {"layout": checked["layout"], "obeyed": checked["obeyed"]}
        kept = g.add(2 * again + 2, "ROICtrlRedoBoxes", kept_steps=kept["kept_steps"], latent=latent, **inputs)
        latent, image = scene.draw(2 * again + 2, kept["sampler"], guider, 42 + again)
    _check(scene, 7, image)
    scene.finish(8, image, scene.drawn["layout"], "until_obeyed")
    return CROSS_AND_STAR


def _check(scene: Scene, column: int, image: Output) -> Outputs:
    """Check Layout, with a detector for what shines in one colour channel."""
    large = scene.g.add(column, "ImageScaleBy", title="Enlarge, so that captions fit", image=image, **ENLARGED)[0]
    found = None
    for channel, caption in FOUND:
        mask = scene.g.add(column, "ImageToMask", image=large, channel=channel)[0]
        shining = scene.g.add(column, "ThresholdMask", mask=mask, value=SHINES)[0]
        one = scene.g.add(column, "ROICtrlLayoutFromMasks", masks=shining, captions=caption, keep_masks=False)[0]
        found = one if found is None else scene.g.add(column, "ROICtrlMergeLayouts", layout_1=found, layout_2=one)[0]
    inputs = {"image": large, "layout": scene.drawn["layout"], "detections": found, "least_iou": STRICT}
    return scene.g.add(column, "ROICtrlCheckLayout", room=260, **inputs)


REDO_WORKFLOWS: dict[str, Callable[[Graph], str]] = {
    "Change one caption, keep the picture - demo model": change_one,
    "Draw, check, draw again what was missed - demo model": until_obeyed,
}
