"""The center's certificates: its CA and, for each run, a CA of its own."""
