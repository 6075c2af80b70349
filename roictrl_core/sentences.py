"""The English sentences of notes, by code; Chinese ones stand in ``locales/zh/main.json`` under ``roictrl.note``.

A code is ``<where it arises>.<what>``.  ``{who}`` and other subjects become "instance 2 ('a red fox')"; the first letter
of a sentence is made a capital.  A test holds that every code is used, and that both languages know the same values.
"""

from __future__ import annotations

# What a subject can be: an instance of a layout, or an entry of a file.
ITEMS = {
    "instance": "instance", "box": "box", "line": "line", "annotation": "annotation", "shape": "shape",
    "element": "element", "entry": "canvas entry", "segment": "SEG", "mask": "mask",
}

SENTENCES = {
}
