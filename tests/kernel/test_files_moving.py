"""A source that is changed at the worst moment: between being listed and read, and between two passes."""

import os
import threading

import pytest
from tests.kernel.copying import Ends, differences

from smc.transfer.files import walk
from smc.transfer.outgoing import Outgoing

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("size", [100, 3_000_000], ids=["small", "large"])
def test_a_file_that_vanishes_between_listing_and_reading_is_no_failure(
    ends: Ends, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ends.source / "stays").write_bytes(b"x" * size)
    (ends.source / "vanishes").write_bytes(b"x" * size)
    begin = Outgoing.begin

    def vanish(outgoing: Outgoing, ledger: object) -> None:
        (ends.source / "vanishes").unlink(missing_ok=True)
        begin(outgoing, ledger)  # type: ignore[arg-type] # handed on as it is

    monkeypatch.setattr(Outgoing, "begin", vanish)
    _, received = ends.copy()
    assert received.proof[0].equal
    assert differences(ends.source, ends.target) == ""


def test_a_folder_that_was_replaced_between_two_passes_is_copied_as_it_is_now(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = ends.source / "app"
    app.mkdir()
    (app / "version").write_text("old")
    replaced = threading.Event()
    look = walk.glance

    def deploy(*arguments: object) -> object:
        if threading.current_thread().name != "walk 1" and not replaced.is_set():
            replaced.set()  # the first pass is over
            app.rename(ends.source / "app.old")
            app.mkdir()
            (app / "version").write_text("new")
        return look(*arguments)  # type: ignore[arg-type] # handed on as they are

    monkeypatch.setattr("smc.transfer.closing.glance", deploy)
    _, received = ends.copy()
    assert received.passes > 1
    assert (ends.target / "app" / "version").read_text() == "new"
    assert differences(ends.source, ends.target) == ""


def test_a_file_of_the_year_2300_is_copied_in_every_round(ends: Ends) -> None:
    path = ends.source / "future"
    path.write_text("content")
    os.utime(path, ns=(0, 10_413_792_000 * 10**9))
    for _ in range(2):
        ends.copy()
        assert differences(ends.source, ends.target) == ""


def test_what_was_restored_at_the_target_is_compared_again(ends: Ends) -> None:
    """As a disk that was put back to a snapshot: same size and time, another content."""
    path = ends.source / "file"
    path.write_text("wanted")
    os.utime(path, ns=(10**18, 10**18))
    ends.copy()
    (ends.target / "file").write_text("former")
    os.utime(ends.target / "file", ns=(10**18, 10**18))
    ends.copy()
    assert (ends.target / "file").read_text() == "wanted"
