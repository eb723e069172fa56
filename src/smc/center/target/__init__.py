"""Existing instances as destinations: which of them a source fits on, and why not the others."""
