"""YAML of nested blocks as netplan's files are written, edited line by line so that all else stays.

Only mappings written as indented blocks are seen into; a value in one line, [..] and {..} too, stays a value.
There is no YAML reader where the receiver runs, and one that writes would lose comments.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

KEY = re.compile(r"^(?P<indent> *)(?P<key>[^\s:#\-\"'][^:#]*|\"[^\"]*\"|'[^']*'):(?:\s+(?P<value>.*?))?\s*$")


class Node(NamedTuple):
    """A key in a file: where it stands, and up to which line (exclusive) what belongs to it goes."""

    path: tuple[str, ...]
    value: str
    line: int
    end: int
    indent: int


def nodes(text: str) -> list[Node]:
    """Every key outside of lists, in the order of the lines."""
    lines = text.splitlines()
    found: list[Node] = []
    above: list[tuple[int, str]] = []
    skip_until = 0
    for number, line in enumerate(lines):
        match = KEY.match(line)
        if number < skip_until or match is None:
            continue
        indent = len(match["indent"])
        while above and above[-1][0] >= indent:
            above.pop()
        key = match["key"].strip().strip("\"'")
        path = (*(name for _, name in above), key)
        end, is_list = _end(lines, number, indent)
        value = re.sub(r"(?:^|\s)#.*$", "", match["value"] or "").strip()
        found.append(Node(path, value, number, end, indent))
        above.append((indent, key))
        if is_list:
            skip_until = end
    return found


def commented(text: str, unwanted: Callable[[Node], bool]) -> str:
    """The text with each unwanted key, and what belongs to it, commented out."""
    lines = text.splitlines()
    for node in nodes(text):
        if unwanted(node):
            for number in range(node.line, node.end):
                line = lines[number]
                if line.strip() and not line.lstrip().startswith("#"):
                    lines[number] = f"#{line}"
    return "\n".join(lines) + "\n"


def with_key(text: str, path: tuple[str, ...], value: str) -> str:
    """The text with a key set below one that is there; it becomes its first child when it is new."""
    lines = text.splitlines()
    every = nodes(text)
    for node in every:
        if node.path == path:
            lines[node.line] = f"{' ' * node.indent}{path[-1]}: {value}"
            return "\n".join(lines) + "\n"
    parent = next(node for node in every if node.path == path[:-1])
    children = [node.indent for node in every if node.path[:-1] == parent.path]
    step = parent.indent // max(1, len(parent.path) - 1) or 2
    indent = children[0] if children else parent.indent + step
    lines[parent.line] = re.sub(r":\s*\{\s*\}\s*$", ":", lines[parent.line])
    lines.insert(parent.line + 1, f"{' ' * indent}{path[-1]}: {value}")
    return "\n".join(lines) + "\n"


def _end(lines: list[str], start: int, indent: int) -> tuple[int, bool]:
    """Where the block of a key ends, and whether it is a list."""
    end, is_list = start + 1, False
    for number in range(start + 1, len(lines)):
        bare = lines[number].strip()
        if not bare or bare.startswith("#"):
            continue
        here = len(lines[number]) - len(lines[number].lstrip(" "))
        item = bare == "-" or bare.startswith("- ")
        if here < indent or (here == indent and not item):
            break
        if end == start + 1:
            is_list = item
        end = number + 1
    return end, is_list
