"""The command line shows what happened and manages who is told."""

import itertools
import threading

from tests.conformance.listeners import web_server
from tests.unit.center.running import Center
from tests.unit.cli.conftest import Smc

from smc.center.store.events import EventKind, EventLevel, NewEvent
from smc.cli.connection import connect
from smc.cli.events import _followed
from smc.client.api import Json


def test_events_are_listed_oldest_first_and_filtered(smc: Smc, running: Center) -> None:
    add = running.parts.store.events.add
    add(NewEvent(kind=EventKind.JOB_STARTED, job="j-1", message="The job j-1 was started."))
    add(NewEvent(kind=EventKind.JOB_IN_ERROR, level=EventLevel.ERROR, job="j-2", message="Broken [here]."))
    printed = smc("event", "list")[1]
    assert printed.index("was started") < printed.index("Broken [here]")
    assert "Broken" not in smc("event", "list", "--job", "j-1")[1]
    assert "started" not in smc("event", "list", "--level", "error")[1]
    assert smc("event", "list", "--kind", "Job.Flown")[0] == 1


def test_events_are_followed_without_a_gap(smc: Smc, running: Center) -> None:
    add = running.parts.store.events.add
    for number in range(3):
        add(NewEvent(kind=EventKind.JOB_STARTED, message=f"before {number}"))
    api = connect(running.parts.settings.data_dir)
    wanted: Json = {"PageSize": 2}
    found = api.call("DescribeEvents", wanted)["Events"]["Event"]

    def later() -> None:
        for number in range(60):
            add(NewEvent(kind=EventKind.JOB_STARTED, message=f"after {number}"))

    adding = threading.Thread(target=later)
    adding.start()
    seen = [event["Message"] for event in itertools.islice(_followed(api, wanted, found), 62)]
    adding.join()
    assert seen == ["before 1", "before 2", *(f"after {number}" for number in range(60))]


def test_a_subscription_is_made_tried_turned_off_and_deleted(smc: Smc) -> None:
    with web_server() as hook:
        status, printed, _ = smc("subscription", "create", "ops", f"http://127.0.0.1:{hook.port}/T0ken")
        assert status == 0
        subscription = printed.split()[1].rstrip(";")
        assert smc("subscription", "test", subscription) == (0, "sent\n", "")
        assert hook.got
    status, _, said = smc("subscription", "test", subscription)
    assert status == 1
    assert "Notification.NotDelivered" in said
    assert smc("subscription", "modify", subscription, "--off", "--level", "error")[0] == 0
    listed = smc("subscription", "list")[1]
    assert "no" in listed
    assert "T0ken" not in listed
    assert smc("subscription", "delete", subscription)[1] == f"deleted {subscription}\n"
