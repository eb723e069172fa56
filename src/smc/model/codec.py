"""Frozen values to JSON and back; what does not fit its type is refused with the path to the field."""

from typing import Any, TypeVar

import msgspec

from smc.base.errors import UserError

T = TypeVar("T")


def encode(value: object) -> bytes:
    return msgspec.json.encode(value)


def decode(data: bytes | str, kind: type[T]) -> T:
    """Raises `UserError` (`InvalidDocument`) when `data` is not JSON of the shape of `kind`."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise UserError(f"not a valid {kind.__name__}: {e}", code="InvalidDocument") from e


def to_builtins(value: object) -> Any:  # Any: plain JSON data of any shape
    """The value as dictionaries, lists and scalars."""
    return msgspec.to_builtins(value)


def from_builtins(data: object, kind: type[T]) -> T:
    """Raises `UserError` (`InvalidDocument`) when `data` does not have the shape of `kind`."""
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as e:
        raise UserError(f"not a valid {kind.__name__}: {e}", code="InvalidDocument") from e
