"""Source servers: imported, beating, busy with a job or not."""

import hmac
from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    func,
    insert,
    not_,
    select,
    update,
)

from smc.base.errors import Transient, UserError
from smc.center.clock import Clock
from smc.center.quotas import Quota, Quotas, exceeded
from smc.center.store import presence, runs, tags, tokens, workgroups
from smc.center.store.database import Database
from smc.center.store.ids import new_id, random_text
from smc.center.store.tables import activation_codes, jobs, workgroup_sources
from smc.center.store.tables import sources as table
from smc.center.store.tags import Tagged, Wanted
from smc.center.store.values import ActivationCode, Source
from smc.model import windows
from smc.model.codec import decode, encode
from smc.model.job import UNFINISHED, SourceState
from smc.model.server import Server, runs_windows
from smc.wire.orders import HEARTBEAT_SECONDS, Enrol

OFFLINE_SECONDS = 3 * HEARTBEAT_SECONDS  # three missed beats (contracts, 2)
CREDENTIAL_LENGTH = 43  # base62: 256 bits

_LATEST_JOB = (
    select(jobs.c.id)
    .where(jobs.c.source_id == table.c.id)
    .order_by(jobs.c.created.desc())
    .limit(1)
    .scalar_subquery()
)
_BUSY = (
    select(jobs.c.id)
    .where(jobs.c.source_id == table.c.id, jobs.c.status.in_([status.value for status in UNFINISHED]))
    .exists()
)
_WORKGROUP = (
    select(workgroup_sources.c.workgroup).where(workgroup_sources.c.source == table.c.id).scalar_subquery()
)


class Sign(msgspec.Struct, frozen=True, kw_only=True):
    """A sign of life; `server` when the inventory changed: it is told once, so it is never too old."""

    time: float
    address: str
    cpu_usage: float = 0.0
    memory_usage: float = 0.0
    clock_ahead: float = 0.0  # by how many seconds its clock is before the center's
    server: Server | None = None


class SourceFilter(msgspec.Struct, frozen=True, kw_only=True):
    """All that is given must hold."""

    ids: tuple[str, ...] = ()
    name: str = ""
    job: str = ""
    state: SourceState | None = None
    workgroup: str = ""
    resource_group: str = ""
    tags: tuple[Wanted, ...] = ()
    with_jobs: bool = False  # those that have a job


def state_of(source: Source, now: float) -> SourceState:
    """Offline outranks InUse: an operator must see that a running job has lost its source."""
    if source.deleting:
        return SourceState.DELETING
    if now - source.last_beat > OFFLINE_SECONDS:
        return SourceState.UNAVAILABLE
    return SourceState.IN_USE if source.busy else SourceState.AVAILABLE


class Sources:
    def __init__(self, database: Database, region: str, clock: Clock, quotas: Quotas) -> None:
        self._database = database
        self._clock = clock
        self._region = region
        self._quotas = quotas

    def enrol(self, request: Enrol, address: str) -> tuple[Source, str]:
        """The source and its new credential; the one it had is void.

        A machine that is known by its fingerprint stays the same source and spends no use of the code.
        A code's workgroup takes it in when it is in none.
        Raises `UserError` for a code that does not let it in and for `QuotaExceeded`, `Transient` while the
        source is being deleted.
        """
        credential = random_text(CREDENTIAL_LENGTH)
        now = self._clock.now()
        described = {
            "server": encode(request.server).decode(),
            "csr": request.csr,
            "credential_hash": tokens.hash_of(credential),
            "address": address,
            "last_beat": now,
            "cpu_usage": request.server.cpu_usage,
            "memory_usage": request.server.memory_usage,
        }
        with self._database.write() as connection:
            code = _code(connection, request.token_id)
            tokens.check(code, request.token_code, now)
            assert code is not None
            source_id = _known(connection, request.server.fingerprint)
            known = bool(source_id)
            if known:
                if (
                    connection.execute(select(table.c.csr).where(table.c.id == source_id)).scalar()
                    != request.csr
                ):
                    runs.forget_agent_certificates(connection, source_id)
                connection.execute(update(table).where(table.c.id == source_id).values(**described))
            else:
                self._refuse_one_more(connection)
                tokens.spend(connection, code)
                source_id = new_id("s", self._region)
                _add(connection, source_id, request.server, now, described)
            if code.workgroup and not workgroups.workgroup_of(connection, source_id):
                workgroups.add_members(connection, code.workgroup, [source_id], self._quotas, now)
            row = connection.execute(_query().where(table.c.id == source_id)).one()
            but = windows.NOT_SENT if runs_windows(request.server) else ""
            presence.arrive(connection, now, source_id, row.name, again=known, but=but)
        return _value(row), credential

    def _refuse_one_more(self, connection: Connection) -> None:
        count = connection.execute(select(func.count()).select_from(table)).scalar_one()
        if count >= self._quotas.sources:
            raise exceeded(Quota.SOURCES, self._quotas.sources)

    def authenticate(self, credential: str) -> Source | None:
        wanted = tokens.hash_of(credential)
        with self._database.read() as connection:
            row = connection.execute(_query().where(table.c.credential_hash == wanted)).one_or_none()
        return _value(row) if row and hmac.compare_digest(row.credential_hash, wanted) else None

    def find(self, source_id: str) -> Source | None:
        with self._database.read() as connection:
            row = connection.execute(_query().where(table.c.id == source_id)).one_or_none()
        return _value(row) if row else None

    def page(self, wanted: SourceFilter, *, offset: int, limit: int) -> tuple[int, Sequence[Source]]:
        """How many there are, and one page of them, newest first."""
        conditions = _conditions(wanted, self._clock.now())
        order = table.c.created.desc(), table.c.id
        with self._database.read() as connection:
            total = connection.execute(
                select(func.count()).select_from(table).where(*conditions)
            ).scalar_one()
            rows = connection.execute(
                _query().where(*conditions).order_by(*order).offset(offset).limit(limit)
            )
            return total, [_value(row) for row in rows]

    def beat(self, signs: Mapping[str, Sign]) -> None:
        """Record the latest sign of life of each source, in one transaction."""
        if not signs:
            return
        with self._database.write() as connection:
            for source_id, sign in signs.items():
                values: dict[str, object] = {"last_beat": sign.time, "address": sign.address}
                if sign.cpu_usage or sign.memory_usage:
                    values |= {
                        "cpu_usage": sign.cpu_usage,
                        "memory_usage": sign.memory_usage,
                        "clock_ahead": sign.clock_ahead,
                    }
                here = table.c.id == source_id
                connection.execute(update(table).where(here, table.c.last_beat <= sign.time).values(**values))
                if sign.server is not None:
                    described = encode(sign.server).decode()
                    connection.execute(update(table).where(here).values(server=described))

    def describe(
        self, source_id: str, *, name: str | None, description: str | None, resource_group: str | None = None
    ) -> None:
        """Change what is given. Raises `UserError` (`SourceServerName.Duplicate`)."""
        values = {"name": name, "description": description, "resource_group": resource_group}
        values = {column: value for column, value in values.items() if value is not None}
        with self._database.write() as connection:
            if name and _name_taken(connection, name, source_id):
                raise UserError(
                    f"Another migration source is already named {name}.",
                    code="SourceServerName.Duplicate",
                    hint="Choose another name.",
                )
            if values:
                connection.execute(update(table).where(table.c.id == source_id).values(**values))

    def mark_deleting(self, source_id: str) -> None:
        with self._database.write() as connection:
            connection.execute(update(table).where(table.c.id == source_id).values(deleting=True))

    def remove(self, source_id: str) -> bool:
        """Forget the source, and its credential is void. False while it has a job: it goes with that."""
        with self._database.write() as connection:
            if connection.execute(select(jobs.c.id).where(jobs.c.source_id == source_id).limit(1)).first():
                return False
            presence.leave(connection, self._clock.now(), source_id)
        return True


def _query() -> Select[tuple[object, ...]]:
    return select(
        table,
        func.coalesce(_LATEST_JOB, "").label("job"),
        _BUSY.label("busy"),
        func.coalesce(_WORKGROUP, "").label("workgroup"),
    )


def _conditions(wanted: SourceFilter, now: float) -> list[ColumnElement[bool]]:
    conditions = tags.carrying(Tagged.SOURCE, table.c.id, wanted.tags)
    if wanted.workgroup:
        inside = workgroup_sources.c.workgroup == wanted.workgroup
        conditions.append(table.c.id.in_(select(workgroup_sources.c.source).where(inside)))
    if wanted.resource_group:
        conditions.append(table.c.resource_group == wanted.resource_group)
    if wanted.with_jobs:
        conditions.append(table.c.id.in_(select(jobs.c.source_id)))
    if wanted.ids:
        conditions.append(table.c.id.in_(wanted.ids))
    if wanted.name:
        conditions.append(table.c.name == wanted.name)
    if wanted.job:
        conditions.append(table.c.id.in_(select(jobs.c.source_id).where(jobs.c.id == wanted.job)))
    online = table.c.last_beat >= now - OFFLINE_SECONDS
    match wanted.state:
        case SourceState.DELETING:
            conditions.append(table.c.deleting)
        case SourceState.UNAVAILABLE:
            conditions += [not_(table.c.deleting), not_(online)]
        case SourceState.IN_USE:
            conditions += [not_(table.c.deleting), online, _BUSY]
        case SourceState.AVAILABLE:
            conditions += [not_(table.c.deleting), online, not_(_BUSY)]
    return conditions


def _code(connection: Connection, code_id: str) -> ActivationCode | None:
    row = connection.execute(select(activation_codes).where(activation_codes.c.id == code_id)).one_or_none()
    return ActivationCode(**row._mapping) if row else None


def _known(connection: Connection, fingerprint: str) -> str:
    """The id of the source this machine is already, "" when it is new. Raises `Transient`."""
    query = select(table.c.id, table.c.deleting).where(table.c.fingerprint == fingerprint)
    row = connection.execute(query.with_for_update()).one_or_none()
    if row is not None and row.deleting:
        raise Transient(
            "This server was imported before and is being deleted at the center.",
            code="Source.Deleting",
            hint="Import it again when that is done.",
        )
    return row.id if row is not None else ""


def _add(
    connection: Connection, source_id: str, server: Server, now: float, described: Mapping[str, object]
) -> None:
    connection.execute(
        insert(table).values(
            id=source_id,
            name=_free_name(connection, server.hostname, source_id),
            description=_describe(server),
            fingerprint=server.fingerprint,
            created=now,
            deleting=False,
            **described,
        )
    )


def _describe(server: Server) -> str:
    """As the vendor's agent words it."""
    addresses = [address.split("/")[0] for nic in server.nics for address in nic.addresses]
    at = f" IP Address: {addresses[0]}" if addresses else ""
    return f"Server Source Imported By smc-agent. Hostname: {server.hostname}{at}"


def _free_name(connection: Connection, hostname: str, source_id: str) -> str:
    """The host's name, with the source's id behind it when another source has that name."""
    name = hostname[:100]
    return f"{name}_{source_id}" if _name_taken(connection, name, source_id) else name


def _name_taken(connection: Connection, name: str, source_id: str) -> bool:
    query = select(table.c.id).where(table.c.name == name, table.c.id != source_id)
    return connection.execute(query).first() is not None


def _value(row: Row[tuple[object, ...]]) -> Source:
    columns = dict(row._mapping)
    columns.pop("credential_hash")
    columns["server"] = decode(columns["server"], Server)
    columns["busy"] = bool(columns["busy"])
    return Source(**columns)
