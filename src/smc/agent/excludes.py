"""Exclude patterns that are relative to a folder of the source, as patterns of one filesystem below it.

A copy is made by filesystem, rsync's patterns are meant for a whole tree. So each pattern is led along the
path of the mount point: what it still has to match there is anchored at the filesystem's root. The patterns
here and there leave out the same files; `tests/kernel/test_files_excludes.py` has rsync say so.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from pathlib import PurePosixPath
from typing import NamedTuple

from smc.transfer.files.patterns import CLASS, WILDCARDS, Excludes

EVERYTHING = "/*"


class Kind(Enum):
    LITERAL = 1
    ANY = 2  # ?
    STAR = 3
    STARS = 4  # **: matches slashes too
    CLASS = 5


class Token(NamedTuple):
    kind: Kind
    text: bytes


SLASH = Token(Kind.LITERAL, b"/")


def within(patterns: Iterable[str], root: str, mount_point: str) -> tuple[str, ...]:
    """`patterns` relative to `root`, for the filesystem at `mount_point`, which is `root` or below it.

    Raises `UserError` (`Excludes.Invalid`).
    """
    path = os.fsencode(PurePosixPath(mount_point).relative_to(root))
    if path == b".":
        return tuple(patterns)
    found: dict[str, None] = {}  # in order, each once
    for pattern in patterns:
        found |= dict.fromkeys(_within(pattern, path))
    return (EVERYTHING,) if EVERYTHING in found else tuple(found)


def common_root(mount_points: Sequence[str]) -> str:
    """That of them which holds all the others; "" when there is none."""
    places = [PurePosixPath(point) for point in mount_points]
    top = min(places, key=lambda place: len(place.parts), default=PurePosixPath())
    return str(top) if places and all(place.is_relative_to(top) for place in places) else ""


def _within(pattern: str, path: bytes) -> Iterator[str]:
    rules = Excludes([pattern])
    if not rules:
        return
    names = path.split(b"/")
    if any(rules.match(b"/".join(names[: at + 1]), folder=True) for at in range(len(names))):
        yield EVERYTHING  # the mount point, or a folder on the way to it, is left out with all it holds
        return
    body = os.fsencode(pattern.removeprefix("- "))
    wild = bool(WILDCARDS.search(body))
    folders_only = body.endswith(b"/")
    if body.endswith(b"/***") and body != b"/***":  # the folder and all in it, which goes with the folder
        body, folders_only = body.removesuffix(b"/***"), True
    elif folders_only:
        body = body[:-1]
    if b"/" not in body and b"**" not in body:
        yield pattern  # a name, wherever it is
        return
    anchored = body.startswith(b"/")
    tokens = _tokens(body.removeprefix(b"/"), wild=wild)
    anywhere = not anchored and not body.startswith(b"**")
    if anywhere:
        yield pattern
    ends = "/" if folders_only else ""
    for rest in _rests(tokens, path, anywhere=anywhere, slash_before=not anchored and not anywhere):
        yield f"/{os.fsdecode(_written(rest))}{ends}"


def _tokens(pattern: bytes, *, wild: bool) -> list[Token]:
    """As `patterns.py` reads them: a backslash means something only beside a wildcard."""
    found: list[Token] = []
    at = 0
    while at < len(pattern):
        rest = pattern[at:]
        length = 1
        if wild and rest.startswith(b"*"):
            length = len(rest) - len(rest.lstrip(b"*"))
            found.append(Token(Kind.STARS if length > 1 else Kind.STAR, rest[:length]))
        elif wild and rest.startswith(b"?"):
            found.append(Token(Kind.ANY, b"?"))
        elif wild and rest.startswith(b"\\") and len(rest) > 1:
            length = 2
            found.append(Token(Kind.LITERAL, rest[1:2]))
        elif wild and rest.startswith(b"[") and (found_class := CLASS.match(rest)):
            length = found_class.end()
            found.append(Token(Kind.CLASS, found_class[0]))
        else:
            found.append(Token(Kind.LITERAL, rest[:1]))
        at += length
    return found


def _rests(
    tokens: Sequence[Token], path: bytes, *, anywhere: bool, slash_before: bool
) -> Iterator[Sequence[Token]]:
    """What is left to match after `path` and a slash, for each way to match these.

    `anywhere`: the pattern may begin at any folder; `slash_before`: it is matched from the slash before.
    """
    states = _reached(tokens, {0})
    for byte in (b"/" if slash_before else b"") + path + b"/":
        states = _reached(tokens, _stepped(tokens, states, bytes([byte])))
        if anywhere and byte == ord("/"):
            # At the end this is the pattern itself, which its caller has.
            states |= _reached(tokens, {0})
    for state in sorted(states):
        rest = tokens[state:]
        if rest and rest[0] != SLASH and not (anywhere and state == 0):
            yield rest


def _reached(tokens: Sequence[Token], states: set[int]) -> set[int]:
    """With what stars that match nothing lead to."""
    found = set(states)
    for state in sorted(states):
        at = state
        while at < len(tokens) and tokens[at].kind in (Kind.STAR, Kind.STARS):
            at += 1
            found.add(at)
    return found


def _stepped(tokens: Sequence[Token], states: set[int], byte: bytes) -> set[int]:
    found: set[int] = set()
    for state in states:
        if state == len(tokens):
            continue
        kind, text = tokens[state]
        match kind:
            case Kind.LITERAL if byte == text:
                found.add(state + 1)
            case Kind.ANY if byte != b"/":
                found.add(state + 1)
            case Kind.CLASS if byte != b"/" and Excludes([os.fsdecode(b"/" + text)]).match(
                byte, folder=False
            ):
                found.add(state + 1)
            case Kind.STARS:
                found.add(state)
            case Kind.STAR if byte != b"/":
                found.add(state)
    return found


def _written(tokens: Sequence[Token]) -> bytes:
    """The tokens as a pattern again, with backslashes where it is a pattern with wildcards."""
    text = b"".join(token.text for token in tokens)
    if all(token.kind is Kind.LITERAL for token in tokens) and not WILDCARDS.search(text):
        return text
    return b"".join(_escaped(token) for token in tokens)


def _escaped(token: Token) -> bytes:
    match token.kind:
        case Kind.LITERAL:
            return b"\\" + token.text if token.text in (b"\\", b"*", b"?", b"[") else token.text
        case Kind.STARS:
            return b"**"  # never ***, which at the end would mean the folder as well
        case _:
            return token.text
