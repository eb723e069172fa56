"""Exclude patterns with rsync's meaning (rsync(1), PATTERN MATCHING RULES), relative to a tree's root.

A pattern that begins with `/` is anchored at the root, any other may begin at any folder. One that holds
a `/` (other than at its end) or `**` is matched against the whole path, else against the name alone. A
`/` at the end matches folders only. `*` and `?` do not match a `/`, `**` does; `[...]` is a class of
characters; `dir/***` is the folder and all below it; `\\` takes the meaning from the next character, but
only in a pattern that has a wildcard. What is below an excluded folder is excluded with it.
Only exclusion exists: a line that begins with `+ ` is refused, `- ` at the beginning is dropped.
"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass

from smc.base.errors import UserError

WILDCARDS = re.compile(rb"[*?\[]")
CLASS = re.compile(rb"\[[!^]?\]?(?:\[:[a-z]+:\]|\\.|[^\]\\])*\]", re.DOTALL)
CLASS_PART = re.compile(rb"\[:([a-z]+):\]|(\\.|[^\\])-(\\.|[^\\])|(\\.|[\[\]^&~|-])", re.DOTALL)
POSIX_CLASSES = {
    b"alnum": b"a-zA-Z0-9", b"alpha": b"a-zA-Z", b"blank": b" \\t", b"cntrl": b"\\x00-\\x1f\\x7f",
    b"digit": b"0-9", b"graph": b"!-~", b"lower": b"a-z", b"print": b" -~",
    b"punct": b"!-/:-@\\[-`{-~", b"space": b"\\s", b"upper": b"A-Z", b"xdigit": b"0-9a-fA-F",
}  # fmt: skip


class Excludes:
    """Whether a path is left out. Ask from the root downwards: a folder that is left out is not entered."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._rules = [_rule(line) for line in map(_clean, patterns) if line]

    def __bool__(self) -> bool:
        return bool(self._rules)

    def may_match_in(self, folder: bytes) -> bool:
        """Whether a name directly in `folder` can be left out; cheap, so that most folders need no look."""
        return any(rule.only_in is None or rule.only_in == folder for rule in self._rules)

    def match(self, path: bytes, *, folder: bool) -> bool:
        """`path` is relative to the tree, without a slash in front."""
        return any(rule.match(path, folder=folder) for rule in self._rules)


@dataclass(frozen=True, slots=True)
class _Rule:
    expression: re.Pattern[bytes]
    name_only: bool
    folders_only: bool
    slash_before: bool  # `**/x` is to match at the root too
    slash_after: bool  # `x/***` is to match the folder x, but no file of that name
    only_in: bytes | None  # the only folder whose names it can match, for one path without wildcards

    def match(self, path: bytes, *, folder: bool) -> bool:
        if self.folders_only and not folder:
            return False
        if self.name_only:
            return self.expression.fullmatch(path.rpartition(b"/")[2]) is not None
        before = b"/" if self.slash_before else b""
        after = b"/" if self.slash_after and folder else b""
        return self.expression.fullmatch(before + path + after) is not None


def _rule(pattern: bytes) -> _Rule:
    folders_only = len(pattern) > 1 and pattern.endswith(b"/")
    body = pattern[:-1] if folders_only else pattern
    anchored = body.startswith(b"/")
    from_the_root = anchored or body.startswith(b"**")
    expression = _translate(body.removeprefix(b"/"), wild=bool(WILDCARDS.search(pattern)))
    name_only = b"/" not in body and b"**" not in body
    start = b"" if from_the_root or name_only else rb"(?:.*/)?"
    return _Rule(
        expression=re.compile(start + expression, re.DOTALL),
        name_only=name_only,
        folders_only=folders_only,
        slash_before=not anchored and from_the_root,
        slash_after=body.endswith(b"/***"),
        only_in=body[1:].rpartition(b"/")[0] if anchored and not WILDCARDS.search(pattern) else None,
    )


def _clean(text: str) -> bytes:
    line = text.rstrip("\r\n")
    if not line or line[0] in "#;":
        return b""
    if line.startswith("+ "):
        raise UserError(
            f"the pattern {line!r} includes",
            code="Excludes.Invalid",
            hint="Only patterns that exclude are supported.",
        )
    return os.fsencode(line.removeprefix("- "))


def _translate(pattern: bytes, *, wild: bool) -> bytes:
    if not wild:
        return re.escape(pattern)
    out, at = b"", 0
    while at < len(pattern):
        rest = pattern[at:]
        if rest.startswith(b"*"):
            stars = len(rest) - len(rest.lstrip(b"*"))
            out += rb".*" if stars > 1 else rb"[^/]*"
            at += stars
        elif rest.startswith(b"?"):
            out += rb"[^/]"
            at += 1
        elif rest.startswith(b"\\") and len(rest) > 1:
            out += re.escape(rest[1:2])
            at += 2
        elif rest.startswith(b"[") and (found := CLASS.match(rest)):
            out += _class(found[0])
            at += found.end()
        else:
            out += re.escape(rest[:1])
            at += 1
    return out


def _class(text: bytes) -> bytes:
    """A class never matches a slash."""
    body = text[1:-1]
    negated = body[:1] in (b"!", b"^")
    body = body[1:] if negated else body
    body = CLASS_PART.sub(_class_part, body)
    return rb"(?!/)[" + (b"^" if negated else b"") + body + b"]"


def _class_part(found: re.Match[bytes]) -> bytes:
    """A range that runs backwards holds its first end alone."""
    name, low, high, single = found.groups()
    if name is not None:
        return POSIX_CLASSES.get(name, re.escape(name))
    if single is not None:
        return re.escape(single[-1:])
    if low[-1:] > high[-1:]:
        return re.escape(low[-1:])
    return re.escape(low[-1:]) + b"-" + re.escape(high[-1:])
