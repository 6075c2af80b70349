"""A layout's instances -> the slots of an Apply: which of them fit, their captions encoded, their masks softened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..roictrl_core.coverage import SoftMask
from ..roictrl_core.instances import largest
from ..roictrl_core.layout import Instance, Layout
from ..roictrl_core.notes import Note, capped
from .captions import CaptionEncoder, conditioning_text
from .patch.control import Slot
from .patch.frames import visible_area
from .patch.hosts import Host
from .references import image_prompt


def slots_of(
    host: Host,
    clip,
    layout: Layout,
    limit: int | None,
    suffix: str,
    feather: float,
) -> tuple[tuple[Slot, ...], list[Note]]:
    """The layout's instances as slots, captions encoded, masks softened, checked against the model; and notes."""
    instances, notes = usable_instances(layout, limit)
    encoder = CaptionEncoder(clip, suffix, host)
    slots = make_slots(instances, encoder)
    check_text_width(slots, host.text_width)
    slots = tuple(
        replace(slot, mask=soft_mask(instance, layout, feather)) if slot.enabled else slot
        for slot, (_, instance) in zip(slots, instances, strict=True)
    )
    missed = [
        instance.note("apply.mask_outside", i)
        for slot, (i, instance) in zip(slots, instances, strict=True)
        if _misses(slot)
    ]
    return slots, notes + layout.warnings() + encoder.notes + missed


def soft_mask(instance: Instance, layout: Layout, feather: float) -> SoftMask | None:
    """The mask that an instance shows in, ``feather`` in the layout's pixels."""
    return instance.mask and SoftMask.of(instance.mask, feather, layout.width, layout.height)


def _misses(slot: Slot) -> bool:
    """Whether the mask lies outside the box, so that nothing of the instance can appear.

    An empty mask is said elsewhere.
    """
    return slot.mask is not None and bool(slot.mask.pixels.any()) and not slot.mask.touches(slot.box)


def usable_instances(layout: Layout, limit: int | None) -> tuple[list[tuple[int, Instance]], list[Note]]:
    """The layout's instances, index from 1 each, that fit the adapter's ``limit`` slots, and notes on the others.

    Disabled instances keep their slots: which slot an instance sits in matters to the gate.  Raises ValueError with
    a sentence per problem where the layout is unusable.
    """
    if not isinstance(layout, Layout):
        raise ValueError(
            f"the layout input holds {type(layout).__name__}; connect Instance Box Prompt or "
            "another node with a ROICTRL_LAYOUT output."
        )
    if problems := layout.problems():
        raise ValueError("\n".join(note.sentence() for note in capped(problems)))
    numbered = list(enumerate(layout.instances, 1))
    if limit is not None and len(numbered) > limit:
        # Muted ones give way first: a slot is worth more to an instance that is on.
        numbered = [pair for pair in numbered if pair[1].enabled]
        return numbered[:limit], [instance.note("apply.no_slot", i, limit=limit) for i, instance in numbered[limit:]]
    return numbered, []


def largest_instances(layout: Layout, limit: int) -> tuple[list[tuple[int, Instance]], list[Note]]:
    """The instances that are on, index from 1 each, of more than ``limit`` the largest; and notes on the others.

    Raises as `usable_instances` does.
    """
    numbered = [pair for pair in usable_instances(layout, None)[0] if _is_on(pair[1])]
    kept, left = largest([visible_area(instance.box) for _, instance in numbered], limit)
    notes = [instance.note("apply.not_among_largest", i, limit=limit) for i, instance in (numbered[i] for i in left)]
    return [numbered[i] for i in kept], notes


def make_slots(instances: Iterable[tuple[int, Instance]], encoder: CaptionEncoder) -> tuple[Slot, ...]:
    """A slot per instance; captions of disabled ones are not encoded."""
    instances = list(instances)
    plain = [instance for _, instance in instances if _is_on(instance) and not instance.loras]
    encoder.prepare(text for instance in plain for text in _texts(instance, encoder))
    return tuple(_slot(instance, i, encoder) for i, instance in instances)


def _slot(instance: Instance, index: int, encoder: CaptionEncoder) -> Slot:
    name = instance.name(index)
    enabled = _is_on(instance)
    caption = negative = None
    loras = instance.loras if enabled else ()
    if loras:
        encoder.loras.check(instance, index)
    lora = encoder.loras.reading(loras)
    if enabled and instance.conditioning is not None:
        caption = conditioning_text(instance.conditioning, name).under(lora)
        if len(instance.conditioning) > 1:
            encoder.notes.append(instance.note("apply.several_prompts", index, count=len(instance.conditioning)))
    elif enabled:
        caption = encoder.caption(instance, name)
    if enabled and instance.negative.strip():
        negative = encoder.encode(instance.negative, f"the negative caption of {name}", loras)
    prompt, notes = image_prompt(instance, index, encoder) if enabled else (None, [])
    encoder.notes += notes
    return Slot(
        name=name,
        box=instance.box,
        strength=instance.strength,
        window=(instance.start, instance.end),
        enabled=enabled,
        caption=caption and caption.beside(prompt),
        negative=negative and negative.beside(prompt),
        lora=lora,
        image_prompt=prompt,
        everywhere=encoder.loras.everywhere(loras),
    )


def _is_on(instance: Instance) -> bool:
    # Strength 0 means off: the slot stays, like a disabled instance's.
    return instance.enabled and instance.strength > 0


def _texts(instance: Instance, encoder: CaptionEncoder) -> Iterator[str]:
    """What is to be encoded for an instance."""
    if instance.conditioning is None:
        yield encoder.text_of(instance)
    if instance.negative.strip():
        yield instance.negative


def check_text_width(slots: Iterable[Slot], width: int) -> None:
    """Raises ValueError where an embedding does not fit the model's cross-attention."""
    for slot in slots:
        for what, text in (("caption", slot.caption), ("negative caption", slot.negative)):
            if text is not None and text.tokens.shape[-1] != width:
                raise ValueError(
                    f"the {what} of {slot.name} is embedded in {text.tokens.shape[-1]} numbers per token, "
                    f"and the model reads {width}. Use the CLIP that came with this checkpoint."
                )
