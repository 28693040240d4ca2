"""The measured promises: `python -m benchmarks` prints them. Nothing here asserts; see docs/benchmarks.md for recorded figures."""
