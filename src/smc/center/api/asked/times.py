"""How long a job is valid."""

from msgspec.structs import replace

from smc.center.api.asked.draft import Asking, Draft
from smc.center.api.words import invalid, read_time

DAY = 86400.0
VALID_DAYS = 30.0  # as the console's; the API's text contradicts itself (service-facts, 8)
VALID_DAYS_LIMITS = 7, 90


def check_times(asking: Asking, draft: Draft) -> Draft:
    if not asking.sent.valid_time:
        return draft
    return replace(draft, valid_until=_valid_until(asking.sent.valid_time, asking.now))


def _valid_until(text: str, now: float) -> float:
    until = read_time(text, "ValidTime")
    low, high = VALID_DAYS_LIMITS
    if not now + low * DAY - 60 <= until <= now + high * DAY + 60:  # a minute for clocks that differ
        raise invalid("ValidTime", f"ValidTime must be {low} to {high} days from now.")
    return until
