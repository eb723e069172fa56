"""Two filesystems for a copy."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kernel.copying import Ends, ext4
from tests.kernel.nasty_tree import release


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[Ends]:
    with ext4(tmp_path / "source.img") as source, ext4(tmp_path / "target.img") as target:
        both = Ends(source, target)
        try:
            yield both
        finally:
            both.memory.close()
            release(source)
            release(target)
