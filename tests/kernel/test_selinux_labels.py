"""SELinux labels on a real filesystem: kept where files are edited, set where new (kernel ring)."""

import os
from pathlib import Path

import pytest
from tests.unit.guest.fake_families import FakeFamily
from tests.unit.guest.test_left_over import CONTEXTS

from smc.guest import selinux
from smc.model.report import Level

pytestmark = pytest.mark.kernel

SOURCE = b"system_u:object_r:of_the_source_t:s0\0"


def test_edited_files_keep_their_label_and_new_ones_get_that_of_the_policy(tmp_path: Path) -> None:
    guest = FakeFamily(tmp_path, "almalinux-9")
    guest.write("/etc/selinux/targeted/contexts/files/file_contexts", CONTEXTS)
    for path in (path for path in guest.root.rglob("*") if path.is_file() and not path.is_symlink()):
        os.setxattr(path, "security.selinux", SOURCE)
    guest.convert()

    def label(path: str) -> bytes:
        return os.getxattr(guest.root / path, "security.selinux")

    assert label("etc/fstab") == SOURCE
    assert label("etc/systemd/network/10-smc-network-card.link") == b"system_u:object_r:net_conf_t:s0\0"
    assert not (guest.root / ".autorelabel").exists()
    assert selinux.judge(guest.files).level is Level.PASSED
