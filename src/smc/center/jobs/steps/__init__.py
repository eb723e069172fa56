"""The steps of a run; each may be repeated after a crash and then finds what it made before."""
