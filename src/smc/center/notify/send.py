"""Sending one message by e-mail or webhook, through apprise."""

import io
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import apprise
import msgspec

from smc.base.errors import Transient
from smc.center.api.words import written
from smc.center.notify.address import hide, service_of, shown
from smc.center.store.events import Event, EventLevel

APP = "Server Migration Center"
TYPES = {
    EventLevel.INFO: apprise.NotifyType.INFO,
    EventLevel.WARNING: apprise.NotifyType.WARNING,
    EventLevel.ERROR: apprise.NotifyType.FAILURE,
}
LONGEST_TITLE = 120

_one_at_a_time = threading.Lock()  # apprise says why it failed to its logger alone, which all threads share


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """`facts` go into a webhook's JSON by name; `EventId` lets a receiver drop what it was told twice."""

    title: str
    text: str
    level: EventLevel
    facts: dict[str, str]


def message_of(event: Event) -> Message:
    facts = {
        "EventId": str(event.id),
        "Time": written(event.time),
        "Kind": event.kind.value,
        "Level": event.level.value,
        "JobId": event.job,
        "SourceId": event.source,
        "Actor": event.actor,
        "Code": event.code,
        "Message": event.message,
        "Hint": event.hint,
    }
    lines = [event.message, event.hint, ""]
    lines += [f"{name}: {facts[name]}" for name in ("Code", "JobId", "SourceId", "Actor") if facts[name]]
    lines.append(f"{facts['Time']}, event {event.id}")
    title = f"[{event.level.value}] {event.kind.value}: {event.message}".splitlines()[0]
    return Message(
        title=title[:LONGEST_TITLE],
        text="\n".join(line for line in lines if line),
        level=event.level,
        facts=facts,
    )


@contextmanager
def _heard() -> Iterator[io.StringIO]:
    """What apprise says to its logger meanwhile."""
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    handler.setLevel(logging.WARNING)
    logger = logging.getLogger("apprise")
    logger.addHandler(handler)
    try:
        yield said
    finally:
        logger.removeHandler(handler)


def send(url: str, message: Message) -> None:
    """Raises `Transient` (`Notification.NotDelivered`) saying why, without what is secret of the URL."""
    asset = apprise.AppriseAsset(app_id=APP, app_desc=APP, async_mode=False)
    with (
        _one_at_a_time,
        _heard() as said,
    ):
        service = service_of(url, message.facts, asset)
        if service.notify(body=message.text, title=message.title, notify_type=TYPES[message.level]):
            return
        why = " ".join(said.getvalue().split())
    raise Transient(
        f"The message to {shown(url)} was not delivered: {hide(why, url) or 'no reason is known.'}",
        code="Notification.NotDelivered",
        hint="Check the subscription's URL, and that the server it names takes messages.",
    )
