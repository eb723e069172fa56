"""Who is told of events (ours): CreateSubscription, DescribeSubscriptions, ModifySubscription,
DeleteSubscription, TestSubscription."""

from collections.abc import Sequence
from typing import Annotated

import msgspec

from smc.base.errors import Transient, UserError
from smc.center.api.context import Context
from smc.center.api.words import check_ids, check_name, invalid, written
from smc.center.notify.address import check, shown
from smc.center.notify.send import Message, send
from smc.center.store.events import EventKind, EventLevel
from smc.center.store.subscriptions import Subscription
from smc.rpc.dispatch import Actions, Caller, Reply, action
from smc.rpc.params import Request

Url = Annotated[str, msgspec.Meta(max_length=2048)]
KINDS = {kind.value for kind in EventKind} | {kind.value.split(".")[0] for kind in EventKind}


class CreateSubscription(Request, frozen=True, kw_only=True):
    name: str
    url: Url
    kind: tuple[str, ...] = ()
    level: EventLevel = EventLevel.INFO


class DescribeSubscriptions(Request, frozen=True, kw_only=True):
    subscription_id: tuple[str, ...] = ()


class ModifySubscription(Request, frozen=True, kw_only=True):
    subscription_id: str
    name: str | None = None
    url: Url | None = None
    kind: tuple[str, ...] = ()
    level: EventLevel | None = None
    enabled: bool | None = None


class OneSubscription(Request, frozen=True, kw_only=True):
    subscription_id: str


class SubscriptionActions:
    def __init__(self, context: Context) -> None:
        self._store = context.store

    def actions(self) -> Actions:
        return {
            "CreateSubscription": action(CreateSubscription, self._create),
            "DescribeSubscriptions": action(DescribeSubscriptions, self._describe),
            "ModifySubscription": action(ModifySubscription, self._modify),
            "DeleteSubscription": action(OneSubscription, self._delete),
            "TestSubscription": action(OneSubscription, self._test),
        }

    def _create(self, request: CreateSubscription, _caller: Caller) -> Reply:
        """Tell `Url` of events from now on: a webhook (`https://`, POST of JSON) or e-mail
        (`mailtos://USER:PASSWORD@SERVER:PORT?from=&to=`). `Kind`: of DescribeEvents, or the part before its
        dot; none: all but Audit. `Level`: that one and those above.
        """
        check_name(request.name, "Name")
        made = self._store.subscriptions.create(
            request.name, check(request.url), _kinds(request.kind), request.level
        )
        return {"SubscriptionId": made}

    def _describe(self, request: DescribeSubscriptions, _caller: Caller) -> Reply:
        """Subscriptions, their URL without what is secret, and how their messages fare: `Waiting`,
        `Delivered`, `GivenUp` after three days, and why the last one failed.
        """
        found = self._store.subscriptions.list(check_ids(request.subscription_id, "SubscriptionId"))
        described = [self._described(subscription) for subscription in found]
        return {"TotalCount": len(found), "Subscriptions": {"Subscription": described}}

    def _modify(self, request: ModifySubscription, _caller: Caller) -> Reply:
        """Change a subscription; what is not sent stays. `Enabled` false: it is told nothing."""
        if request.name is not None:
            check_name(request.name, "Name")
        known = self._store.subscriptions.modify(
            self._one(request.subscription_id).id,
            name=request.name,
            url=None if request.url is None else check(request.url),
            kinds=_kinds(request.kind) or None,
            level=request.level,
            enabled=request.enabled,
        )
        if not known:
            raise _unknown(request.subscription_id)
        return {}

    def _delete(self, request: OneSubscription, _caller: Caller) -> Reply:
        """Tell it no more, nor what still waits."""
        if not self._store.subscriptions.delete(request.subscription_id):
            raise _unknown(request.subscription_id)
        return {}

    def _test(self, request: OneSubscription, caller: Caller) -> Reply:
        """Send a message now, and answer when it was taken; else refused with the reason."""
        subscription = self._one(request.subscription_id)
        message = Message(
            title=f"Test of the subscription {subscription.name}",
            text=f"This is a test. It was asked for with the access key {caller.access_key_id}.",
            level=EventLevel.INFO,
            facts={"Kind": "Test", "Level": EventLevel.INFO.value},
        )
        try:
            send(subscription.url.reveal(), message)
        except Transient as e:
            raise UserError(e.message, code=e.code, hint=e.hint) from e
        return {}

    def _one(self, subscription_id: str) -> Subscription:
        subscription = self._store.subscriptions.find(subscription_id)
        if subscription is None:
            raise _unknown(subscription_id)
        return subscription

    def _described(self, subscription: Subscription) -> dict[str, object]:
        tally = self._store.outbox.tally(subscription.id)
        return {
            "SubscriptionId": subscription.id,
            "Name": subscription.name,
            "Url": shown(subscription.url.reveal()),
            "Kinds": {"Kind": list(subscription.kinds)},
            "Level": subscription.level.value,
            "Enabled": subscription.enabled,
            "CreationTime": written(subscription.created),
            "Waiting": tally.waiting,
            "Delivered": tally.delivered,
            "GivenUp": tally.given_up,
            "LastDelivered": written(tally.last_delivered),
            "LastError": tally.error,
        }


def _kinds(kinds: Sequence[str]) -> tuple[str, ...]:
    for kind in kinds:
        if kind not in KINDS:
            raise invalid(
                "Kind", f"There are no events of the kind {kind!r}.", f"Kinds: {', '.join(sorted(KINDS))}."
            )
    return tuple(dict.fromkeys(kinds))


def _unknown(subscription_id: str) -> UserError:
    return UserError(
        f"There is no subscription {subscription_id}.",
        code="InvalidSubscriptionId.NotFound",
        hint="DescribeSubscriptions lists them.",
    )
