"""Data streams of a connection are opened side by side, and one that cannot be opened ends it."""

import threading
from pathlib import Path

import pytest
from tests.unit.transfer.two_folders import TwoFolders

from smc.base.errors import Transient
from smc.transfer.sender import OpenStream
from smc.transfer.writer import STREAMS
from smc.wire.route import Route
from smc.wire.stream import Opening, SendingStream

SECONDS = 10.0


@pytest.fixture
def folders(tmp_path: Path) -> TwoFolders:
    source, target = tmp_path / "source", tmp_path / "target"
    for folder in (source, target):
        folder.mkdir()
    (source / "file").write_bytes(b"content")
    return TwoFolders(source, target)


def test_no_stream_waits_for_another_to_be_opened(folders: TwoFolders) -> None:
    all_begun = threading.Barrier(STREAMS)

    def opening(route: Route) -> OpenStream:
        def open_one(opening: Opening, secure: bool) -> SendingStream:
            all_begun.wait(SECONDS)
            return route.open_stream(opening, secure)

        return open_one

    folders.opening = opening
    assert folders.copy().is_right


@pytest.mark.parametrize("number", range(STREAMS))
def test_one_that_cannot_be_opened_ends_the_connection_with_its_error(
    folders: TwoFolders, number: int
) -> None:
    def opening(route: Route) -> OpenStream:
        def open_one(opening: Opening, secure: bool) -> SendingStream:
            if opening.number == number:
                raise Transient("the line is dead", code="Wire.Cut")
            return route.open_stream(opening, secure)

        return open_one

    folders.opening = opening
    outcome = folders.copy()
    assert isinstance(outcome.sent, Transient)
    assert outcome.sent.message == "the line is dead"
    assert isinstance(outcome.received, Transient)
