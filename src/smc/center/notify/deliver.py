"""Delivers what waits in the outbox: again and again, later each time, until it has arrived or is too old."""

import logging
from collections.abc import Callable

from smc.base.errors import SmcError
from smc.center.notify.send import Message, message_of, send
from smc.center.store.events import EventKind, EventLevel, NewEvent
from smc.center.store.outbox import Notification
from smc.center.store.store import Store

log = logging.getLogger(__name__)

FIRST_SECONDS, LONGEST_SECONDS = 2.0, 3600.0  # before the second try; between two later ones
GIVE_UP_SECONDS = 3 * 86400.0  # a mail server that is down over a weekend loses nothing
BUSY_SECONDS = 120.0  # a center that dies while it sends: another one, or the next, sends again after so long

Send = Callable[[str, Message], None]


def deliver_due(store: Store, do: Send = send) -> int:
    """How many were tried."""
    tried = 0
    while True:
        now = store.clock.now()
        taken = store.outbox.take(now, busy_until=now + BUSY_SECONDS, most=1)
        if not taken:
            return tried
        for one in taken:
            _deliver(store, one, do)
            tried += 1


def wait_after(attempts: int) -> float:
    """Seconds until the next try, after so many failed ones."""
    return min(FIRST_SECONDS * 2.0 ** min(attempts - 1, 20), LONGEST_SECONDS)


def _deliver(store: Store, one: Notification, do: Send) -> None:
    subscription, event = store.subscriptions.find(one.subscription), store.events.find(one.event)
    if subscription is None or event is None:
        return  # deleted meanwhile, and the notification with it
    try:
        do(subscription.url.reveal(), message_of(event))
    except SmcError as e:
        _failed(store, one, subscription.name, e, since=event.time)
    except Exception as e:  # the edge: one message that cannot be sent must not hold up the others
        log.exception("event %d could not be sent to %s", one.event, subscription.name)
        error = SmcError(f"{type(e).__name__}: the center's log has more", code="Notification.NotDelivered")
        _failed(store, one, subscription.name, error, since=event.time)
    else:
        store.outbox.delivered(one, store.clock.now())


def _failed(store: Store, one: Notification, name: str, error: SmcError, *, since: float) -> None:
    now = store.clock.now()
    log.warning("event %d is not told to %s: %s", one.event, name, error.message)
    if now - since < GIVE_UP_SECONDS:
        store.outbox.failed(one, error.message, again=now + wait_after(one.attempts + 1))
        return
    store.outbox.give_up(one, error.message, now)
    store.events.add(
        NewEvent(
            kind=EventKind.NOTIFICATION_FAILED,
            level=EventLevel.WARNING,
            code=error.code,
            message=f"Event {one.event} was not told to the subscription {name}: {error.message}",
            hint=error.hint,
        )
    )
