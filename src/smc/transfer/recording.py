"""From contents that are settled to records of the index: one for each folder, when its turn has come."""

from dataclasses import dataclass, field

from smc.transfer.contents import Contents
from smc.transfer.index import FolderRecord, Index
from smc.transfer.ledger import Ledger
from smc.wire.messages import Folder, FolderProof


@dataclass
class _Gathered:
    """Of a folder that is being listed. `clean`: nothing of it must be looked at again."""

    digest: bytes
    clean: bool
    files: list[tuple[int, bytes]] = field(default_factory=list)  # number of the listing, its part


class Recorder:
    """Of one tree and one connection. `gather` and `record` are called under the lock of the digests."""

    def __init__(self, index: Index, contents: Contents) -> None:
        self.index = index
        self._contents = contents
        self._gathered: dict[bytes, _Gathered] = {}

    def expect(self, folder: Folder) -> None:
        """A part of a listing, before its contents are known."""
        if folder.first:
            self._gathered[folder.path] = _Gathered(folder.digest, folder.complete)
        elif not folder.complete:
            self._gathered[folder.path].clean = False

    def gather(self, ledger: Ledger, first: int, end: int, remembered: int, states: bytes) -> None:
        """All contents of a listing are here; this is what came of a folder."""
        unsettled, newer = self._contents.news(ledger)
        files = ledger.files[first:end]
        if unsettled or newer:
            remembered, states = ledger.remembered(
                [(i, path, newer.get(i, entry)) for i, path, entry in files if i not in unsettled]
            )
        gathered = self._gathered[files[0][1]]
        if remembered < len(files):
            gathered.clean = False
        if states:
            gathered.files.append((ledger.number, states))

    def record(self, path: bytes, proof: FolderProof) -> None:
        """The folder is proved; one that was known already has nothing gathered."""
        gathered = self._gathered.pop(path, None)
        if gathered is None:
            return
        digest = gathered.digest if gathered.clean else b""
        self.index.put(FolderRecord(path, digest, proof, b""), [part for _, part in sorted(gathered.files)])
