"""LVM's metadata as text, as in lvm.conf(5): `name { ... }`, `name = value`, lists, # before a comment.

It is of an image that may be hostile: it is read in one pass, and what is not as it is to be is an exception.
"""

import re
from collections.abc import Iterator
from typing import TypeAlias

DEEPEST = 8
TOKEN = re.compile(
    r'\s+|#[^\n]*|"(?P<text>(?:[^"\\]|\\.)*)"|(?P<word>[A-Za-z0-9+_.-]+)|(?P<mark>[][{}=,])', re.DOTALL
)

Value: TypeAlias = "int | str | list[Value] | dict[str, Value]"
Section: TypeAlias = dict[str, Value]


class Damaged(ValueError):
    """The metadata is not as it is to be."""


def parse(text: str) -> Section:
    """Raises `Damaged`."""
    words = _words(text)
    top: Section = {}
    open_sections = [top]
    for kind, word in words:
        here = open_sections[-1]
        if (kind, word) == ("mark", "}") and len(open_sections) > 1:
            open_sections.pop()
        elif kind == "word" and (then := next(words, ("", ""))) == ("mark", "{"):
            if len(open_sections) == DEEPEST:
                raise Damaged("LVM's metadata, nested too deeply")
            below: Section = {}
            here[word] = below
            open_sections.append(below)
        elif kind == "word" and then == ("mark", "="):
            here[word] = _value(words)
        else:
            raise Damaged(f"LVM's metadata at {word[:20]!r}")
    if len(open_sections) > 1:
        raise Damaged("LVM's metadata, not closed")
    return top


def _value(words: Iterator[tuple[str, str]]) -> Value:
    first = next(words, ("", ""))
    if first != ("mark", "["):
        return _single(first)
    values: list[Value] = []
    for word in words:
        if word == ("mark", "]"):
            return values
        if word != ("mark", ","):
            values.append(_single(word))
    raise Damaged("LVM's metadata, a list that is not closed")


def _single(word: tuple[str, str]) -> Value:
    kind, text = word
    if kind == "text":
        return text
    if kind == "word" and re.fullmatch(r"-?\d{1,18}", text):
        return int(text)
    raise Damaged(f"LVM's metadata: a value {text[:20]!r}")


def _words(text: str) -> Iterator[tuple[str, str]]:
    """What each is, and the text of it."""
    at = 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            raise Damaged(f"LVM's metadata at {text[at : at + 20]!r}")
        at = match.end()
        if match.lastgroup:
            yield match.lastgroup, match[match.lastgroup]


def number_of(section: Section, name: str) -> int:
    value = section.get(name)
    if not isinstance(value, int) or value < 0:
        raise Damaged(f"LVM's metadata without {name}")
    return value


def text_of(section: Section, name: str) -> str:
    value = section.get(name)
    if not isinstance(value, str):
        raise Damaged(f"LVM's metadata without {name}")
    return value


def list_of(section: Section, name: str) -> list[Value]:
    value = section.get(name, [])
    return value if isinstance(value, list) else [value]


def section_of(section: Section, name: str) -> Section:
    return as_section(section.get(name, {}))


def as_section(value: Value) -> Section:
    if not isinstance(value, dict):
        raise Damaged("LVM's metadata: a value where a section is to be")
    return value
