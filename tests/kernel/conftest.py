"""Two filesystems for a copy."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kernel.copying import Ends, ext4
from tests.kernel.nasty_tree import release


@pytest.fixture
def disks(tmp_path: Path) -> Path:
    """The folder of both filesystems' images."""
    return tmp_path


@pytest.fixture
def ends(disks: Path) -> Iterator[Ends]:
    with ext4(disks / "source.img") as source, ext4(disks / "target.img") as target:
        both = Ends(source, target)
        try:
            yield both
        finally:
            both.memory.close()
            release(source)
            release(target)
