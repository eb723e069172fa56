"""The layouts of btrfs that distributions make."""

from tests.unit.model.sources import filesystem

from smc.model.disk import Filesystem, Subvolume
from smc.model.subvolumes import subvolumes, why_left
from smc.transfer.files.patterns import Excludes


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
    found = [(each.path, each.seen_at, each.copied, each.excludes) for each in subvolumes("0_2", fs)]
    assert found == [
        ("", "", False, ("/@", "/@/.snapshots", f"/{root}", "/@/var", "/@/.snapshots/2")),
        ("@", "", False, ("/.snapshots", "/.snapshots/1/snapshot", "/var", "/.snapshots/2")),
        ("@/.snapshots", "/.snapshots", True, ("/1/snapshot", "/2")),
        (root, "/", True, ()),
        ("@/var", "/var", True, ()),
    ], "snapper finds at the target the one snapshot that is there"


def test_without_its_snapshots_mounted_it_comes_along() -> None:
    fs = btrfs(
        Subvolume(path="@"),
        Subvolume(path="@/.snapshots"),
        Subvolume(path="@/.snapshots/1/snapshot", mount_point="/", is_default=True),
        Subvolume(path="@/var", mount_point="/var"),
    )
    assert [each.path for each in subvolumes("0_2", fs) if each.copied] == [
        "@/.snapshots/1/snapshot",
        "@/var",
    ]


def test_a_subvolume_inside_of_a_mounted_one_comes_along_and_is_seen_below_it() -> None:
    fs = btrfs(Subvolume(path="@", mount_point="/"), Subvolume(path="@/var/lib/a[b]\\"))
    _, root, inside = subvolumes("0_2", fs)
    assert (inside.mount_point, inside.seen_at, inside.copied) == ("", "/var/lib/a[b]\\", True)
    (pattern,) = root.excludes
    assert Excludes([pattern]).match(b"var/lib/a[b]\\", folder=True)
    assert not Excludes([pattern]).match(b"var/lib/ab\\", folder=True)


def test_a_top_that_is_mounted_and_holds_others_is_copied_without_them() -> None:
    fs = filesystem(
        "/", 1 << 34, 1 << 30, type="btrfs",
        subvolumes=(Subvolume(path="", mount_point="/", is_default=True), Subvolume(path="home")),
    )  # fmt: skip
    top, home = subvolumes("0_2", fs)
    assert (top.copied, top.excludes, home.seen_at) == (True, ("/home",), "/home")


def test_writable_snapshots_stay_behind_with_what_lies_in_them() -> None:
    fs = btrfs(
        Subvolume(path="@", mount_point="/"),
        Subvolume(path="@/copy", is_clone=True),
        Subvolume(path="@/copy/inside"),
        Subvolume(path="@/a,b"),
    )
    assert "comma" in why_left(fs.subvolumes[4], fs), "it would not be mounted"
    assert "writable snapshot" in why_left(fs.subvolumes[2], fs)
    assert why_left(fs.subvolumes[3], fs) == "it lies in @/copy, which stays behind"
