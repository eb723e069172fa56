"""Verification: an instance of a delivered image is booted by itself and looked at, then it goes again."""
