"""Hostile weight files end in success or in sentences; `scripts/fuzz.py` runs more of the same."""

from __future__ import annotations

from itertools import islice
from random import Random

from fuzzing.weights import cases

CASES = 300


def test_hostile_weight_files_end_in_success_or_in_sentences():
    refused = 0
    for name, call in islice(cases(Random(0)), CASES):
        try:
            call()
        except ValueError as error:
            refused += 1
            for sentence in str(error).split("\n"):
                assert sentence.isprintable() and 20 < len(sentence) < 700 and sentence[-1] in ".)", (name, sentence)
        except Exception as error:
            raise AssertionError(f"{name}: {type(error).__name__} instead of a sentence") from error
    assert CASES / 2 < refused < CASES
