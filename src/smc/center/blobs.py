"""DATA_DIR/blobs: pictures, consoles and logs by their hash; the same content is kept once."""

import hashlib
import re
import time
from collections.abc import Collection
from pathlib import Path

from smc.base.files import write_atomic

HASH = re.compile(r"[0-9a-f]{64}")
FRESH_SECONDS = 3600.0  # a blob is written before the row that names it


class Blobs:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, content: bytes) -> str:
        """Its SHA-256, "" of nothing."""
        if not content:
            return ""
        name = hashlib.sha256(content).hexdigest()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (self._folder / name).exists():
            write_atomic(self._folder / name, content, mode=0o600)
        return name

    def read(self, name: str) -> bytes:
        """Empty when it is not here: it was kept by another center, or somebody has removed it."""
        if not HASH.fullmatch(name):
            return b""
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return b""

    def forget_all_but(self, used: Collection[str]) -> None:
        """Remove what nobody names any more."""
        if not self._folder.exists():
            return
        for path in self._folder.iterdir():
            old = time.time() - path.stat().st_mtime > FRESH_SECONDS
            if HASH.fullmatch(path.name) and path.name not in used and old:
                path.unlink(missing_ok=True)
