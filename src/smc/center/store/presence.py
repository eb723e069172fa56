"""Whether sources are heard of: the moment one goes silent, or is back, becomes an event."""

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from smc.center.clock import Clock
from smc.center.store import tags
from smc.center.store.database import Database
from smc.center.store.event_tables import presence as table
from smc.center.store.events import EventKind, EventLevel, NewEvent, note
from smc.center.store.tables import sources
from smc.center.store.tags import Tagged


def arrive(connection: Connection, now: float, source: str, name: str, *, again: bool, but: str = "") -> None:
    """It was imported just now, within the caller's transaction; `but`: what cannot be done with it."""
    message = f"The source {name} was imported{' again' if again else ''}{f', but {but}' if but else ''}."
    note(connection, now, NewEvent(kind=EventKind.SOURCE_IMPORTED, source=source, message=message))
    here = update(table).where(table.c.source == source).values(online=True, since=now)
    if not connection.execute(here).rowcount:
        connection.execute(insert(table).values(source=source, online=True, since=now))


def leave(connection: Connection, now: float, source: str, *conditions: ColumnElement[bool]) -> bool:
    """Forget the source when all `conditions` hold, within the caller's transaction."""
    here = (sources.c.id == source, *conditions)
    name = connection.execute(select(sources.c.name).where(*here).with_for_update()).scalar()
    if name is None:
        return False
    message = f"The source {name} was deleted."
    note(connection, now, NewEvent(kind=EventKind.SOURCE_DELETED, source=source, message=message))
    tags.forget(connection, Tagged.SOURCE, [source])
    connection.execute(delete(sources).where(*here))
    return True


class Presence:
    """After `silent_seconds` without a beat a source is offline."""

    def __init__(self, database: Database, clock: Clock, silent_seconds: float) -> None:
        self._database = database
        self._clock = clock
        self._silent_seconds = silent_seconds
        self._began = clock.monotonic()

    def look(self) -> None:
        """Tell what has changed. A center that has just started waits: no source could reach it before."""
        just_started = self._clock.monotonic() - self._began < self._silent_seconds
        now = self._clock.now()
        heard = sources.c.last_beat >= now - self._silent_seconds
        changed = (
            select(sources.c.id, sources.c.name, sources.c.last_beat, heard.label("heard"))
            .join(table, table.c.source == sources.c.id)
            .where(sources.c.deleting.is_(False), table.c.online != heard)
        )
        with self._database.read() as connection:
            rows = connection.execute(changed).fetchall()
        for row in rows:
            if row.heard or not just_started:
                self._turn(row.id, row.name, now, online=bool(row.heard))

    def _turn(self, source: str, name: str, now: float, *, online: bool) -> None:
        with self._database.write() as connection:
            here = (table.c.source == source) & (table.c.online.is_(not online))
            if connection.execute(update(table).where(here).values(online=online, since=now)).rowcount:
                note(connection, now, _event(source, name, online=online))


def _event(source: str, name: str, *, online: bool) -> NewEvent:
    if online:
        return NewEvent(
            kind=EventKind.SOURCE_BACK, source=source, message=f"The source {name} is heard of again."
        )
    return NewEvent(
        kind=EventKind.SOURCE_OFFLINE,
        level=EventLevel.WARNING,
        source=source,
        code="SourceServer.Offline",
        message=f"The source {name} is not heard of any more.",
        hint="See that the server runs and that its agent reaches this center.",
    )
