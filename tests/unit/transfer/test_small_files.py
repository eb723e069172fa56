"""Small files on their way out: what one frame has of them."""

import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from smc.transfer.compression import Compression
from smc.transfer.files.entry import read_entry
from smc.transfer.files.folders import Folders
from smc.transfer.jobs import Desk, Jobs
from smc.transfer.large import LargeJob
from smc.transfer.ledger import Ledger
from smc.transfer.small import SmallJob, new_parcel
from smc.transfer.troubles import Troubles
from smc.transfer.verify import TreeDigest
from smc.wire import messages as m
from smc.wire.frame import Content
from smc.wire.stream import Opening, Sending, SendingStream

FILES = {b"a": b"first", b"b": b"", b"c": os.urandom(40_000), b"d": b"last"}


class Recorder(SendingStream):
    """Keeps what it is told to send."""

    def __init__(self) -> None:
        self.number = Opening.fresh(0).number
        self.pace = None
        self.sent: list[tuple[m.Message, list[bytes]]] = []

    def send(self, message: m.Message, content: Content = b"", level: int | None = None) -> Sending:
        assert not isinstance(content, bytes | bytearray | memoryview)
        self.sent.append((message, [bytes(piece) for piece in content]))
        return Sending(0, 0, 0.0, 0.0)


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Folders]:
    for name, content in FILES.items():
        (tmp_path / os.fsdecode(name)).write_bytes(content)
    with Folders(tmp_path) as opened:
        yield opened


def desk_of(folders: Folders) -> tuple[Desk, Recorder, list[int]]:
    """A stream's desk, what goes out, and which files are settled."""
    recorder, settled = Recorder(), list[int]()

    def settle(_: Ledger, sent: Sequence[m.Sent], missing: Sequence[int] = ()) -> None:
        settled.extend([*[file.index for file in sent], *missing])

    troubles = Troubles(["/"])
    desk = Desk(
        stream=recorder,
        folders=[folders],
        parcel=new_parcel(),
        jobs=Jobs(lambda: None),
        compression=Compression(lambda: 0, lambda _: None, lambda _: None),
        troubles=lambda: troubles,
        settled=settle,
        check=lambda: None,
        pace=lambda: None,
    )
    return desk, recorder, settled


def listed(folders: Folders) -> Ledger:
    entries = tuple(read_entry(folders.open(b""), name)[0] for name in FILES)
    folder = m.Folder(b"", entries)
    return Ledger(m.Listing(1, 0, (folder,)), 0, TreeDigest(), threading.Lock())


def test_what_was_read_together_goes_as_one_piece(folders: Folders) -> None:
    desk, recorder, settled = desk_of(folders)
    ledger = listed(folders)
    SmallJob(ledger, ledger.files).work(desk)
    [(message, pieces)] = recorder.sent
    assert isinstance(message, m.Small)
    assert [(sent.index, sent.size) for sent in message.files] == [
        (index, len(content)) for index, content in enumerate(FILES.values())
    ]
    assert pieces == [b"".join(FILES.values())]
    assert settled == [0, 1, 2, 3]


def test_what_changed_meanwhile_is_left_out_of_the_frame(folders: Folders, tmp_path: Path) -> None:
    desk, recorder, settled = desk_of(folders)
    ledger = listed(folders)
    (tmp_path / "c").write_bytes(b"another content")
    SmallJob(ledger, ledger.files).work(desk)
    [(message, pieces)] = recorder.sent
    assert isinstance(message, m.Small)
    assert [sent.index for sent in message.files] == settled == [0, 1, 3]
    assert pieces == [b"firstlast"]
    assert isinstance(desk.jobs.get(), LargeJob)
