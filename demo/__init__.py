"""The main job, end to end, on real machines: what `make demo` runs and the machine tests share."""
