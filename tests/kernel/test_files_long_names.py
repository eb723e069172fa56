"""Names of more bytes than Linux's own filesystems hold, as vfat and NTFS have them: listed, not fatal."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kernel.copying import Ends, differences, ext4, tool

pytestmark = pytest.mark.kernel

LONG = "長" * 100  # 300 bytes, of the 255 UTF-16 units that NTFS has room for
LONGEST_HERE = "長" * 85  # 255 bytes


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[Ends]:
    image, source = tmp_path / "ntfs.img", tmp_path / "source"
    with image.open("wb") as made:
        made.truncate(64 << 20)
    source.mkdir()
    tool("mkntfs", "-Q", "-F", "-q", image)
    tool("ntfs-3g", image, source)
    try:
        with ext4(tmp_path / "target.img") as target:
            yield Ends(source, target)
    finally:
        tool("umount", source)


def test_a_name_that_is_too_long_for_the_copy_is_listed_and_the_rest_arrives(ends: Ends) -> None:
    (ends.source / LONG).write_bytes(b"has no place")
    (ends.source / f"{LONG} folder").mkdir()
    (ends.source / f"{LONG} folder" / "below").write_bytes(b"nor has this")
    (ends.source / LONGEST_HERE).write_bytes(b"just fits")
    for _ in range(2):
        sent, received = ends.copy()
        too_long = {f"/srv/{LONG}", f"/srv/{LONG} folder"}
        assert {trouble.path for trouble in sent.unreadable} == too_long
        assert "too long" in sent.unreadable[0].why
        assert received.proof[0].equal
        assert differences(ends.source, ends.target, f"{LONG}*", "lost+found") == ""
        assert (ends.target / LONGEST_HERE).read_bytes() == b"just fits"
        (ends.source / "more").write_bytes(b"of the second round")
