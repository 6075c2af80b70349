"""The stages of `device_check.py`, a module each: its `run(options)` prints what goes into the log."""
