"""What set-up, demo, tests and benchmarks share: standard library only, unless a module says otherwise."""
