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


LIKENED = CONTEXTS.replace("/etc/systemd/network", "/usr/lib/systemd/network")  # as Debian's policy has it


def converted(tmp_path: Path, contexts: dict[str, str]) -> FakeFamily:
    guest = FakeFamily(tmp_path, "almalinux-9")
    for name, text in contexts.items():
        guest.write(f"/etc/selinux/targeted/contexts/files/{name}", text)
    for path in (path for path in guest.root.rglob("*") if path.is_file() and not path.is_symlink()):
        os.setxattr(path, "security.selinux", SOURCE)
    guest.convert()
    return guest


def label(guest: FakeFamily, path: str) -> bytes:
    return os.getxattr(guest.root / path, "security.selinux")


@pytest.mark.parametrize(
    "contexts",
    [
        {"file_contexts": CONTEXTS},
        {"file_contexts": LIKENED, "file_contexts.subs_dist": "/etc/systemd /usr/lib/systemd\n"},
    ],
    ids=["by its path", "by that of another folder"],
)
def test_edited_files_keep_their_label_and_new_ones_get_that_of_the_policy(
    contexts: dict[str, str], tmp_path: Path
) -> None:
    guest = converted(tmp_path, contexts)
    assert label(guest, "etc/fstab") == SOURCE
    link = label(guest, "etc/systemd/network/10-smc-network-card.link")
    assert link == b"system_u:object_r:net_conf_t:s0\0"
    assert not (guest.root / ".autorelabel").exists()
    assert selinux.judge(guest.files).level is Level.PASSED


def test_what_the_guest_s_programs_made_gets_its_label_also_in_a_later_attempt(tmp_path: Path) -> None:
    guest = converted(tmp_path, {"file_contexts": CONTEXTS})
    guest.write("/boot/grub2/i386-pc/module.mod", "")
    guest.convert()
    assert label(guest, "boot/grub2/i386-pc/module.mod") == b"system_u:object_r:boot_t:s0\0"
    assert not (guest.root / ".autorelabel").exists()


def test_on_a_system_without_labels_only_what_is_ours_gets_one(tmp_path: Path) -> None:
    guest = FakeFamily(tmp_path, "almalinux-9")
    guest.write("/etc/selinux/targeted/contexts/files/file_contexts", CONTEXTS)
    guest.write("/boot/grub2/i386-pc/module.mod", "")
    guest.convert()
    with pytest.raises(OSError, match="No data"):
        label(guest, "boot/grub2/i386-pc/module.mod")
