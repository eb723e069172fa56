"""Rings of tests by folder and marker; see docs/design/README.md, Tests."""
