"""What a conversion changed on a copy: one entry a path, the first `before`, the last `after`."""

import hashlib
import re
from collections.abc import Iterable

from smc.model.report import Change

SECRET = re.compile(r"^(.*(?:password|psk|secret)[\w-]*\s*[=: ]\s*)\S.*$", re.IGNORECASE | re.MULTILINE)
TEXT_KEPT = 64 << 10  # characters of a text in a Change (model/report.py)


class Journal:
    """Give a repeated conversion the changes of the attempts before it: what they found is the true `before`.

    Nothing of this is kept on the copy; `changes` is up to date even after a conversion that failed.
    """

    def __init__(self, earlier: Iterable[Change] = ()) -> None:
        self._changes = {change.path: change for change in earlier}

    def record(self, path: str, why: str, before: str, after: str) -> None:
        first = self._changes.get(path)
        if first:
            before = first.before
            why = first.why if why in first.why else f"{first.why}; {why}"
        if before == after:
            self._changes.pop(path, None)
        else:
            self._changes[path] = Change(path=path, why=why, before=_masked(before), after=_masked(after))

    @property
    def changes(self) -> tuple[Change, ...]:
        return tuple(self._changes[path] for path in sorted(self._changes))


def _masked(text: str) -> str:
    return SECRET.sub(r"\1***", text)


def as_recorded(content: bytes | None) -> str:
    """What a Change says of a file's content: its text, or hash and size of what is not text."""
    if content is None:
        return ""
    if b"\0" not in content[:TEXT_KEPT]:
        try:
            return content.decode()[:TEXT_KEPT]
        except UnicodeDecodeError:
            pass
    return f"sha256:{hashlib.sha256(content).hexdigest()} {len(content)}"
