"""Subscriptions by the official SDK's generic call, and what real web and mail servers are told."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alibabacloud_smc20190601.client import Client
from tests.conformance.listeners import mail_server, web_server
from tests.conformance.smc_sdk import call, refused
from tests.conformance.test_smc_sdk_serve import client_of as served_client
from tests.conformance.test_smc_sdk_serve import served
from tests.unit.center.running import Center, center

from smc.center.clock import HandClock
from smc.center.notify.address import hide, shown
from smc.center.notify.deliver import GIVE_UP_SECONDS, LONGEST_SECONDS, deliver_due, wait_after
from smc.center.store.database import url_of
from smc.center.store.events import EventFilter, EventKind, EventLevel, NewEvent
from smc.center.store.store import open_store

FAILED = NewEvent(
    kind=EventKind.JOB_IN_ERROR,
    level=EventLevel.ERROR,
    job="j-1",
    source="s-1",
    code="Disk.Full",
    message="The job j-1 is in error: The disk is full.",
    hint="Make room.",
)
FINISHED = NewEvent(kind=EventKind.JOB_FINISHED, job="j-1", message="The job j-1 has finished.")


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def running(tmp_path: Path, clock: HandClock) -> Iterator[Center]:
    with center(tmp_path, agents=False, clock=clock) as running:
        yield running


def subscribe(sdk: Client, url: str, name: str = "ops", **more: object) -> str:
    made: str = call(sdk, "CreateSubscription", Name=name, Url=url, **more)["SubscriptionId"]
    return made


def described(sdk: Client, subscription: str) -> dict[str, Any]:
    answer = call(sdk, "DescribeSubscriptions", SubscriptionId=[subscription])
    (found,) = answer["Subscriptions"]["Subscription"]
    assert isinstance(found, dict)
    return found


def test_a_webhook_is_told_what_happened_with_its_facts(running: Center, sdk: Client) -> None:
    with web_server() as hook:
        subscription = subscribe(sdk, f"http://127.0.0.1:{hook.port}/hooks/T0ken?key=s3cret")
        event = running.parts.store.events.add(FAILED)
        assert deliver_due(running.parts.store) == 1
        assert deliver_due(running.parts.store) == 0
    (told,) = hook.got
    assert hook.paths == ["/hooks/T0ken?key=s3cret"]
    assert (told["EventId"], told["Kind"], told["JobId"]) == (str(event), "Job.InError", "j-1")
    assert (told["Code"], told["Hint"], told["type"]) == ("Disk.Full", "Make room.", "failure")
    assert told["title"] == "[error] Job.InError: The job j-1 is in error: The disk is full."
    found = described(sdk, subscription)
    assert (found["Waiting"], found["Delivered"], found["LastError"]) == (0, 1, "")
    assert found["Url"] == f"http://127.0.0.1:{hook.port}/***"


def test_people_are_told_by_mail_with_a_password(running: Center, sdk: Client) -> None:
    with mail_server(password="p:ss/word") as mails:
        server = f"smc:p%3Ass%2Fword@127.0.0.1:{mails.port}"
        url = f"mailto://{server}/?from=smc@example.org&to=ops@example.org,oncall@example.org"
        subscription = subscribe(sdk, url, Level="error")
        running.parts.store.events.add(FINISHED)
        running.parts.store.events.add(FAILED)
        assert deliver_due(running.parts.store) == 1
        assert {receiver for mail in mails.got for receiver in mail[1]} == {
            "<ops@example.org>",
            "<oncall@example.org>",
        }
        sender, _, text = mails.got[0]
        assert sender.startswith("<smc@example.org>")
        assert "Subject: [error] Job.InError" in text
        found = described(sdk, subscription)
        assert "p:ss" not in str(found)
        assert "p%3Ass" not in str(found)
        assert "smc:***@127.0.0.1" in found["Url"]
        call(sdk, "ModifySubscription", SubscriptionId=subscription, Url=url.replace("p%3Ass", "wrong"))
        with refused("Notification.NotDelivered"):
            call(sdk, "TestSubscription", SubscriptionId=subscription)


def test_kinds_and_levels_choose_what_is_told(running: Center, sdk: Client, clock: HandClock) -> None:
    audit = NewEvent(kind=EventKind.AUDIT, actor="admin", message="asked")
    with web_server() as hook:
        url = f"http://127.0.0.1:{hook.port}"
        all_kinds = subscribe(sdk, f"{url}/all", "all")
        named = subscribe(sdk, f"{url}/named", "named", Kind=["Audit", "Source"])
        off = subscribe(sdk, url, "off")
        call(sdk, "ModifySubscription", SubscriptionId=off, Enabled=False)
        for new in (FINISHED, audit, NewEvent(kind=EventKind.SOURCE_BACK, message="back")):
            running.parts.store.events.add(new)
        deliver_due(running.parts.store)
    assert described(sdk, all_kinds)["Delivered"] == 2
    told = [body["message"] for body, path in zip(hook.got, hook.paths, strict=True) if path == "/named"]
    assert len(told) == described(sdk, named)["Delivered"]
    assert told[-2].startswith("asked")
    assert told[-1].startswith("back")
    assert not any("has finished" in text for text in told)
    assert described(sdk, off)["Delivered"] == 0


def test_what_is_not_taken_is_tried_again_later_each_time_and_given_up_visibly(
    running: Center, sdk: Client, clock: HandClock
) -> None:
    store = running.parts.store
    with web_server() as hook:
        hook.status = 503
        subscription = subscribe(sdk, f"http://127.0.0.1:{hook.port}/T0ken")
        store.events.add(FAILED)
        store.events.add(FINISHED)
        assert deliver_due(store) == 1, "who is away is asked once, not for each event"
        assert deliver_due(store) == 0
        found = described(sdk, subscription)
        assert found["Waiting"] == 2
        assert "503" in found["LastError"]
        assert "T0ken" not in found["LastError"]
        clock.tick(wait_after(1))
        hook.status = 200
        assert deliver_due(store) == 2
        assert [told["Kind"] for told in hook.accepted] == ["Job.InError", "Job.Finished"]
        hook.status = 500
        store.events.add(FINISHED)
        tried = 0
        for _ in range(200):
            tried += deliver_due(store)
            clock.tick(LONGEST_SECONDS)
        assert GIVE_UP_SECONDS / LONGEST_SECONDS - 1 < tried < GIVE_UP_SECONDS / LONGEST_SECONDS + 3
    found = described(sdk, subscription)
    assert (found["Waiting"], found["Delivered"], found["GivenUp"]) == (0, 2, 1)
    _, (failed,) = store.events.page(EventFilter(kinds=(EventKind.NOTIFICATION_FAILED,)), offset=0, limit=10)
    assert "ops" in failed.message
    assert [wait_after(n) for n in (1, 2, 3, 30)] == [2, 4, 8, 3600]


def test_a_subscription_is_tried_at_once_and_says_why_it_fails(running: Center, sdk: Client) -> None:
    with web_server() as hook:
        subscription = subscribe(sdk, f"http://127.0.0.1:{hook.port}/")
        call(sdk, "TestSubscription", SubscriptionId=subscription)
        assert hook.got[0]["title"] == "Test of the subscription ops"
    with refused("Notification.NotDelivered", match="Connection error"):
        call(sdk, "TestSubscription", SubscriptionId=subscription)


def test_what_cannot_be_a_subscription_is_refused_with_the_cure(running: Center, sdk: Client) -> None:
    for url in ("ftp://host/", "https://", "mailto://host?from=a@b", "mailto://host?to=a@b&pgp=yes", "x"):
        with refused("InvalidParameter.Url"):
            subscribe(sdk, url)
    with refused("InvalidParameter.Kind", match="Job.Flown"):
        subscribe(sdk, "https://host/", Kind=["Job.Flown"])
    with refused("InvalidParameter.Level"):
        subscribe(sdk, "https://host/", Level="loud")
    subscription = subscribe(sdk, "https://host/")
    with refused("SubscriptionName.Duplicate"):
        subscribe(sdk, "https://host/")
    call(sdk, "DeleteSubscription", SubscriptionId=subscription)
    with refused("InvalidSubscriptionId.NotFound"):
        call(sdk, "DeleteSubscription", SubscriptionId=subscription)


def test_nothing_secret_of_a_url_is_shown() -> None:
    url = "https://user:pa55word@host:8443/T00/B00?token=abcdef"
    assert shown(url) == "https://user:***@host:8443/***"
    said = "POST https://user:pa55word@host:8443/T00/B00?token=abcdef failed; abcdef T00/B00 pa55word"
    assert not {"pa55word", "abcdef", "T00/B00"} & set(hide(said, url).replace("/", " ").split())


def test_a_killed_center_goes_on_telling(tmp_path: Path) -> None:
    with served(tmp_path) as (process, _), web_server() as hook:
        hook.status = 503
        sdk = served_client(tmp_path)
        subscribe(sdk, f"http://127.0.0.1:{hook.port}/")
        store_event(tmp_path)
        until(lambda: hook.got and last_error(sdk))  # it has noted that nobody took it
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        hook.status = 200
        with served(tmp_path):
            until(lambda: hook.accepted)
    assert {told["EventId"] for told in hook.accepted} == {told["EventId"] for told in hook.got}


def last_error(sdk: Client) -> str:
    (found,) = call(sdk, "DescribeSubscriptions")["Subscriptions"]["Subscription"]
    return str(found["LastError"])


def store_event(data_dir: Path) -> None:
    """An event of a center that runs as another process, through its store."""
    store = open_store(url_of(data_dir), "lcl")
    store.events.add(FAILED)
    store.close()


def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.02)


def test_what_a_center_took_and_did_not_send_is_sent_when_its_time_is_over(
    running: Center, sdk: Client
) -> None:
    with web_server() as hook:
        subscribe(sdk, f"http://127.0.0.1:{hook.port}/")
        event = running.parts.store.events.add(FINISHED)
        store = running.parts.store
        now = store.clock.now()
        assert store.outbox.take(now, busy_until=now + 5, most=1), "a center takes it and dies"
        assert deliver_due(store) == 0, "nobody else sends meanwhile"
        assert isinstance(store.clock, HandClock)
        store.clock.tick(6)
        assert deliver_due(store) == 1
    assert [told["EventId"] for told in hook.got] == [str(event)]
