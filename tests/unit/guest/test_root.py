"""Files inside a copy: never outside of it, edits that keep all else, one record a path."""

import os
from pathlib import Path

import pytest

from smc.base.errors import Broken
from smc.guest.journal import Journal
from smc.guest.root import Root
from smc.guest.watch import watched


@pytest.fixture
def root(tmp_path: Path) -> Root:
    (tmp_path / "outside").write_text("of the machine that converts")
    (tmp_path / "root/etc").mkdir(parents=True)
    return Root(tmp_path / "root", Journal())


@pytest.mark.parametrize(
    "target", ["/../outside", "../../outside", "../../../../../../outside", "/etc/../../outside"]
)
def test_a_link_that_leads_up_ends_at_the_root_of_the_copy(root: Root, target: str) -> None:
    (root.path / "etc/link").symlink_to(target)
    (root.path / "outside").write_text("of the copy")
    assert root.read("/etc/link") == "of the copy"
    assert root.read("/../../outside") == "of the copy"


def test_an_absolute_link_is_followed_from_the_root_of_the_copy(root: Root, tmp_path: Path) -> None:
    (root.path / "etc/link").symlink_to(tmp_path / "outside")
    assert root.read("/etc/link") is None


def test_a_write_through_a_link_to_a_folder_stays_in_the_copy(root: Root, tmp_path: Path) -> None:
    (root.path / "conf").symlink_to("/../etc")
    root.write("/conf/new", "text\n", "why")
    assert (root.path / "etc/new").read_text() == "text\n"
    assert [change.path for change in root.journal.changes] == ["/etc/new"]


def test_links_without_end_are_absent(root: Root) -> None:
    (root.path / "etc/a").symlink_to("b")
    (root.path / "etc/b").symlink_to("a")
    assert root.read("/etc/a") is None
    assert not root.exists("/etc/a")


def test_a_pipe_is_neither_read_nor_written(root: Root) -> None:
    os.mkfifo(root.path / "etc/fstab")
    assert root.read("/etc/fstab") is None
    with pytest.raises(Broken, match="/etc/fstab on the copy cannot be written"):
        root.write("/etc/fstab", "x", "why")


def test_an_absurdly_large_file_is_refused(root: Root) -> None:
    with (root.path / "etc/fstab").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(Broken, match="too large"):
        root.read("/etc/fstab")


def test_a_file_of_any_size_is_replaced_and_removed_without_being_read(root: Root) -> None:
    for name in ("replaced", "removed"):
        with (root.path / name).open("wb") as file:
            file.truncate(1 << 40)
    root.write("/replaced", "small", "a test")
    root.remove("/removed", "a test")
    assert (root.path / "replaced").read_text() == "small"
    assert [change.before for change in root.journal.changes] == [f"(a file of {1 << 40} bytes)"] * 2


def test_an_edit_keeps_mode_and_attributes_and_the_time_of_the_folder(root: Root) -> None:
    file = root.path / "etc/secret"
    file.write_text("old")
    file.chmod(0o640)
    os.utime(root.path / "etc", ns=(5, 7))
    root.write("/etc/secret", "new", "why")
    assert file.read_text() == "new"
    assert file.stat().st_mode & 0o7777 == 0o640
    assert (root.path / "etc").stat().st_mtime_ns == 7
    assert [path.name for path in file.parent.iterdir()] == ["secret"]


def test_all_names_of_a_file_show_the_edit(root: Root) -> None:
    (root.path / "etc/one").write_text("old")
    (root.path / "etc/two").hardlink_to(root.path / "etc/one")
    root.write("/etc/one", "new", "why")
    assert (root.path / "etc/two").read_text() == "new"
    assert (root.path / "etc/one").stat().st_nlink == 2


def test_bytes_that_are_no_text_survive_an_edit(root: Root) -> None:
    (root.path / "etc/names").write_bytes(b"caf\xe9\nhost=a\n")
    text = root.read("/etc/names")
    assert text
    root.write("/etc/names", text.replace("host=a", "host=b"), "why")
    assert (root.path / "etc/names").read_bytes() == b"caf\xe9\nhost=b\n"


def test_removing_a_link_leaves_what_it_leads_to(root: Root) -> None:
    (root.path / "etc/file").write_text("text")
    (root.path / "etc/link").symlink_to("file")
    root.remove("/etc/link", "why")
    root.remove("/etc/absent", "why")
    assert (root.path / "etc/file").exists()
    assert [(c.path, c.before, c.after) for c in root.journal.changes] == [("/etc/link", "-> file", "")]


def test_removing_a_folder_follows_no_link_in_it(root: Root, tmp_path: Path) -> None:
    (root.path / "smc").mkdir()
    (root.path / "smc/link").symlink_to(tmp_path)
    root.remove("/smc", "why")
    assert (tmp_path / "outside").exists()
    assert not root.exists("/smc")


def test_two_edits_of_a_file_are_one_change_from_the_first_to_the_last(root: Root) -> None:
    root.write("/etc/file", "one", "first reason")
    root.write("/etc/file", "two", "second reason")
    (change,) = root.journal.changes
    assert (change.before, change.after, change.why) == ("", "two", "first reason; second reason")


def test_an_edit_that_is_taken_back_is_no_change(root: Root) -> None:
    (root.path / "etc/file").write_text("one")
    root.write("/etc/file", "two", "why")
    root.write("/etc/file", "one", "why")
    assert root.journal.changes == ()


@pytest.mark.parametrize(
    "line",
    ["password=hunter2", "wifi-psk: hunter2", "password_pbkdf2 root hunter2", "client_secret = hunter2"],
)
def test_a_password_in_an_edited_file_is_not_in_the_record(root: Root, line: str) -> None:
    root.write("/etc/file", f"[a]\n{line}\nother=1\n", "why")
    (change,) = root.journal.changes
    assert "hunter2" not in change.after
    assert "other=1" in change.after


def test_what_a_program_writes_with_the_same_content_is_no_change_and_keeps_its_time(root: Root) -> None:
    same, other, gone = (root.path / "etc" / name for name in ("same", "other", "gone"))
    for file in (same, other, gone):
        file.write_text("old")
        os.utime(file, ns=(3, 3))
    os.utime(root.path / "etc", ns=(4, 4))
    with watched(root, ["/etc", "/absent"], "by a program"):
        same.write_text("old")
        other.write_text("new")
        gone.unlink()
        (root.path / "etc/made").write_text("made")
    assert same.stat().st_mtime_ns == 3
    assert (root.path / "etc").stat().st_mtime_ns == 4
    changes = {c.path: (c.before, c.after) for c in root.journal.changes}
    assert changes == {"/etc/other": ("old", "new"), "/etc/gone": ("old", ""), "/etc/made": ("", "made")}
