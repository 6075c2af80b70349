"""Image prompts of single instances: as a layout holds them at run time, and as one Apply reads them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..roictrl_core.layout import Instance
from ..roictrl_core.notes import Note
from .captions import CaptionEncoder
from .patch.control import ImagePrompt, Slot
from .patch.hosts import host_of
from .patch.hosts.unet import UNet
from .patch.hosts.unet_replacements import image_prompt_in, replacement_in

WHENCE = (
    "Connect the MODEL output of an IP-Adapter node, IPAdapter Advanced for one, whose model input is the checkpoint's."
)


@dataclass(frozen=True, eq=False)
class Reference:
    """An image prompt, and the model that it was made for in words; the same only as itself."""

    image_prompt: ImagePrompt
    made_for: str


def reference_of(model) -> Reference:
    """The image prompt on a MODEL; raises ValueError with a sentence where there is none."""
    host = host_of(model)
    if not isinstance(host, UNet):
        raise ValueError(
            f"the model is {host.name}, and image prompts act inside boxes in UNets alone ({', '.join(UNet.families)})."
        )
    found = image_prompt_in(model.model_options)
    if not found:
        raise ValueError(f"the model input has no image prompt. {WHENCE}")
    return Reference(found, host.shape)


def image_prompt(instance: Instance, index: int, encoder: CaptionEncoder) -> tuple[ImagePrompt | None, list[Note]]:
    """An instance's image prompt where the boxes of a model can read it, and a note where they cannot.

    Raises ValueError with a sentence where it was made for another model.
    """
    reference, host = instance.reference, encoder.host
    if reference is None:
        return None, []
    if not (encoder.reads and isinstance(host, UNet)):
        return None, [instance.note("apply.reference_unread", index)]
    if reference.made_for != host.shape:
        raise ValueError(
            f"the image prompt of {instance.name(index)} was made for another model ({reference.made_for}) than this "
            f"one ({host.shape}). {WHENCE}"
        )
    if not any(replacement_in(reference.image_prompt, block.key) for block in host.blocks):
        return None, [instance.note("apply.reference_elsewhere", index)]
    return reference.image_prompt, []


def shared_with(model, slots: Iterable[Slot]) -> list[Note]:
    """A note where a box's image prompt is on the whole MODEL too: the one that lent it goes to Apply."""
    on_all = {id(function) for function in image_prompt_in(model.model_options).values()}
    own = (slot.image_prompt for slot in slots if slot.image_prompt)
    shared = any(id(function) in on_all for prompt in own for function in prompt.values())
    return [Note("apply.reference_shared")] if shared else []
