"""From contents that are settled to records of the index: one for each folder, when its turn has come."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from smc.transfer.contents import Contents
from smc.transfer.files.backlog import Backlog
from smc.transfer.index import FolderRecord, Index, pack
from smc.transfer.ledger import Ledger
from smc.wire.messages import Folder, FolderProof

FAR = 1 << 63  # nanoseconds, of 2262: times beyond are not remembered


@dataclass
class _Gathered:
    """Of a folder that is being listed. `clean`: nothing of it must be looked at again."""

    digest: bytes
    clean: bool
    files: list[tuple[int, bytes]] = field(default_factory=list)  # number of the listing, its part


class Recorder:
    """Of one tree and one connection. `gather` and `record` are called under the lock of the digests."""

    def __init__(self, index: Index, contents: Contents, folder: Path | None = None) -> None:
        """`folder`: of what a pass cannot hold in memory."""
        self.index = index
        self._contents = contents
        self._gathered: dict[bytes, _Gathered] = {}
        self._recorded = Backlog(folder)

    def expect(self, folder: Folder) -> None:
        """A part of a listing, before its contents are known."""
        if folder.first:
            self._gathered[folder.path] = _Gathered(folder.digest, folder.complete)
        elif not folder.complete:
            self._gathered[folder.path].clean = False

    def gather(self, ledger: Ledger) -> None:
        """All contents of a listing are here."""
        unsettled, newer = self._contents.news(ledger)
        result_of = ledger.result
        for first, end in ledger.parts():
            if first == end:
                continue
            files = ledger.files[first:end]
            gathered = self._gathered[files[0][1]]
            states = [
                (entry.name, entry.size, entry.mtime_ns, entry.changed_ns, entry.inode, result[1])
                for index, _, listed in files
                if (result := result_of(index)) is not None
                and index not in unsettled
                and -FAR < (entry := newer.get(index, listed)).mtime_ns < FAR
                and -FAR < entry.changed_ns < FAR
            ]
            if len(states) < len(files):
                gathered.clean = False
            if states:
                gathered.files.append((ledger.number, pack(states)))

    def record(self, path: bytes, proof: FolderProof) -> None:
        """The folder is proved; one that was known already has nothing gathered."""
        gathered = self._gathered.pop(path, None)
        if gathered is None:
            return
        digest = gathered.digest if gathered.clean else b""
        self.index.put(FolderRecord(path, digest, proof, b""), [part for _, part in sorted(gathered.files)])
        self._recorded.append(path)

    def take_recorded(self) -> Iterator[bytes]:
        """Folders recorded since the last call, to be sealed when all of the pass is in place.

        Also those that must be looked at again: what is changed at the target from then on shows.
        """
        yield from self._recorded
        self._recorded.close()

    def close(self) -> None:
        self._recorded.close()
