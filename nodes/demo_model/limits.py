"""What the demo model is asked for and cannot draw, said when it samples: it has seen pictures of one size alone."""

from __future__ import annotations

from comfy.patcher_extension import WrappersMP

from ...roictrl_core.cells import LATENT_STRIDE
from ...roictrl_core.notes import Note
from ..page import tell

SIDE = 128  # pixels of its training pictures
GUIDANCE, MOST_GUIDANCE = 2, 4  # what suits it, and from where on the hues mix
KEY = "roictrl.demo"


def limited(model, node: str):
    """The model, whose sampling runs begin with a word where size or guidance are not those that it was made for."""

    def outer_sample(executor, noise, *args, **kwargs):
        tell(node, unfit(noise.shape, getattr(executor.class_obj, "cfg", GUIDANCE)))
        return executor(noise, *args, **kwargs)

    model.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, KEY, outer_sample)
    return model


def unfit(latent_shape: tuple[int, ...], guidance: float) -> list[Note]:
    """Notes on a latent ``[B, C, h, w]`` and a guidance scale."""
    rows, columns = latent_shape[-2:]
    notes = []
    if rows * LATENT_STRIDE != SIDE or columns * LATENT_STRIDE != SIDE:
        size = f"{columns * LATENT_STRIDE} x {rows * LATENT_STRIDE}"
        notes.append(Note("demo.size", values={"side": SIDE, "size": size}))
    if guidance > MOST_GUIDANCE:
        notes.append(Note("demo.guidance", values={"cfg": guidance, "best": GUIDANCE}))
    return notes
