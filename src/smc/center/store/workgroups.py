"""Workgroups: sources that are moved together. A source is in one of them at most."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select, tuple_, update

from smc.base.errors import UserError
from smc.center.clock import Clock
from smc.center.quotas import Quota, Quotas, exceeded
from smc.center.store import tags
from smc.center.store.database import Database
from smc.center.store.idempotence import made_before
from smc.center.store.ids import new_id
from smc.center.store.tables import activation_codes, jobs, runs, sources
from smc.center.store.tables import workgroup_sources as members
from smc.center.store.tables import workgroups as table
from smc.center.store.tags import Tagged, Wanted
from smc.center.store.values import JobRequest, Tag
from smc.model.codec import decode
from smc.model.job import UNFINISHED, DrillStatus, JobStatus, RunAim

CUTTING_OVER = (RunAim.LAST.value, RunAim.RELEASE.value)  # in a later round than the first


class Workgroup(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    description: str
    created: float


class NewWorkgroup(msgspec.Struct, frozen=True, kw_only=True):
    """`token_hash` is of the request's parameters: a repeated request gives the same workgroup."""

    name: str
    description: str
    tags: tuple[Tag, ...] = ()
    client_token: str = ""
    token_hash: str = ""


class WorkgroupFilter(msgspec.Struct, frozen=True, kw_only=True):
    """All that is given must hold."""

    ids: tuple[str, ...] = ()
    name: str = ""
    tags: tuple[Wanted, ...] = ()


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A source of a workgroup with its latest job; without one `job` is "" and `status` None."""

    source: str
    job: str = ""
    status: JobStatus | None = None
    started: bool = False
    drill: DrillStatus = DrillStatus.NOT_RUN
    cutting_over: bool = False  # its cut-over has begun


class Workgroups:
    def __init__(self, database: Database, region: str, clock: Clock, quotas: Quotas) -> None:
        self._database = database
        self._region = region
        self._clock = clock
        self._quotas = quotas

    def create(self, new: NewWorkgroup) -> str:
        """The id of the workgroup, of the one made before when the client token is known.

        Raises `UserError`: `IdempotentParameterMismatch`, `WorkgroupName.Duplicate`,
        `QuotaExceeded.Workgroup`, `NumberExceed.Tags`.
        """
        with self._database.write() as connection:
            made = made_before(connection, table, new.client_token, new.token_hash)
            if made:
                return made
            _refuse_taken_name(connection, new.name)
            count = connection.execute(select(func.count()).select_from(table)).scalar_one()
            if count >= self._quotas.workgroups:
                raise exceeded(Quota.WORKGROUPS, self._quotas.workgroups)
            workgroup = new_id("w", self._region)
            connection.execute(
                insert(table).values(
                    id=workgroup,
                    name=new.name,
                    description=new.description,
                    created=self._clock.now(),
                    client_token=new.client_token or None,
                    client_token_hash=new.token_hash or None,
                )
            )
            tags.add(connection, Tagged.WORKGROUP, [workgroup], new.tags)
        return workgroup

    def list(self, wanted: WorkgroupFilter) -> Sequence[Workgroup]:
        """All of them, newest first: there are few."""
        query = select(table).where(*_conditions(wanted)).order_by(table.c.created.desc(), table.c.id)
        with self._database.read() as connection:
            return [_value(row) for row in connection.execute(query)]

    def members(self, workgroups: Collection[str]) -> Mapping[str, Sequence[Member]]:
        """By workgroup, in the order in which they joined; each of `workgroups` is there."""
        found: dict[str, list[Member]] = {workgroup: [] for workgroup in workgroups}
        rival = jobs.alias()
        newer = tuple_(rival.c.created, rival.c.id) > tuple_(jobs.c.created, jobs.c.id)
        is_latest = ~select(rival.c.id).where(rival.c.source_id == jobs.c.source_id, newer).exists()
        query = (
            select(
                members.c.workgroup,
                members.c.source,
                jobs.c.id.label("job"),
                jobs.c.status,
                jobs.c.run_number,
                jobs.c.drill,
                runs.c.aim,
                runs.c.round,
            )
            .select_from(members)
            .outerjoin(jobs, (jobs.c.source_id == members.c.source) & is_latest)
            .outerjoin(runs, (runs.c.job == jobs.c.id) & (runs.c.number == jobs.c.run_number))
            .where(members.c.workgroup.in_(found))
            .order_by(members.c.joined, members.c.source)
        )
        with self._database.read() as connection:
            for row in connection.execute(query):
                found[row.workgroup].append(_member(row))
        return found

    def require(self, workgroup: str) -> None:
        """Raises `UserError` (`InvalidWorkgroupId.NotFound`)."""
        with self._database.read() as connection:
            if connection.execute(select(table.c.id).where(table.c.id == workgroup)).first() is None:
                raise no_such_workgroup(workgroup)

    def of_sources(self, ids: Collection[str]) -> Mapping[str, str]:
        """The workgroup of each of `ids`, "" when it is in none."""
        query = select(members.c.source, members.c.workgroup).where(members.c.source.in_(ids))
        with self._database.read() as connection:
            found = {row.source: row.workgroup for row in connection.execute(query)}
        return {source: found.get(source, "") for source in ids}

    def describe(self, workgroup: str, *, name: str | None, description: str | None) -> None:
        """Raises `UserError` (`InvalidWorkgroupId.NotFound`, `WorkgroupName.Duplicate`)."""
        given = {"name": name, "description": description}
        values = {column: value for column, value in given.items() if value is not None}
        with self._database.write() as connection:
            lock(connection, workgroup)
            if name:
                _refuse_taken_name(connection, name, workgroup)
            if values:
                connection.execute(update(table).where(table.c.id == workgroup).values(**values))

    def delete(self, workgroup: str) -> None:
        """An activation code that leads into it imports servers without a workgroup from then on.

        Raises `UserError` (`InvalidWorkgroupId.NotFound`, `Workgroup.NotEmpty`).
        """
        with self._database.write() as connection:
            lock(connection, workgroup)
            if count := _count(connection, workgroup):
                raise UserError(
                    f"The workgroup {workgroup} has {count} migration sources.",
                    code="Workgroup.NotEmpty",
                    hint="Take its sources out first (DisassociateSourceServers).",
                )
            leading = activation_codes.c.workgroup == workgroup
            connection.execute(update(activation_codes).where(leading).values(workgroup=""))
            tags.forget(connection, Tagged.WORKGROUP, [workgroup])
            connection.execute(delete(table).where(table.c.id == workgroup))

    def join(self, workgroup: str, ids: Sequence[str]) -> None:
        """All of the sources or none; those that are in it already stay.

        Raises `UserError`: `InvalidWorkgroupId.NotFound`, `InvalidSourceId.NotFound`,
        `Workgroup.SourceAssociated`, `Workgroup.ImageTargetOnly`, `QuotaExceeded.WorkgroupSourceServer`.
        """
        with self._database.write() as connection:
            lock(connection, workgroup)
            _require_sources(connection, ids)
            _refuse_elsewhere(connection, workgroup, ids)
            _refuse_instance_rounds(connection, workgroup, ids)
            add_members(connection, workgroup, ids, self._quotas, self._clock.now())

    def leave(self, workgroup: str, ids: Sequence[str]) -> None:
        """Sources that are in no workgroup stay so.

        Raises `UserError`: `InvalidWorkgroupId.NotFound`, `InvalidSourceId.NotFound`,
        `Workgroup.SourceAssociated` (one is in another workgroup).
        """
        with self._database.write() as connection:
            lock(connection, workgroup)
            _require_sources(connection, ids)
            _refuse_elsewhere(connection, workgroup, ids)
            connection.execute(delete(members).where(members.c.source.in_(ids)))


def add_members(
    connection: Connection, workgroup: str, ids: Sequence[str], quotas: Quotas, now: float
) -> None:
    """Within the caller's transaction; those that are in it already stay.

    Raises `UserError` (`QuotaExceeded.WorkgroupSourceServer`).
    """
    here = set(connection.execute(select(members.c.source).where(members.c.workgroup == workgroup)).scalars())
    new = [source for source in dict.fromkeys(ids) if source not in here]
    if len(here) + len(new) > quotas.workgroup_sources:
        raise exceeded(Quota.WORKGROUP_SOURCES, quotas.workgroup_sources)
    if new:
        rows = [{"source": source, "workgroup": workgroup, "joined": now} for source in new]
        connection.execute(insert(members), rows)


def workgroup_of(connection: Connection, source: str) -> str:
    """ "" when it is in none."""
    query = select(members.c.workgroup).where(members.c.source == source)
    return connection.execute(query).scalar() or ""


def no_such_workgroup(workgroup: str) -> UserError:
    return UserError(
        f"There is no workgroup {workgroup}.",
        code="InvalidWorkgroupId.NotFound",
        hint="DescribeWorkgroups lists the workgroups.",
    )


def require_image(source: str, workgroup: str, request: JobRequest) -> None:
    """Sources of a workgroup are synchronized again and again to images only (contracts, 6).

    Raises `UserError` (`Workgroup.ImageTargetOnly`).
    """
    if workgroup and not request.run_once and request.target_type != "Image":
        raise UserError(
            f"The migration source {source} is to be in a workgroup: its automatic incremental jobs make "
            "images only.",
            code="Workgroup.ImageTargetOnly",
            hint="Let the job make an image or run once, or take the source out of its workgroup.",
        )


def _conditions(wanted: WorkgroupFilter) -> list[ColumnElement[bool]]:
    conditions = tags.carrying(Tagged.WORKGROUP, table.c.id, wanted.tags)
    if wanted.ids:
        conditions.append(table.c.id.in_(wanted.ids))
    if wanted.name:
        conditions.append(table.c.name == wanted.name)
    return conditions


def lock(connection: Connection, workgroup: str) -> None:
    """Nobody else changes it or who is in it before the end of the transaction. Raises `UserError`."""
    query = select(table.c.id).where(table.c.id == workgroup).with_for_update()
    if connection.execute(query).first() is None:
        raise no_such_workgroup(workgroup)


def _count(connection: Connection, workgroup: str) -> int:
    query = select(func.count()).select_from(members).where(members.c.workgroup == workgroup)
    return connection.execute(query).scalar_one()


def _refuse_taken_name(connection: Connection, name: str, workgroup: str = "") -> None:
    taken = select(table.c.id).where(table.c.name == name, table.c.id != workgroup)
    if name and connection.execute(taken).first():
        raise UserError(
            f"Another workgroup is already named {name}.",
            code="WorkgroupName.Duplicate",
            hint="Choose another name.",
        )


def _require_sources(connection: Connection, ids: Sequence[str]) -> None:
    known = set(connection.execute(select(sources.c.id).where(sources.c.id.in_(ids))).scalars())
    if missing := [source for source in ids if source not in known]:
        raise UserError(
            f"There is no migration source {missing[0]}.",
            code="InvalidSourceId.NotFound",
            hint="DescribeSourceServers lists the sources.",
        )


def _refuse_elsewhere(connection: Connection, workgroup: str, ids: Sequence[str]) -> None:
    other = select(members).where(members.c.source.in_(ids), members.c.workgroup != workgroup).limit(1)
    row = connection.execute(other).one_or_none()
    if row is not None:
        raise UserError(
            f"The migration source {row.source} is in the workgroup {row.workgroup}.",
            code="Workgroup.SourceAssociated",
            hint=f"Take it out of {row.workgroup} first (DisassociateSourceServers).",
        )


def _refuse_instance_rounds(connection: Connection, workgroup: str, ids: Sequence[str]) -> None:
    unfinished = jobs.c.status.in_([status.value for status in UNFINISHED])
    query = select(jobs.c.source_id, jobs.c.request).where(jobs.c.source_id.in_(ids), unfinished)
    for row in connection.execute(query):
        require_image(row.source_id, workgroup, decode(row.request, JobRequest))


def _member(row: Any) -> Member:  # Any: a row of columns of two tables
    if row.job is None:
        return Member(source=row.source)
    return Member(
        source=row.source,
        job=row.job,
        status=JobStatus(row.status),
        started=row.run_number > 0,
        drill=DrillStatus(row.drill),
        cutting_over=row.round is not None and row.round > 1 and row.aim in CUTTING_OVER,
    )


def _value(row: Row[tuple[object, ...]]) -> Workgroup:
    return Workgroup(id=row.id, name=row.name, description=row.description, created=row.created)
