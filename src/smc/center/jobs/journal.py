"""How the journal of the workflows is written: JSON with the class of each value, never pickle.

A value is plain JSON, or `{"$": <class>, "value": ...}` for a frozen value of ours, or `{"$!": <class>,
"code", "message", "hint"}` for an exception. What cannot be read back as itself comes back as `Broken`.
"""

import json
from typing import Any

import msgspec
from dbos import Serializer

from smc.base.errors import Broken, CommandFailed, SmcError, Transient, UserError
from smc.center.jobs.values import ERRORS, VALUES
from smc.model.codec import from_builtins, to_builtins

_VALUES: dict[str, type[msgspec.Struct]] = {kind.__name__: kind for kind in VALUES}
_ERRORS: dict[str, type[SmcError]] = {
    kind.__name__: kind for kind in (SmcError, UserError, Transient, Broken, *ERRORS)
}


class Journal(Serializer):
    """DBOS asks for exactly these three."""

    def name(self) -> str:
        return "smc-json-1"

    def serialize(self, data: Any) -> str:  # Any: the library's signature
        return json.dumps(_plain(data), separators=(",", ":"))

    def deserialize(self, serialized_data: str) -> Any:  # Any: the library's signature
        return _alive(json.loads(serialized_data))


def _plain(data: object) -> object:
    match data:
        case None | bool() | int() | float() | str():
            return data
        case msgspec.Struct() if type(data).__name__ in _VALUES:
            return {"$": type(data).__name__, "value": to_builtins(data)}
        case BaseException():
            return _plain_error(data)
        case list() | tuple():
            return [_plain(item) for item in data]
        case dict():
            return {str(key): _plain(value) for key, value in data.items()}
        case _:
            raise TypeError(f"{type(data).__name__} does not belong into the journal")


def _plain_error(error: BaseException) -> dict[str, str]:
    if isinstance(error, CommandFailed) or not isinstance(error, SmcError):
        code = error.code if isinstance(error, SmcError) else Broken.code
        hint = error.hint if isinstance(error, SmcError) else ""
        return {"$!": "Broken", "code": code, "message": f"{type(error).__name__}: {error}", "hint": hint}
    name = next(kind.__name__ for kind in type(error).__mro__ if kind.__name__ in _ERRORS)
    return {"$!": name, "code": error.code, "message": error.message, "hint": error.hint}


def _alive(data: object) -> object:
    match data:
        case {"$": str(name), "value": value}:
            return from_builtins(value, _VALUES[name])
        case {"$!": str(name), "code": str(code), "message": str(message), "hint": str(hint)}:
            return _ERRORS.get(name, Broken)(message, code=code, hint=hint)
        case list():
            return [_alive(item) for item in data]
        case dict():
            return {key: _alive(value) for key, value in data.items()}
        case _:
            return data
