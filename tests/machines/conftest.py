"""Machine tests may move the sample server; sources of the matrix are built while other tests run."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from tests.matrix.builder import Built
from tests.matrix.rows import CI, rows
from tests.matrix.run import building
from tests.sample_migration import center, source

__all__ = ["center", "source"]

Sources = dict[str, Callable[[], Built]]


@pytest.fixture(scope="session", autouse=True)
def built_ahead(request: pytest.FixtureRequest) -> Iterator[Sources]:
    """The sources of the matrix for CI, where some test asks for them: begun with the first test of all."""
    wanted = any("sources" in getattr(item, "fixturenames", ()) for item in request.session.items)
    with ExitStack() as stack:
        yield stack.enter_context(building(list(CI), rows())) if wanted else {}


@pytest.fixture
def sources(built_ahead: Sources) -> Sources:
    return built_ahead
