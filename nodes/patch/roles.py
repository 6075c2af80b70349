"""Which cond lists of a guider ask for the captions, and which for the negative.

`cond_or_uncond` is an index into the list of one call, not a role (SAG calls with the negative alone, DualCFG puts it
first, PerpNeg's third is the empty prompt).  Every list is therefore matched with the guider's own conds: by identity,
and where a pack made new lists (context windows), by the uuid of an entry without an area, because core copies an area
cond into the other lists, uuid included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

CAPTION, NEGATIVE, UNKNOWN = "caption", "negative", "unknown"

# The names that core's guiders give to their conds.
_KNOWN = {"positive": CAPTION, "middle": CAPTION, "negative": NEGATIVE, "empty_negative_prompt": NEGATIVE}


def role_of_name(name: str, conds: Sequence[Mapping]) -> str:
    """CAPTION or NEGATIVE for a guider's cond list called ``name``; a foreign guider's names are read for a hint."""
    if name in _KNOWN:
        return _KNOWN[name]
    hinted = any(word in name.lower() for word in ("neg", "uncond", "empty"))
    return NEGATIVE if hinted or any(c.get("prompt_type") == "negative" for c in conds) else CAPTION


def roles_of_lists(
    lists: Sequence[Sequence[Mapping] | None], guider_conds: Mapping[str, Sequence[Mapping]]
) -> list[str]:
    """The role of each cond list of one call; a list that is None runs nothing, and an unmatched one is UNKNOWN."""
    return [UNKNOWN if conds is None else _role_of_list(conds, guider_conds) for conds in lists]


def _role_of_list(conds: Sequence[Mapping], guider_conds: Mapping[str, Sequence[Mapping]]) -> str:
    for name, own in guider_conds.items():
        if conds is own:
            return role_of_name(name, own)
    by_uuid = uuid_roles(guider_conds)
    for cond in conds:
        if "area" not in cond and cond.get("uuid") in by_uuid:
            return by_uuid[cond["uuid"]]
    return UNKNOWN


def uuid_roles(guider_conds: Mapping[str, Sequence[Mapping]]) -> dict[object, str]:
    """uuid of each entry without an area -> its role."""
    return {
        c["uuid"]: role_of_name(name, own)
        for name, own in guider_conds.items()
        for c in own
        if "area" not in c and "uuid" in c
    }
