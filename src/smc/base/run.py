"""The one door to other programs: nothing else in `smc` imports `subprocess`."""

import os
import signal
import subprocess
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from smc.base.errors import CommandFailed

Arg = str | os.PathLike[str]
Process = subprocess.Popen[bytes]  # what `spawn` started

ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/root"}
STDERR_KEPT = 2000  # characters of stderr that go into an error
LET_GO_SECONDS = 5.0  # for a killed program to close its pipes


@dataclass(frozen=True, slots=True)
class Output:
    stdout: str
    stderr: str
    status: int


class Run(Protocol):
    """What callers depend on, so that a test can hand them a function of its own."""

    def __call__(self, *argv: Arg, timeout: float, stdin: str = "", ok: Collection[int] = (0,)) -> Output: ...


def run(
    *argv: Arg,
    timeout: float,
    stdin: str = "",
    ok: Collection[int] = (0,),
    env: Mapping[str, str] = ENVIRONMENT,
    cwd: Path | None = None,
) -> Output:
    """Run a program without a shell, in a known environment, for at most `timeout` seconds.

    The program leads a session of its own, so a timeout ends its children too.
    Raises `CommandFailed` when it cannot be started, ends with a status outside `ok`, or runs over.
    """
    words = [os.fspath(word) for word in argv]
    process = _start(words, env, cwd)
    try:
        stdout, stderr = process.communicate(stdin, timeout)
    except subprocess.TimeoutExpired as e:
        _, stderr = _kill(process)
        raise CommandFailed(words, f"no end after {timeout:g} s", stderr[-STDERR_KEPT:]) from e
    except BaseException:
        _kill(process)
        raise
    if process.returncode not in ok:
        raise CommandFailed(words, _describe(process.returncode), stderr[-STDERR_KEPT:].strip())
    return Output(stdout, stderr, process.returncode)


def spawn(
    *argv: Arg,
    output: IO[bytes],
    env: Mapping[str, str] = ENVIRONMENT,
    cwd: Path | None = None,
    pass_fds: Sequence[int] = (),
) -> Process:
    """Start a program that outlives this call, in a session of its own; both its outputs go to `output`.

    The caller owns the process: it must wait for it or record its pid.
    """
    words = [os.fspath(word) for word in argv]
    try:
        return subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(env),
            cwd=cwd,
            pass_fds=tuple(pass_fds),
            start_new_session=True,
        )
    except OSError as e:
        raise CommandFailed(words, e.strerror or str(e), "") from e


def _start(words: Sequence[str], env: Mapping[str, str], cwd: Path | None) -> "subprocess.Popen[str]":
    try:
        return subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(env),
            cwd=cwd,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as e:
        raise CommandFailed(words, e.strerror or str(e), "") from e


def _kill(process: "subprocess.Popen[str]") -> tuple[str, str]:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    try:
        return process.communicate(timeout=LET_GO_SECONDS)
    except subprocess.TimeoutExpired:  # a daemon left the session and still holds our pipes
        return "", ""


def _describe(status: int) -> str:
    return f"exit status {status}" if status >= 0 else f"killed by {signal.Signals(-status).name}"
