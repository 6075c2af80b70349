"""Hostile input for `scripts/fuzz.py` and the tests.

A module of cases has `cases(random) -> Iterator[(name, call)]`: a call may succeed or raise ValueError with a sentence;
whatever else it raises is a fault.

texts.py      sample files of every box format, changed somewhere, through every reader, check and writer
monsters.py   texts that are as large as the limits allow, or much larger, and made to be work
weights.py    weight files
training.py   training data
route.py      the monsters through the import route of a real server
"""
