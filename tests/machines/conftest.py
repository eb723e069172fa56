"""Machine tests may move the sample server."""

from tests.sample_migration import center, source

__all__ = ["center", "source"]
