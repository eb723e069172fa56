"""Files of [section] and key=value lines, edited line by line: systemd units, NetworkManager keyfiles."""

from collections.abc import Callable

# (section, key, value) -> None keeps the line, "#" comments it out, anything else is the new one
Edit = Callable[[str, str, str], str | None]


def values(text: str, section: str, key: str) -> list[str]:
    return [value for there, name, value in assignments(text) if (there, name) == (section, key)]


def sections(text: str) -> set[str]:
    return {there for there, _, _ in assignments(text)}


def assignments(text: str) -> list[tuple[str, str, str]]:
    found = []

    def note(section: str, key: str, value: str) -> None:
        found.append((section, key, value))

    edited(text, note)
    return found


def edited(text: str, edit: Edit) -> str:
    lines, section = [], ""
    for line in text.splitlines():
        bare = line.strip()
        if bare.startswith("[") and bare.endswith("]"):
            section = bare[1:-1]
        elif "=" in bare and not bare.startswith(("#", ";")):
            key, _, value = bare.partition("=")
            changed = edit(section, key.strip(), value.strip())
            if changed is not None:
                line = f"#{line}" if changed == "#" else changed  # noqa: PLW2901
        lines.append(line)
    return "\n".join(lines) + "\n"


def added(text: str, section: str, line: str) -> str:
    """`line` as the first of the section, which is made when there is none."""
    lines = text.splitlines()
    for number, there in enumerate(lines):
        if there.strip() == f"[{section}]":
            return "\n".join([*lines[: number + 1], line, *lines[number + 1 :]]) + "\n"
    return "\n".join([*lines, "", f"[{section}]", line]) + "\n"
