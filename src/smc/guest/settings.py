"""Files of KEY="value" lines as shells read them: /etc/default/grub, os-release."""

import re
import shlex

from smc.guest.root import Root

ASSIGNMENT = re.compile(r"^(?P<lead>\s*(?:export\s+)?)(?P<key>[A-Za-z_][A-Za-z0-9_]*)=(?P<value>.*)$")


class Settings:
    """Several such files of which a later one wins; an edit goes to the line that has the last word."""

    def __init__(self, root: Root, places: tuple[str, ...]) -> None:
        self._root = root
        self._main = places[0]
        self._files = [
            file
            for path in places
            for file in (root.files(path, suffix=".cfg") if root.is_folder(path) else [path])
        ]

    def get(self, key: str) -> str | None:
        """The value with its quotes taken off; None when no file sets it."""
        for path in reversed(self._files):
            found = parse(self._root.read(path) or "").get(key)
            if found is not None:
                return found
        return None

    def set(self, key: str, value: str, why: str) -> None:
        for path in reversed(self._files):
            text = self._root.read(path) or ""
            if key in parse(text):
                self._root.write(path, replaced(text, key, value), why)
                return
        text = self._root.read(self._main) or ""
        gap = "" if not text or text.endswith("\n") else "\n"
        self._root.write(self._main, f"{text}{gap}{key}={_quoted(value)}\n", why)


def parse(text: str) -> dict[str, str]:
    """Of several lines with one key the last counts; what a shell would run is left as it stands."""
    found = {}
    for line in text.splitlines():
        if match := ASSIGNMENT.match(line):
            found[match["key"]] = _unquoted(match["value"])
    return found


def replaced(text: str, key: str, value: str) -> str:
    """`text` with the last assignment of `key` changed, all else as it was."""
    lines = text.splitlines(keepends=True)
    for index in reversed(range(len(lines))):
        match = ASSIGNMENT.match(lines[index].rstrip("\n"))
        if match and match["key"] == key:
            end = "\n" if lines[index].endswith("\n") else ""
            lines[index] = f"{match['lead']}{key}={_quoted(value)}{end}"
            break
    return "".join(lines)


def _unquoted(value: str) -> str:
    try:
        words = shlex.split(value, comments=True)
    except ValueError:
        return value.strip()
    return words[0] if len(words) == 1 else "" if not words else value.strip()


def _quoted(value: str) -> str:
    """In double quotes, because the value may name other variables; backslashes before $ and ` are kept."""
    return '"' + re.sub(r"\\(?![$`])", r"\\\\", value).replace('"', '\\"') + '"'
