"""Expressions of a policy, matched in a time that is bounded whatever they say.

The lists of contexts come from the copy, which may be hostile, and an engine that goes back and forth, as
Python's, may take for ever for one line. Here an expression becomes an automaton that reads a path once
(Thompson 1968), and every step is counted, also those of reading it. Known is what policies use of PCRE, with
the options of libselinux: characters, classes, groups, ., |, * + ? {m,n}.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

LONGEST = 1000  # instructions of one expression; policies have up to 200
DEEPEST = 20
COPIED_AT_ONCE = 64  # instructions that cost a step when an expression is read
COUNT = re.compile(r"\{(\d{1,3})(,?)(\d{0,3})\}")
LITERAL = re.compile(r"(?:[^][.^$*+?{}()|\\]|\\[^A-Za-z0-9])*")
KINDS = {
    "d": frozenset("0123456789"),
    "w": frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"),
    "s": frozenset(" \t\n\r\f\v"),
}


class Unknown(ValueError):
    """An expression that is not read here."""


class Exhausted(Exception):
    """All steps are used up."""


class Characters(NamedTuple):
    """One of those, or with `others` one that is none of them."""

    those: frozenset[str]
    others: bool = False

    def has(self, char: str) -> bool:
        return (char in self.those) != self.others


class Split(NamedTuple):
    """It goes on at either place, each relative to here."""

    first: int
    second: int


Program = list[Characters | Split]
ANY = Characters(frozenset(), others=True)  # PCRE2_DOTALL


class Matcher:
    """Has so many steps for all that it is asked."""

    def __init__(self, steps: int) -> None:
        self._left = steps
        self._programs: dict[str, Program] = {}

    def fits(self, expression: str, text: str) -> bool:
        """All of the text. Raises `Unknown` for an expression that is not read, `Exhausted`."""
        self._spend(1)
        if not _may_fit(expression, text):
            return False
        program = self._programs.get(expression)
        if program is None:
            program = self._programs[expression] = read(expression, self._spend)
        places = self._reach(program, {0})
        for char in text:
            passed = {at + 1 for at in places if _passes(program, at, char)}
            if not passed:
                return False
            places = self._reach(program, passed)
        return len(program) in places

    def _reach(self, program: Program, places: set[int]) -> set[int]:
        """All where it may be without another character."""
        found: set[int] = set()
        waiting = list(places)
        while waiting:
            at = waiting.pop()
            if at in found:
                continue
            self._spend(1)
            found.add(at)
            if at < len(program) and isinstance(step := program[at], Split):
                waiting += (at + step.first, at + step.second)
        return found

    def _spend(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise Exhausted


def _may_fit(expression: str, text: str) -> bool:
    """By the characters that it begins with; the last may be one that a ?, * or {0} takes back."""
    if "|" in expression:
        return True
    begins = LITERAL.match(expression)
    plain = re.sub(r"\\(.)", r"\1", begins[0]) if begins else ""
    return text.startswith(plain[:-1])


def _passes(program: Program, at: int, char: str) -> bool:
    if at == len(program):
        return False
    step = program[at]
    return isinstance(step, Characters) and step.has(char)


def read(expression: str, spend: Callable[[int], None]) -> Program:
    """Raises `Unknown`."""
    reader = _Reader(expression.removeprefix("^"), spend)
    program = reader.alternatives(0)
    if not reader.at_end:
        raise Unknown(f"at {reader.rest[:10]!r}")
    return program


class _Reader:
    """Each part of an expression as a program that goes on behind its end."""

    def __init__(self, text: str, spend: Callable[[int], None]) -> None:
        self._text, self._at, self._spend = text, 0, spend
        self._end = len(text)

    @property
    def rest(self) -> str:
        return self._text[self._at : self._at + 10]

    @property
    def at_end(self) -> bool:
        return self._at == self._end or (self._at == self._end - 1 and self._text[self._at] == "$")

    def alternatives(self, depth: int) -> Program:
        if depth > DEEPEST:
            raise Unknown("nested too deeply")
        program = self._sequence(depth)
        while self._take("|"):
            other = self._sequence(depth)
            jump = Split(len(other) + 1, len(other) + 1)
            program = self._short([Split(1, len(program) + 2), *program, jump, *other])
        return program

    def _sequence(self, depth: int) -> Program:
        program: Program = []
        while not self.at_end and self._text[self._at] not in "|)":
            program = self._short([*program, *self._repeated(self._one(depth))])
        return program

    def _one(self, depth: int) -> Program:
        char = self._next()
        match char:
            case "(":
                if self._take("?") and not self._take(":"):
                    raise Unknown("a group that is none")
                program = self.alternatives(depth + 1)
                if not self._take(")"):
                    raise Unknown("a group that is not closed")
                return program
            case "[":
                return [self._class()]
            case ".":
                return [ANY]
            case "\\":
                return [self._escaped()]
            case "*" | "+" | "?" | "{" | "^" | "$":
                raise Unknown(f"at {char!r}")
            case _:
                return [Characters(frozenset(char))]

    def _repeated(self, one: Program) -> Program:
        least, most = 1, 1
        if self._take("*"):
            least, most = 0, -1
        elif self._take("+"):
            most = -1
        elif self._take("?"):
            least = 0
        elif self._text.startswith("{", self._at):
            least, most = self._counts()
        else:
            return one
        if self._text[self._at : self._at + 1] in ("*", "+", "{"):
            raise Unknown("a repetition of a repetition")
        self._take("?")  # the shortest first: what fits is the same
        if least * len(one) > LONGEST:
            raise Unknown("too long")
        program = self._short(one * least)
        if most < 0:
            return self._short([*program, Split(1, len(one) + 2), *one, Split(-len(one) - 1, -len(one) - 1)])
        optional: Program = []
        for _ in range(most - least):
            optional = self._short([Split(1, len(one) + len(optional) + 1), *one, *optional])
        return [*program, *optional]

    def _counts(self) -> tuple[int, int]:
        match = COUNT.match(self._text, self._at)
        if match is None:
            raise Unknown("a brace")
        self._at = match.end()
        least = int(match[1])
        most = int(match[3]) if match[3] else -1 if match[2] else least
        if 0 <= most < least:
            raise Unknown("a repetition that is none")
        return least, most

    def _class(self) -> Characters:
        others = self._take("^")
        those: set[str] = set()
        first = True
        while first or not self._take("]"):
            begin = self._of_class()
            first = False
            if (
                len(begin) == 1
                and self._text[self._at : self._at + 1] == "-"
                and not self.rest.startswith("-]")
            ):
                self._at += 1
                end = self._of_class()
                (low,) = begin
                if len(end) != 1 or not low <= min(end) or ord(min(end)) - ord(low) > LONGEST:
                    raise Unknown("a range")
                those |= {chr(code) for code in range(ord(low), ord(min(end)) + 1)}
            else:
                those |= begin
        return Characters(frozenset(those), others=others)

    def _of_class(self) -> frozenset[str]:
        char = self._next()
        if char == "\\":
            found = self._escaped()
            if found.others:
                raise Unknown("a class within a class")
            return found.those
        if char == "[":
            raise Unknown("a class within a class")
        return frozenset(char)

    def _escaped(self) -> Characters:
        char = self._next()
        if char.lower() in KINDS:
            return Characters(KINDS[char.lower()], others=char.isupper())
        if char.isalnum():
            raise Unknown(f"\\{char}")
        return Characters(frozenset(char))

    def _next(self) -> str:
        if self._at == self._end:
            raise Unknown("it ends too early")
        self._spend(1)
        self._at += 1
        return self._text[self._at - 1]

    def _take(self, char: str) -> bool:
        there = self._text.startswith(char, self._at)
        self._at += there
        return there

    def _short(self, program: Program) -> Program:
        """Also counts what it took to put it together."""
        self._spend(1 + len(program) // COPIED_AT_ONCE)
        if len(program) > LONGEST:
            raise Unknown("too long")
        return program
