"""When a job starts by itself, and how long it is valid."""

from msgspec.structs import replace

from smc.base.errors import UserError
from smc.center.api.asked.draft import Draft, Sent
from smc.center.api.job_parameters import ExecutionMethod
from smc.center.api.words import invalid, read_time
from smc.center.store.values import JobRequest

DAY = 86400.0
MINUTE = 60.0  # for clocks that differ
VALID_DAYS = 30.0  # as the console's; the API's text contradicts itself (service-facts, 8)
VALID_DAYS_LIMITS = 7, 90  # after the job was created
MOST_DAYS_AHEAD = 30
AT_ONCE = (ExecutionMethod.MIGRATE_NOW, ExecutionMethod.TEST_ONLY, ExecutionMethod.TEST_AND_MIGRATE)


def check_times(asking: Sent, draft: Draft) -> Draft:
    sent = asking.sent
    if sent.valid_time:
        draft = replace(draft, valid_until=_valid_until(sent.valid_time, draft.created, asking.now))
    if sent.scheduled_start_time or sent.execution_method or asking.is_new:
        draft = replace(draft, request=_started(asking, draft.request))
    return draft


def _started(asking: Sent, request: JobRequest) -> JobRequest:
    """How the job begins. Without a method, a time means Schedule and no time CreateOnly."""
    sent = asking.sent
    text = sent.scheduled_start_time
    method = sent.execution_method or (ExecutionMethod.SCHEDULE if text else ExecutionMethod.CREATE_ONLY)
    if method in AT_ONCE and not asking.is_new:
        raise invalid("ExecutionMethod", "A job that is there is started by StartReplicationJob.")
    if method is ExecutionMethod.SCHEDULE:
        at = _scheduled_at(text, asking.now) if text else request.scheduled_at
        if at is None:
            raise UserError(
                "ExecutionMethod Schedule needs a ScheduledStartTime.",
                code="MissingParameter.ScheduledStartTime",
                hint="Give the time as 2026-11-22T10:00:00Z, at most 30 days ahead.",
            )
        return replace(request, execution_method=method.value, scheduled_at=at)
    if text:
        raise invalid(
            "ScheduledStartTime",
            f"ScheduledStartTime and ExecutionMethod {method.value} contradict each other.",
            "Leave one of them out.",
        )
    return replace(request, execution_method=method.value, scheduled_at=None)


def _scheduled_at(text: str, now: float) -> float:
    at = read_time(text, "ScheduledStartTime")
    if not now - MINUTE <= at <= now + MOST_DAYS_AHEAD * DAY + MINUTE:
        why = f"ScheduledStartTime must be from now to {MOST_DAYS_AHEAD} days from now."
        raise invalid("ScheduledStartTime", why)
    return at


def _valid_until(text: str, created: float, now: float) -> float:
    until = read_time(text, "ValidTime")
    low, high = VALID_DAYS_LIMITS
    if not created + low * DAY - MINUTE <= until <= created + high * DAY + MINUTE:
        raise invalid("ValidTime", f"ValidTime must be {low} to {high} days after the job is created.")
    if until <= now:
        raise invalid("ValidTime", "ValidTime is over already.")
    return until
