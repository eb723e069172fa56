"""Flat parameters (`Disks.System.Part.1.Path`, `Tag.1.Key`) into one frozen Struct per action.

A request is a `class X(Request, frozen=True, kw_only=True)`: attributes in snake_case, parameters in the
vendor's spelling, made from them (`region_id` -> `RegionId`) or given by `msgspec.field(name="LVM")`. A list
is a `tuple[T, ...]` sent as `Name.1`, `Name.2`; an object is another `Request` sent as `Name.Field`. What
may be sent as a scalar or as an object is a union of the two.
Limits stand in the type: `Annotated[int, msgspec.Meta(ge=1, le=168)]`, an Enum, a Literal.
"""

import re
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from smc.base.errors import UserError
from smc.rpc.signature import Pairs

Tree = dict[str, "Tree | str"]
LONGEST_LIST = 1000


def api_name(attribute: str) -> str:
    """`source_id` -> `SourceId`."""
    return "".join(word[:1].upper() + word[1:] for word in attribute.split("_"))


class Request(msgspec.Struct, frozen=True, kw_only=True, rename=api_name):
    """Base of all request types; parameters that a type does not name are ignored."""


R = TypeVar("R", bound=msgspec.Struct)


def parse(pairs: Pairs, kind: type[R]) -> R:
    """Raises `UserError` `MissingParameter.<X>` or `InvalidParameter.<X>`, X as it was sent."""
    return msgspec.convert(_struct(_grow(pairs), inspect.type_info(kind), ""), kind)


def id_list(text: str, name: str) -> tuple[str, ...]:
    """`["i-1", "i-2"]`, as some ECS actions take their ids. Raises `UserError` `InvalidParameter.<name>`."""
    try:
        return msgspec.json.decode(text, type=tuple[str, ...]) if text else ()
    except msgspec.DecodeError as e:
        raise _invalid(name, text, 'a JSON list of ids, like ["i-1", "i-2"]') from e


def _grow(pairs: Pairs) -> Tree:
    """The pairs as a tree by the dots in their names."""
    tree: Tree = {}
    for name, value in pairs:
        *path, last = name.split(".")
        node = tree
        for part in path:
            child = node.setdefault(part, {})
            if isinstance(child, str):
                raise _invalid(name, value, f"not given together with {part}")
            node = child
        if last in node:
            raise _invalid(name, value, "given once")
        node[last] = value
    return tree


def _struct(tree: Tree, info: inspect.Type, path: str) -> dict[str, Any]:  # Any: fields of any type
    assert isinstance(info, inspect.StructType)
    found: dict[str, Any] = {}  # Any: as above
    for field in info.fields:
        name = f"{path}{field.encode_name}"
        node = tree.get(field.encode_name, "")
        value = None if node == "" else _value(node, field.type, name)
        if value is not None:
            found[field.encode_name] = value
        elif field.required:
            raise UserError(
                f"The parameter {name} is missing.",
                code=f"MissingParameter.{name}",
                hint=f"It is {allowed(field.type)}.",
            )
    return found


def _value(node: Tree | str, info: inspect.Type, name: str) -> object:
    match info:
        case inspect.Metadata():
            return _value(node, info.type, name)
        case inspect.UnionType():
            return _value(node, _meant(node, info), name)
        case inspect.VarTupleType():
            return _items(node, info.item_type, name)
        case inspect.StructType():
            if isinstance(node, str):
                raise _invalid(name, node, allowed(info))
            return _struct(node, info, f"{name}.")
        case _:
            if not isinstance(node, str):
                raise _invalid(f"{name}.{next(iter(node))}", "", f"named {name} alone")
            return _scalar(node, info, name)


def _meant(node: Tree | str, info: inspect.UnionType) -> inspect.Type:
    """Of `X | None`: X. Of a scalar and a Request: that of the shape in which it was sent."""
    kinds = [kind for kind in info.types if not isinstance(kind, inspect.NoneType)]
    fitting = [kind for kind in kinds if isinstance(kind, inspect.StructType) != isinstance(node, str)]
    return (fitting or kinds)[0]


def _items(node: Tree | str, info: inspect.Type, name: str) -> list[object]:
    """Positions may have gaps; order is what counts."""
    if isinstance(node, str):
        raise _invalid(name, node, f"sent as {name}.1, {name}.2, ...")
    for position in node:
        if not re.fullmatch(r"[1-9]\d{0,3}", position) or int(position) > LONGEST_LIST:
            raise _invalid(f"{name}.{position}", "", f"numbered from 1 to {LONGEST_LIST}")
    values = (_value(node[at], info, f"{name}.{at}") for at in sorted(node, key=int) if node[at] != "")
    return list(values)


def _scalar(text: str, info: inspect.Type, name: str) -> object:
    match info:
        case inspect.BoolType() if text.lower() in ("true", "false"):
            return text.lower() == "true"
        case inspect.IntType() if re.fullmatch(r"[+-]?\d{1,18}", text) and _within(int(text), info):
            return int(text)
        case inspect.FloatType() if re.fullmatch(r"[+-]?\d{1,15}(\.\d{1,15})?", text):
            return float(text)
        case inspect.StrType() if _fits(text, info):
            return text
        case inspect.EnumType() | inspect.LiteralType():
            for choice in _choices(info):
                if text == choice:
                    return choice
    raise _invalid(name, text, allowed(info))


def _within(value: int, info: inspect.IntType) -> bool:
    return (info.ge is None or value >= info.ge) and (info.le is None or value <= info.le)


def _fits(text: str, info: inspect.StrType) -> bool:
    return (
        len(text) >= (info.min_length or 0)
        and (info.max_length is None or len(text) <= info.max_length)
        and (info.pattern is None or re.search(info.pattern, text) is not None)
    )


def _choices(info: inspect.EnumType | inspect.LiteralType) -> Sequence[str]:
    values = info.values if isinstance(info, inspect.LiteralType) else [item.value for item in info.cls]
    return [str(value) for value in values]


def allowed(info: inspect.Type) -> str:
    match info:
        case inspect.Metadata():
            return allowed(info.type)
        case inspect.UnionType():
            return " or ".join(allowed(kind) for kind in info.types if not isinstance(kind, inspect.NoneType))
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return "a whole number" + _range(
                info.ge, info.le, "from {} to {}", "of at least {}", "of at most {}"
            )
        case inspect.FloatType():
            return "a number"
        case inspect.StrType():
            length = _range(
                info.min_length,
                info.max_length,
                "of {} to {} characters",
                "of at least {} characters",
                "of at most {} characters",
            )
            return f"a text{length}" + (f" that matches {info.pattern}" if info.pattern else "")
        case inspect.EnumType() | inspect.LiteralType():
            return "one of " + ", ".join(_choices(info))
        case inspect.StructType():
            return "sent by its fields: " + ", ".join(field.encode_name for field in info.fields)
        case inspect.VarTupleType():
            return "a list, numbered from 1; an item is " + allowed(info.item_type)
        case _:
            return "something else"


def _range(low: object, high: object, both: str, least: str, most: str) -> str:
    if low is not None and high is not None:
        return " " + both.format(low, high)
    if low is not None:
        return " " + least.format(low)
    return " " + most.format(high) if high is not None else ""


def _invalid(name: str, text: str, allowed: str) -> UserError:
    shown = f" {text[:100]!r}" if text else ""
    return UserError(
        f"The parameter {name}{shown} is not valid: it must be {allowed}.", code=f"InvalidParameter.{name}"
    )
