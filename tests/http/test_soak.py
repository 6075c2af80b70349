"""`scripts/soak.py`, a few prompts long: every kind of prompt ends as it should, and is drawn the same again."""

from __future__ import annotations

import soak


def test_prompts_of_every_kind_end_as_they_should(server):
    report = soak.soak(server, len(soak.KINDS) + 2)
    assert all(report.counts.values()) and len(report.memory) == len(soak.KINDS) + 2
    assert len(report.drawn) >= 2
    soak.post(server, "/free", {"unload_models": True, "free_memory": True})  # nothing comes from the cache
    assert soak.drawn_the_same(server, report) == len(report.drawn)
