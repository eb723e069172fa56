"""Tags of sources, jobs and workgroups: keys with values, which go with the thing that carries them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import Enum

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Table,
    and_,
    delete,
    func,
    insert,
    select,
    tuple_,
)

from smc.base.errors import UserError
from smc.center.store.database import Database
from smc.center.store.tables import jobs, sources, workgroups
from smc.center.store.tables import tags as table
from smc.center.store.values import Tag

MOST = 20  # of one thing; service-facts, 7


class Tagged(Enum):
    """What carries tags, in the API's word for it (`workgroup` is ours)."""

    SOURCE = "sourceserver"
    JOB = "replicationjob"
    WORKGROUP = "workgroup"


_HOLDERS: Mapping[Tagged, Table] = {
    Tagged.SOURCE: sources,
    Tagged.JOB: jobs,
    Tagged.WORKGROUP: workgroups,
}


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A tag that must be there; `value` None: with any value."""

    key: str
    value: str | None = None


class TagRow(msgspec.Struct, frozen=True, kw_only=True):
    resource: str
    key: str
    value: str


class Tags:
    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, kind: Tagged, ids: Sequence[str], given: Sequence[Tag]) -> None:
        """Give each of `ids` all of `given`; a key that is there already gets the new value. All or nothing.

        Raises `UserError`: `InvalidResourceId.NotFound`, `NumberExceed.Tags`.
        """
        with self._database.write() as connection:
            _require_there(connection, kind, ids)
            add(connection, kind, ids, given)

    def take(self, kind: Tagged, ids: Sequence[str], keys: Collection[str] | None) -> None:
        """Take these keys away, None: all; what is not there is no error.

        Raises `UserError` (`InvalidResourceId.NotFound`).
        """
        with self._database.write() as connection:
            _require_there(connection, kind, ids)
            gone = delete(table).where(table.c.kind == kind.value, table.c.resource.in_(ids))
            connection.execute(gone if keys is None else gone.where(table.c.key.in_(keys)))

    def of(self, kind: Tagged, ids: Collection[str]) -> Mapping[str, tuple[Tag, ...]]:
        """By id, in the order of the keys; each of `ids` is there."""
        found: dict[str, list[Tag]] = {resource: [] for resource in ids}
        query = select(table).where(table.c.kind == kind.value, table.c.resource.in_(found))
        with self._database.read() as connection:
            for row in connection.execute(query.order_by(table.c.key)):
                found[row.resource].append(Tag(key=row.key, value=row.value))
        return {resource: tuple(tags) for resource, tags in found.items()}

    def page(
        self,
        kind: Tagged,
        ids: Collection[str],
        wanted: Sequence[Wanted],
        *,
        after: tuple[str, str] | None,
        limit: int,
    ) -> Sequence[TagRow]:
        """Rows of things that carry all of `wanted`, by id and key, those behind the id and key `after`.

        Raises `UserError` (`InvalidResourceId.NotFound`).
        """
        query = select(table).where(table.c.kind == kind.value, *carrying(kind, table.c.resource, wanted))
        if ids:
            query = query.where(table.c.resource.in_(ids))
        if after is not None:
            query = query.where(tuple_(table.c.resource, table.c.key) > tuple_(*after))
        with self._database.read() as connection:
            _require_there(connection, kind, ids)
            rows = connection.execute(query.order_by(table.c.resource, table.c.key).limit(limit))
            return [_value(row) for row in rows]


def add(connection: Connection, kind: Tagged, ids: Sequence[str], given: Sequence[Tag]) -> None:
    """Within the caller's transaction. Raises `UserError` (`NumberExceed.Tags`)."""
    if not given or not ids:
        return
    keys = [tag.key for tag in given]
    mine = and_(table.c.kind == kind.value, table.c.resource.in_(ids))
    connection.execute(delete(table).where(mine, table.c.key.in_(keys)))
    rows = [
        {"kind": kind.value, "resource": resource, "key": tag.key, "value": tag.value}
        for resource in ids
        for tag in given
    ]
    connection.execute(insert(table), rows)
    too_many = (
        select(table.c.resource).where(mine).group_by(table.c.resource).having(func.count() > MOST).limit(1)
    )
    if full := connection.execute(too_many).scalar():
        raise UserError(
            f"{full} would have more than {MOST} tags.",
            code="NumberExceed.Tags",
            hint="Take tags away first (UntagResources).",
        )


def forget(connection: Connection, kind: Tagged, ids: Iterable[str]) -> None:
    """The things are deleted in the caller's transaction, and their tags with them."""
    connection.execute(delete(table).where(table.c.kind == kind.value, table.c.resource.in_(list(ids))))


def carrying(kind: Tagged, column: ColumnElement[str], wanted: Sequence[Wanted]) -> list[ColumnElement[bool]]:
    """Conditions: the thing whose id is in `column` carries all of `wanted`."""
    conditions: list[ColumnElement[bool]] = []
    for tag in wanted:
        carriers = select(table.c.resource).where(table.c.kind == kind.value, table.c.key == tag.key)
        if tag.value is not None:
            carriers = carriers.where(table.c.value == tag.value)
        conditions.append(column.in_(carriers))
    return conditions


def _require_there(connection: Connection, kind: Tagged, ids: Collection[str]) -> None:
    holder = _HOLDERS[kind]
    known = set(connection.execute(select(holder.c.id).where(holder.c.id.in_(ids))).scalars())
    if missing := [resource for resource in ids if resource not in known]:
        raise UserError(
            f"There is no {kind.value} {missing[0]}.",
            code="InvalidResourceId.NotFound",
            hint="Check the ids and the ResourceType.",
        )


def _value(row: Row[tuple[object, ...]]) -> TagRow:
    return TagRow(resource=row.resource, key=row.key, value=row.value)
