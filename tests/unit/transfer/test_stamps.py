"""Where time stamps do not tell every change, nothing is taken for known: at either end."""

import os
from pathlib import Path

import pytest
from tests.unit.transfer.faults import Faulty, Parcels, only_in
from tests.unit.transfer.test_files_on_a_folder import _wait_until_settled as wait_until_settled
from tests.unit.transfer.two_folders import TwoFolders, picture

from smc.transfer import native
from smc.transfer.files.folders import Folders
from smc.transfer.files.patterns import Excludes
from smc.transfer.files.walk import look_over
from smc.transfer.troubles import CLOCK_NS, Troubles

EXT, VFAT, FUSE, NFS = 0xEF53, 0x4D44, 0x65735546, 0x6969
SECOND = 1_000_000_000


def stand_on(monkeypatch: pytest.MonkeyPatch, kinds: dict[Path, int]) -> None:
    """The kernel says of these folders that they are on filesystems of these kinds."""

    def filesystem(handle: int) -> int:
        here = Path(f"/proc/self/fd/{handle}").readlink()
        (kind,) = (kind for root, kind in kinds.items() if here.is_relative_to(root))
        return kind

    monkeypatch.setattr(native, "filesystem", filesystem)


@pytest.fixture
def ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TwoFolders:
    monkeypatch.setattr(native, "sync_filesystem", lambda handle: None)
    (tmp_path / "source" / "EFI" / "boot").mkdir(parents=True)
    (tmp_path / "source" / "EFI" / "boot" / "bootx64.efi").write_bytes(b"a loader")
    (tmp_path / "target").mkdir()
    with Folders(tmp_path / "source") as folders:
        wait_until_settled(folders)
    return TwoFolders(tmp_path / "source", tmp_path / "target")


@pytest.mark.parametrize(
    ("source", "target", "known"),
    [(EXT, EXT, True), (VFAT, VFAT, False), (VFAT, EXT, False), (EXT, VFAT, False), (FUSE, EXT, False)],
)
def test_folders_are_known_only_where_both_ends_tell_of_changes(
    ends: TwoFolders, monkeypatch: pytest.MonkeyPatch, source: int, target: int, known: bool
) -> None:
    stand_on(monkeypatch, {ends.source: source, ends.target: target})
    assert ends.copy().is_right
    listing, parcels = Faulty(native.listing, {}), Parcels(ends.source)
    monkeypatch.setattr(native, "listing", only_in(ends.source, listing, native.listing))
    monkeypatch.setattr(native, "Parcel", parcels)
    assert ends.copy().is_right
    assert (listing.calls == 0) is known
    assert (parcels.calls == 0) is known, "contents are compared"


def test_what_changes_without_a_trace_is_found(ends: TwoFolders, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rewritten loader that looks as before to any `stat`."""
    stand_on(monkeypatch, {ends.source: VFAT, ends.target: VFAT})
    assert ends.copy().is_right
    real_survey = native.survey
    known: dict[str, bytes] = {}

    def survey(folder: int, names: object = None) -> "native.Survey":
        here = str(Path(f"/proc/self/fd/{folder}").readlink())
        digest, *rest = real_survey(folder)
        return (known.setdefault(here, digest), *rest)  # type: ignore[return-value]  # of the same length

    monkeypatch.setattr(native, "survey", survey)
    loader = ends.target / "EFI" / "boot" / "bootx64.efi"
    state = loader.stat()
    assert ends.copy().is_right
    with loader.open("r+b") as file:
        file.write(b"A LOADER")
    os.utime(loader, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert ends.copy().is_right
    assert picture(ends.target) == picture(ends.source)


@pytest.mark.parametrize(("kind", "told"), [(EXT, True), (VFAT, False), (NFS, False), (0, False)])
def test_a_look_has_a_digest_only_where_it_tells(
    ends: TwoFolders, monkeypatch: pytest.MonkeyPatch, kind: int, told: bool
) -> None:
    stand_on(monkeypatch, {ends.source: kind})
    with Folders(ends.source) as folders:
        digests = [seen.digest for seen in look_over(folders, Excludes(()), lambda: None)]
    assert [bool(digest) for digest in digests] == [told] * 3


def test_the_kernel_names_the_kind(tmp_path: Path) -> None:
    with Folders(Path("/proc")) as proc:
        assert native.filesystem(proc.open(b"")) == 0x9FA0
        assert not proc.stamped
    with pytest.raises(OSError):
        native.filesystem(1 << 20)


@pytest.mark.parametrize(
    ("changed", "recent"),
    [(0, True), (-CLOCK_NS, True), (-CLOCK_NS - 1, False), (SECOND // 2, True), (-SECOND, False)],
)
def test_what_changed_since_the_pass_began_is_recent(changed: int, recent: bool) -> None:
    troubles = Troubles(["/"])
    began = troubles.recent_ns + CLOCK_NS
    began_odd = began + (1 if (began + changed) % SECOND == 0 else 0)
    troubles.recent_ns = began_odd - CLOCK_NS
    assert troubles.is_recent(began_odd + changed) is recent


def test_a_whole_second_may_stand_for_up_to_two_that_follow() -> None:
    troubles = Troubles(["/"])
    troubles.recent_ns = 100 * SECOND + 1
    assert [troubles.is_recent(second * SECOND) for second in (98, 99, 100, 101)] == [False, True, True, True]
