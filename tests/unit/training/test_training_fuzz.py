"""Hostile training data, seeded: nothing but examples, bad rows and sentences comes out.

scripts/fuzz.py goes on for minutes.
"""

from __future__ import annotations

from itertools import islice
from random import Random

import pytest

from fuzzing.training import cases


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(4))
def test_hostile_data_ends_in_rows_or_sentences(seed):
    refused = done = 0
    for name, call in islice(cases(Random(seed)), 150):
        try:
            call()
            done += 1
        except ValueError as error:
            assert str(error), name
            refused += 1
    assert refused > 10 and done > 60
