"""Workgroups: CreateWorkgroup, DescribeWorkgroups, ModifyWorkgroupAttribute, DeleteWorkgroup,
AssociateSourceServers, DisassociateSourceServers."""

import re
from collections.abc import Sequence
from typing import Annotated

import msgspec

from smc.base.errors import UserError
from smc.center.api import tag_rules
from smc.center.api.context import Context
from smc.center.api.words import (
    MOST_IDS,
    ClientToken,
    PageNumber,
    PageSize,
    TagPair,
    check_free_text,
    check_ids,
    invalid,
    offset,
    page,
    request_hash,
    tags_shown,
)
from smc.center.store.tags import Tagged
from smc.center.store.values import Tag
from smc.center.store.workgroups import Member, NewWorkgroup, Workgroup, WorkgroupFilter
from smc.center.workgroup_status import WorkgroupStatus, status_of, warnings_of
from smc.rpc.dispatch import Actions, Caller, Reply, action
from smc.rpc.params import Request

NAME = re.compile(r"[A-Za-z\u4e00-\u9fff][A-Za-z\u4e00-\u9fff0-9:._-]{1,63}")  # service-facts, 1.2

Description = Annotated[str, msgspec.Meta(min_length=2, max_length=256)]


class CreateWorkgroup(Request, frozen=True, kw_only=True):
    name: str = ""
    description: Description | None = None
    client_token: ClientToken = ""
    tag: tuple[TagPair, ...] = ()


class DescribeWorkgroups(Request, frozen=True, kw_only=True):
    workgroup_id: tuple[str, ...] = ()
    name: str = ""
    status: WorkgroupStatus | None = None
    tag: tuple[TagPair, ...] = ()
    page_number: PageNumber = 1
    page_size: PageSize = 10


class ModifyWorkgroupAttribute(Request, frozen=True, kw_only=True):
    workgroup_id: str
    name: str | None = None
    description: Description | None = None


class OneWorkgroup(Request, frozen=True, kw_only=True):
    workgroup_id: str


class WorkgroupSources(Request, frozen=True, kw_only=True):
    workgroup_id: str
    source_id: tuple[str, ...] = ()


class WorkgroupActions:
    def __init__(self, context: Context) -> None:
        self._store = context.store

    def actions(self) -> Actions:
        return {
            "CreateWorkgroup": action(CreateWorkgroup, self._create),
            "DescribeWorkgroups": action(DescribeWorkgroups, self._describe),
            "ModifyWorkgroupAttribute": action(ModifyWorkgroupAttribute, self._modify),
            "DeleteWorkgroup": action(OneWorkgroup, self._delete),
            "AssociateSourceServers": action(WorkgroupSources, self._associate),
            "DisassociateSourceServers": action(WorkgroupSources, self._disassociate),
        }

    def _create(self, request: CreateWorkgroup, _caller: Caller) -> Reply:
        if request.name:
            _check_name(request.name)
        new = NewWorkgroup(
            name=request.name,
            description=check_free_text(request.description or "", "Description"),
            tags=tag_rules.given(request.tag),
            client_token=request.client_token,
            token_hash=request_hash(msgspec.structs.replace(request, client_token="")),
        )
        return {"WorkgroupId": self._store.workgroups.create(new)}

    def _describe(self, request: DescribeWorkgroups, _caller: Caller) -> Reply:
        """The status is computed from the jobs, so it is a filter over all that the others leave."""
        wanted = WorkgroupFilter(
            ids=check_ids(request.workgroup_id, "WorkgroupId"),
            name=request.name,
            tags=tag_rules.wanted(request.tag),
        )
        found = self._store.workgroups.list(wanted)
        members = self._store.workgroups.members([workgroup.id for workgroup in found])
        wished = self._store.batches.to_cut_over()
        stand = {workgroup.id: (workgroup, status_of(members[workgroup.id], wished)) for workgroup in found}
        fitting = [pair for pair in stand.values() if request.status in (None, pair[1])]
        begin = offset(request.page_number, request.page_size)
        shown = fitting[begin : begin + request.page_size]
        tags = self._store.tags.of(Tagged.WORKGROUP, [workgroup.id for workgroup, _ in shown])
        return {
            **page(request.page_number, request.page_size, len(fitting)),
            "Workgroups": {
                "Workgroup": [
                    _described(workgroup, status, members[workgroup.id], tags[workgroup.id])
                    for workgroup, status in shown
                ]
            },
        }

    def _modify(self, request: ModifyWorkgroupAttribute, _caller: Caller) -> Reply:
        if request.name is not None:
            _check_name(request.name)
        if request.description is not None:
            check_free_text(request.description, "Description")
        self._store.workgroups.describe(
            request.workgroup_id, name=request.name, description=request.description
        )
        return {}

    def _delete(self, request: OneWorkgroup, _caller: Caller) -> Reply:
        self._store.workgroups.delete(request.workgroup_id)
        return {}

    def _associate(self, request: WorkgroupSources, _caller: Caller) -> Reply:
        self._store.workgroups.join(request.workgroup_id, _sources(request))
        return {}

    def _disassociate(self, request: WorkgroupSources, _caller: Caller) -> Reply:
        self._store.workgroups.leave(request.workgroup_id, _sources(request))
        return {}


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise invalid(
            "Name",
            "Name must have 2 to 64 characters: it starts with a letter and goes on with letters, digits, "
            "colons, periods, underscores and hyphens.",
        )


def _sources(request: WorkgroupSources) -> tuple[str, ...]:
    if not request.source_id:
        raise UserError(
            "SourceId is missing.",
            code="MissingParameter.SourceId",
            hint=f"Give 1 to {MOST_IDS} ids of migration sources.",
        )
    return check_ids(request.source_id, "SourceId")


def _described(
    workgroup: Workgroup, status: WorkgroupStatus, members: Sequence[Member], tags: tuple[Tag, ...]
) -> dict[str, object]:
    return {
        "WorkgroupId": workgroup.id,
        "Name": workgroup.name,
        "Description": workgroup.description,
        "Status": status.value,
        "Tags": tags_shown(tags),
        "Warnings": {
            "Warning": [
                {"WarningType": warned.value, "SourceIds": {"SourceId": sources}}
                for warned, sources in warnings_of(members).items()
            ]
        },
    }
