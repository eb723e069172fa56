"""Every error we raise on purpose; the class alone decides what happens next.

SmcError
├── UserError            the request cannot be met as asked: tell the person what to change
├── Transient            trying again later may work: the workflow waits and repeats
└── Broken               a promise was broken: stop and keep the evidence
    ├── CommandFailed    an external program failed
    ├── WireError        the peer sent what the protocol does not allow
    ├── SourceReadError  the *source* could not be read (never blamed on the destination)
    └── TargetWriteError the *destination* could not be written
"""

from collections.abc import Sequence


class SmcError(Exception):
    """Base of all; `code` is stable and documented, `hint` says what the person can do."""

    code = "smc"

    def __init__(self, message: str, *, code: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code:
            self.code = code


class UserError(SmcError):
    code = "InvalidRequest"


class Transient(SmcError):
    code = "TryAgain"


class Broken(SmcError):
    code = "InternalError"


class CommandFailed(Broken):
    code = "Command.Failed"

    def __init__(self, argv: Sequence[str], why: str, stderr: str) -> None:
        super().__init__(f"{argv[0]}: {why}", hint=stderr)
        self.argv = tuple(argv)
        self.stderr = stderr


class WireError(Broken):
    code = "Wire.Violation"


class SourceReadError(Broken):
    code = "Source.ReadFailed"


class TargetWriteError(Broken):
    code = "Target.WriteFailed"
