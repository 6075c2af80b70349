"""`scripts/fuzz.py`, a few hundred cases long, always the same ones: a result or a sentence, and nothing else."""

from __future__ import annotations

from functools import partial
from random import Random

import pytest

from fuzzing import monsters, run, texts


@pytest.mark.parametrize("name", sorted(texts.sources()))
def test_what_is_changed_is_sound_before(name):
    """Fuzzing that begins with a refusal would try nothing."""
    if name not in ("yolo_names.txt", "README.md"):
        assert texts.read_and_use(texts.sources()[name], 512, 512).instances


def test_changed_files_end_in_a_layout_or_a_sentence():
    tally = run.run(texts.cases(Random(16)), most=400)
    assert tally.faults == [] and tally.done == 400 and 100 < tally.refused < 350


def test_monsters_end_in_a_layout_or_a_sentence():
    tally = run.run((name, partial(texts.read_and_use, text, 512, 512)) for name, text in monsters.monsters(size=4000))
    assert tally.faults == [] and tally.done == len(monsters.MONSTERS) and 10 < tally.refused < tally.done


def test_faults_are_found():
    """Neither an error that is no ValueError, nor one that is no sentence, passes as a refusal."""

    def raised(error: Exception):
        raise error

    cases = [
        (name, partial(raised, error))
        for name, error in {
            "sentence": ValueError("The text is not valid JSON. Correct it there."),
            "other": KeyError("text"),
            "word": ValueError("no"),
            "parser": UnicodeDecodeError("utf-8", b"", 0, 1, "a reason that is long enough."),
        }.items()
    ]
    tally = run.run([*cases, ("fine", dict)])
    assert (tally.done, tally.refused) == (5, 3) and [fault.split(":")[0] for fault in tally.faults] == [
        "other",
        "word",
        "parser",
    ]
