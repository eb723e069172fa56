"""Tickets of receivers: single use, made from a key so that a repeated step hands out the same one."""

import base64
import hashlib
import hmac
import os
from pathlib import Path

from smc.base.files import write_atomic
from smc.base.secret import Secret

KEY_BYTES = 32


class Tickets:
    """The journal of a workflow holds no tickets; the same run and attempt give the same ticket again."""

    def __init__(self, folder: Path) -> None:
        file = folder / "ticket-key"
        if not file.exists():
            write_atomic(file, os.urandom(KEY_BYTES), mode=0o600)
        self._key = file.read_bytes()

    def ticket(self, run: str, attempt: int = 1) -> Secret:
        digest = hmac.new(self._key, f"{run}/{attempt}".encode(), hashlib.sha256).digest()
        return Secret(base64.urlsafe_b64encode(digest).decode().rstrip("="))
