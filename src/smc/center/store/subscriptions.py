"""Subscriptions: who is told of which events."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from smc.base.errors import UserError
from smc.base.secret import Secret
from smc.center.clock import Clock
from smc.center.store.database import Database
from smc.center.store.event_tables import subscriptions as table
from smc.center.store.events import EventLevel
from smc.center.store.ids import new_id


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """`url` may have a password in it; `kinds` as `outbox.wants` reads them."""

    id: str
    name: str
    url: Secret
    kinds: tuple[str, ...]
    level: EventLevel
    enabled: bool
    created: float


class Subscriptions:
    def __init__(self, database: Database, region: str, clock: Clock) -> None:
        self._database = database
        self._region = region
        self._clock = clock

    def create(self, name: str, url: str, kinds: Sequence[str], level: EventLevel) -> str:
        """Raises `UserError` (`SubscriptionName.Duplicate`)."""
        made = new_id("n", self._region)
        values = {"id": made, "name": name, "url": url, "kinds": " ".join(kinds), "level": level.value}
        try:
            with self._database.write() as connection:
                row = insert(table).values(**values, enabled=True, created=self._clock.now())
                connection.execute(row)
        except IntegrityError as e:
            raise _taken(name) from e
        return made

    def find(self, subscription: str) -> Subscription | None:
        with self._database.read() as connection:
            row = connection.execute(select(table).where(table.c.id == subscription)).one_or_none()
        return _value(row) if row else None

    def list(self, ids: Sequence[str] = ()) -> Sequence[Subscription]:
        """Oldest first; no ids: all."""
        query = select(table).order_by(table.c.created, table.c.id)
        with self._database.read() as connection:
            rows = connection.execute(query.where(table.c.id.in_(ids)) if ids else query)
            return [_value(row) for row in rows]

    def modify(
        self,
        subscription: str,
        *,
        name: str | None = None,
        url: str | None = None,
        kinds: Sequence[str] | None = None,
        level: EventLevel | None = None,
        enabled: bool | None = None,
    ) -> bool:
        """None stays as it is; False: there is none. Raises `UserError` (`SubscriptionName.Duplicate`)."""
        values: dict[str, object] = {"name": name, "url": url, "enabled": enabled}
        values["kinds"] = None if kinds is None else " ".join(kinds)
        values["level"] = level.value if level else None
        changes = {column: value for column, value in values.items() if value is not None}
        try:
            with self._database.write() as connection:
                here = update(table).where(table.c.id == subscription)
                return connection.execute(here.values(**changes)).rowcount > 0
        except IntegrityError as e:
            raise _taken(name or "") from e

    def delete(self, subscription: str) -> bool:
        """What still waits for it is not told any more."""
        with self._database.write() as connection:
            return connection.execute(delete(table).where(table.c.id == subscription)).rowcount > 0


def _taken(name: str) -> UserError:
    return UserError(
        f"A subscription is already named {name}.",
        code="SubscriptionName.Duplicate",
        hint="Choose another name.",
    )


def _value(row: Row[tuple[object, ...]]) -> Subscription:
    columns = dict(row._mapping)
    columns |= {
        "url": Secret(row.url),
        "kinds": tuple(row.kinds.split()),
        "level": EventLevel(row.level),
    }
    return Subscription(**columns)
