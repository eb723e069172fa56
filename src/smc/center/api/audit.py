"""Who asked for what, as events: each call that is more than a look, also one that was refused."""

import msgspec

from smc.base.errors import SmcError
from smc.center.access import changes, refuse
from smc.center.store.events import EventKind, EventLevel, NewEvent
from smc.center.store.store import Store
from smc.rpc.dispatch import Asked

NAMING = ("Id", "Name")  # parameters that end so name a thing; no other is written down, it may be a secret
LONGEST_VALUE = 200
LONGEST_ID = 64  # as the store keeps it


class Gate:
    """Before and after each call: `admit` lets those in whose role allows it, `note` writes down."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def admit(self, asked: Asked) -> None:
        """Raises `UserError` (`Forbidden.RAM`)."""
        key = self._store.access_keys.find(asked.caller.access_key_id)
        if key is not None:
            refuse(key.role, asked.action)

    def note(self, asked: Asked, error: Exception | None) -> None:
        if not changes(asked.action):
            return
        key = self._store.access_keys.find(asked.caller.access_key_id)
        named = {**_names(asked.request), **_made(asked.reply)}
        told = " ".join([asked.action, *(f"{name}={value}" for name, value in named.items())])
        code = error.code if isinstance(error, SmcError) else type(error).__name__ if error else ""
        outcome = f" was refused ({code})." if error else "."
        self._store.events.add(
            NewEvent(
                kind=EventKind.AUDIT,
                level=EventLevel.WARNING if error else EventLevel.INFO,
                job=_one(named.get("JobId", "")),
                source=_one(named.get("SourceId", "")),
                actor=f"{key.name} ({key.id})" if key else asked.caller.access_key_id,
                code=code,
                message=f"{told}, from {asked.caller.address or 'unknown'}{outcome}",
            )
        )


def _names(request: msgspec.Struct | None) -> dict[str, str]:
    if request is None:
        return {}
    fields = msgspec.structs.fields(request)
    values = {field.encode_name: getattr(request, field.name) for field in fields}
    return {
        name: text[:LONGEST_VALUE]
        for name, value in values.items()
        if name.endswith(NAMING) and (text := _text(value))
    }


def _one(text: str) -> str:
    """An id to find the event by; several, or what can be none, are in its message alone."""
    return text if len(text) <= LONGEST_ID and "," not in text else ""


def _text(value: object) -> str:
    match value:
        case str():
            return value
        case tuple():
            return ",".join(item for item in value if isinstance(item, str))
        case _:
            return ""


def _made(reply: object) -> dict[str, str]:
    """Ids in the answer: what the call made."""
    if not isinstance(reply, dict):
        return {}
    return {name: value for name, value in reply.items() if name.endswith("Id") and name != "RequestId"}
