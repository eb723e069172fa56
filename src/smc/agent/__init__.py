"""The program on the source server."""
