"""The client of the center's API."""
