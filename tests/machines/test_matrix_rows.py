"""Three machines of the matrix that differ in all that they can, each migrated by the full path and booted.

The whole matrix is `make test-machines`; what became of each row is in docs/reference/boots.md.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from demo.stages import Stages, say
from tests.matrix.builder import Built
from tests.matrix.migrate import migrate
from tests.matrix.rows import CI, rows

pytestmark = pytest.mark.machines


@pytest.mark.parametrize("name", CI)
def test_a_machine_of_the_matrix_is_migrated_and_boots_as_the_same_server(
    name: str, sources: dict[str, Callable[[], Built]], tmp_path: Path
) -> None:
    stages = Stages()
    migrate(rows()[name], sources[name], tmp_path / "run", stages)
    say(f"{name}: {stages.figures()}")
