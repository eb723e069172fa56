"""What happened (ours): DescribeEvents."""

from typing import Annotated

import msgspec

from smc.center.api.context import Context
from smc.center.api.words import PageNumber, PageSize, check_ids, offset, page, read_time, written
from smc.center.store.events import Event, EventFilter, EventKind, EventLevel
from smc.rpc.dispatch import Actions, Caller, Reply, action
from smc.rpc.params import Request


class DescribeEvents(Request, frozen=True, kw_only=True):
    job_id: tuple[str, ...] = ()
    source_id: tuple[str, ...] = ()
    workgroup_id: tuple[str, ...] = ()
    kind: tuple[EventKind, ...] = ()
    level: EventLevel = EventLevel.INFO
    start_time: str = ""
    end_time: str = ""
    after_event_id: Annotated[int, msgspec.Meta(ge=0)] | None = None
    page_number: PageNumber = 1
    page_size: PageSize = 10


class EventActions:
    def __init__(self, context: Context) -> None:
        self._events = context.store.events

    def actions(self) -> Actions:
        return {"DescribeEvents": action(DescribeEvents, self._describe)}

    def _describe(self, request: DescribeEvents, _caller: Caller) -> Reply:
        """What happened to jobs, sources and images, and who asked for it: newest first, or with
        `AfterEventId` oldest first from there on, which is how to follow. `Level` takes that level and those
        above; `StartTime` is included, `EndTime` is not.
        """
        wanted = EventFilter(
            jobs=check_ids(request.job_id, "JobId"),
            sources=check_ids(request.source_id, "SourceId"),
            workgroups=check_ids(request.workgroup_id, "WorkgroupId"),
            kinds=request.kind,
            level=request.level,
            since=read_time(request.start_time, "StartTime") if request.start_time else None,
            until=read_time(request.end_time, "EndTime") if request.end_time else None,
            after=request.after_event_id,
        )
        start = offset(request.page_number, request.page_size)
        total, found = self._events.page(wanted, offset=start, limit=request.page_size)
        return {
            **page(request.page_number, request.page_size, total),
            "Events": {"Event": [described(event) for event in found]},
        }


def described(event: Event) -> dict[str, object]:
    return {
        "EventId": event.id,
        "Time": written(event.time),
        "Kind": event.kind.value,
        "Level": event.level.value,
        "JobId": event.job,
        "SourceId": event.source,
        "WorkgroupId": event.workgroup,
        "Run": event.run,
        "Actor": event.actor,
        "Code": event.code,
        "Message": event.message,
        "Hint": event.hint,
    }
