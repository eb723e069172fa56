"""ReplicationParameters: how a job transfers, as one JSON object of the driver SMT (contracts, 1)."""

from collections.abc import Mapping
from typing import Annotated

import msgspec

from smc.base.errors import UserError
from smc.center.api.words import invalid
from smc.rpc.params import allowed
from smc.wire.orders import Ssl, TransferSettings

NAME = "ReplicationParameters"
LARGEST = 2048  # characters; service-facts, 7
FASTEST_MBIT = 1_000_000

ParametersText = Annotated[str, msgspec.Meta(max_length=LARGEST)]


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """A key that is left out has its default; `bandwidth_limit` is in Mbit/s, 0 for none."""

    bandwidth_limit: Annotated[int, msgspec.Meta(ge=0, le=FASTEST_MBIT)] = 0
    compress_level: Annotated[int, msgspec.Meta(ge=0, le=10)] = 7
    checksum: bool = False
    ssl: Ssl = Ssl.AUTO


KEYS: Mapping[str, type] = {field.name: field.type for field in msgspec.structs.fields(Parameters)}


def read(text: str) -> TransferSettings:
    """ "" is the same as `{}`. Raises `UserError` (`InvalidParameter.ReplicationParameters`)."""
    given = msgspec.convert(_values(text) if text else {}, Parameters)
    return TransferSettings(
        bandwidth_limit_mbit=given.bandwidth_limit,
        compress_level=given.compress_level,
        checksum=given.checksum,
        ssl=given.ssl,
    )


def told(settings: TransferSettings) -> str:
    """`no bandwidth limit, compression level 7, no checksum, TLS`: for a line of the log."""
    limit = settings.bandwidth_limit_mbit
    level = settings.compress_level
    return ", ".join(
        (
            f"at most {limit} Mbit/s" if limit else "no bandwidth limit",
            f"compression level {level}" if level else "no compression",
            "both ends re-read" if settings.checksum else "trusting size and time",
            "data in the clear" if settings.ssl is Ssl.OFF else "TLS",
        )
    )


def _values(text: str) -> dict[str, object]:
    try:
        found = msgspec.json.decode(text, type=dict[str, object])
    except (msgspec.DecodeError, RecursionError) as e:
        raise _wrong(f"{text[:100]!r} is not a JSON object") from e
    if unknown := sorted(found.keys() - KEYS.keys()):
        raise _wrong(f"it has the unknown key {unknown[0][:100]!r}")
    return {key: _value(key, value) for key, value in found.items()}


def _value(key: str, value: object) -> object:
    try:
        return msgspec.convert(value, KEYS[key])
    except msgspec.ValidationError as e:
        shown = msgspec.json.encode(value).decode()[:100]
        rule = allowed(msgspec.inspect.type_info(KEYS[key]))
        raise _wrong(f"{key} is {shown}; it must be {rule}") from e


def _wrong(why: str) -> UserError:
    return invalid(
        NAME,
        f"{NAME} cannot be used: {why}.",
        "Its keys are bandwidth_limit (Mbit/s, 0: none), compress_level (0-10), checksum (true or false) "
        'and ssl (auto, on or off): {"bandwidth_limit":100,"compress_level":7}.',
    )
