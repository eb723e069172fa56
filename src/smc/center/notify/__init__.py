"""Telling people and programs what happened: where to, how, and until it has arrived."""
