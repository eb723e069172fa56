"""A target with something precious beside it; and waits that look at the end of work more often."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from smc.transfer import contents, jobs, outgoing, pipeline


@pytest.fixture(autouse=True, scope="session")
def _short_ticks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module in (contents, jobs, outgoing, pipeline):
            patch.setattr(module, "TICK_SECONDS", 0.01)
        yield


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A target that `assert_refused` judges."""
    place = tmp_path / "target"
    place.mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "precious").write_text("precious")
    return place
