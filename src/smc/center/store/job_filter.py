"""Which replication jobs are asked for."""

import msgspec
from sqlalchemy import ColumnElement, or_

from smc.center.store import tags
from smc.center.store.tables import jobs as table
from smc.center.store.tags import Tagged, Wanted
from smc.model.job import BusinessStatus, JobStatus


class JobFilter(msgspec.Struct, frozen=True, kw_only=True):
    """All that is given must hold."""

    ids: tuple[str, ...] = ()
    source_ids: tuple[str, ...] = ()
    instance_ids: tuple[str, ...] = ()  # target instances
    name: str = ""
    region_id: str = ""
    statuses: tuple[JobStatus, ...] = ()
    business_status: BusinessStatus | None = None
    crossing: bool | None = None  # cross-zone jobs alone, or all others
    resource_group: str = ""
    tags: tuple[Wanted, ...] = ()


def conditions_of(wanted: JobFilter) -> list[ColumnElement[bool]]:
    conditions = tags.carrying(Tagged.JOB, table.c.id, wanted.tags)
    for column, values in (
        (table.c.id, wanted.ids),
        (table.c.source_id, wanted.source_ids),
        (table.c.status, tuple(status.value for status in wanted.statuses)),
    ):
        if values:
            conditions.append(column.in_(values))
    if wanted.instance_ids:
        named = [f'"instance_id":"{instance}"' for instance in wanted.instance_ids]
        conditions.append(or_(*(table.c.request.contains(text, autoescape=True) for text in named)))
    if wanted.crossing is not None:
        moved = table.c.moved_instance
        conditions.append(moved.is_not(None) if wanted.crossing else moved.is_(None))
    if wanted.name:
        conditions.append(table.c.name == wanted.name)
    if wanted.resource_group:
        conditions.append(table.c.resource_group == wanted.resource_group)
    if wanted.region_id:
        conditions.append(table.c.region_id == wanted.region_id)
    if wanted.business_status:
        conditions.append(table.c.business_status == wanted.business_status.value)
    return conditions
