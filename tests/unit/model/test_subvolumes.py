"""The layouts of btrfs that distributions make."""

from tests.unit.model.sources import filesystem

from smc.model.disk import Filesystem, Subvolume
from smc.model.subvolumes import refusal, subvolumes, why_left


def btrfs(*given: Subvolume) -> Filesystem:
    return filesystem("/", 1 << 34, 1 << 30, type="btrfs", subvolumes=(Subvolume(path=""), *given))


def test_ubuntu_has_its_two_subvolumes_and_an_empty_top() -> None:
    found = subvolumes(
        "0_2", btrfs(Subvolume(path="@", mount_point="/"), Subvolume(path="@home", mount_point="/home"))
    )
    assert [(each.source, each.path, each.mount_point, each.copied) for each in found] == [
        ("0_2", "", "", False),
        ("0_2s1", "@", "/", True),
        ("0_2s2", "@home", "/home", True),
    ]


def test_opensuse_starts_from_a_snapshot_and_leaves_the_others() -> None:
    root = "@/.snapshots/1/snapshot"
    fs = btrfs(
        Subvolume(path="@"),
        Subvolume(path="@/.snapshots", mount_point="/.snapshots"),
        Subvolume(path=root, mount_point="/", is_default=True),
        Subvolume(path="@/.snapshots/2/snapshot", is_snapshot=True),
        Subvolume(path="@/var", mount_point="/var"),
    )
    assert why_left(fs.subvolumes[4], fs) == "a read-only snapshot"
    assert refusal(fs), "the folder of the snapshots is mounted and holds the root"


def test_without_its_snapshots_mounted_it_comes_along() -> None:
    fs = btrfs(
        Subvolume(path="@"),
        Subvolume(path="@/.snapshots"),
        Subvolume(path="@/.snapshots/1/snapshot", mount_point="/", is_default=True),
        Subvolume(path="@/var", mount_point="/var"),
    )
    assert not refusal(fs)
    assert [each.path for each in subvolumes("0_2", fs) if each.copied] == [
        "@/.snapshots/1/snapshot",
        "@/var",
    ]


def test_a_subvolume_inside_of_a_mounted_one_is_left_with_the_reason() -> None:
    fs = btrfs(Subvolume(path="@", mount_point="/"), Subvolume(path="@/var/lib/machines"))
    assert "inside of a mounted one" in why_left(fs.subvolumes[2], fs)
    assert not refusal(fs)
