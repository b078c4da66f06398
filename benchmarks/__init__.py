"""Benchmarks: a grid of parameters and a function each, one runner. `python -m benchmarks --help`."""
