"""Benchmarks of the file engine; docs/reference/benchmarks.md says what is measured and how to read it."""
