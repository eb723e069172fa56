"""The version of this program; a test holds it equal to pyproject's."""

VERSION = "0.1.0"
