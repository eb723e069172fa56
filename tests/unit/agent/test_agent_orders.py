"""Following the center's orders, beating, and telling events: against a center on loopback."""

import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.unit.agent.fake_center import FakeCenter, refusal

from smc.agent.beats import Beats
from smc.agent.home import Home
from smc.agent.orders import Orders
from smc.agent.reporter import Reporter
from smc.model.plan import Plan
from smc.model.server import Architecture, Dmi, Firmware, OsRelease, Server
from smc.wire.control import Control
from smc.wire.orders import Event, EventKind, Order, TransferSettings

SERVER = Server(
    fingerprint="f",
    hostname="web",
    os=OsRelease(id="debian"),
    kernel="6.1",
    architecture=Architecture.X86_64,
    firmware=Firmware.BIOS,
    dmi=Dmi(),
    origin="kvm",
    cores=1,
    memory=1 << 30,
)


def order(run: str, level: int = 7, host: str = "127.0.0.1") -> Order:
    plan = Plan(architecture=Architecture.X86_64, firmware=Firmware.BIOS, disks=())
    settings = TransferSettings(compress_level=level)
    return Order(
        run=run,
        host=host,
        port=1,
        ca="",
        certificate="",
        plan=plan,
        settings=settings,
        revision=f"level {level}",
    )


class FakeWork:
    def __init__(self, log: list[str], run: str) -> None:
        self._log, self._run = log, run
        log.append(f"begin {run}")

    def stop(self) -> None:
        self._log.append(f"stop {self._run}")

    def turn(self, order: Order) -> None:
        self._log.append(f"turn {self._run} to {order.settings.compress_level} at {order.host}")


class Agent:
    """Orders alone, with work that only says what was asked of it."""

    def __init__(self, center: FakeCenter, home: Home) -> None:
        self.log: list[str] = []
        self.told: list[Event] = []
        self.stop = threading.Event()
        self.control = Control(center.url, center.authority.pem, "credential")
        self.orders = Orders(
            home, self.control, self.stop, lambda order: FakeWork(self.log, order.run), self.told.append
        )


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "smc")
    home.create()
    return home


@pytest.fixture
def agent(center: FakeCenter, home: Home) -> Agent:
    return Agent(center, home)


@pytest.fixture
def following(agent: Agent) -> Iterator[Agent]:
    thread = threading.Thread(target=agent.orders.follow_until_stopped)
    thread.start()
    yield agent
    agent.stop.set()
    agent.control.interrupt()
    thread.join(10)
    assert not thread.is_alive()


def test_another_run_stops_the_one_before(agent: Agent) -> None:
    for run in ("j-1.1", "j-1.1", "j-1.2", "j-1.2"):
        agent.orders.follow(order(run))
    assert agent.log == ["begin j-1.1", "stop j-1.1", "begin j-1.2"]
    assert agent.orders.holding == "j-1.2"


def test_other_settings_of_the_same_run_are_handed_on(agent: Agent) -> None:
    for level in (7, 7, 3, 3, 9):
        agent.orders.follow(order("j-1.1", level))
    here = "127.0.0.1"
    assert agent.log == ["begin j-1.1", f"turn j-1.1 to 3 at {here}", f"turn j-1.1 to 9 at {here}"]
    agent.orders.follow(order("j-1.2", 1))
    assert agent.log[3:] == ["stop j-1.1", "begin j-1.2"], "a new run begins with its own"


def test_another_address_of_the_receiver_is_handed_on(agent: Agent) -> None:
    for host in ("10.0.0.1", "10.0.0.2", "10.0.0.2"):
        agent.orders.follow(order("j-1.1", host=host))
    assert agent.log == ["begin j-1.1", "turn j-1.1 to 7 at 10.0.0.2"]


def test_the_agent_says_which_settings_it_holds(center: FakeCenter, following: Agent) -> None:
    center.set_order(order("j-1.1"))
    center.wait(lambda: center.asked[-1:] != [] and center.asked[-1].revision == "level 7")
    center.set_order(order("j-1.1", 2))
    center.wait(lambda: center.asked[-1].revision == "level 2")
    assert following.log == ["begin j-1.1", "turn j-1.1 to 2 at 127.0.0.1"]
    center.set_order(None)
    center.wait(lambda: center.asked[-1].holding == "")
    assert center.asked[-1].revision == ""


def test_no_order_stops_what_is_held(agent: Agent) -> None:
    agent.orders.follow(order("j-1.1"))
    agent.orders.follow(None)
    assert agent.log == ["begin j-1.1", "stop j-1.1"]
    assert agent.told == [Event(run="j-1.1", kind=EventKind.STOPPED)]
    assert agent.orders.holding == ""


def test_a_run_that_is_older_than_one_seen_is_refused_also_after_a_restart(
    center: FakeCenter, agent: Agent, home: Home
) -> None:
    agent.orders.follow(order("j-1.10"))
    agent.orders.follow(order("j-2.1"))
    restarted = Agent(center, home)
    restarted.orders.follow(order("j-1.9"))
    assert restarted.log == []
    assert restarted.told[0].code == "Run.Outdated"
    assert restarted.orders.holding == "j-1.9", "held, so that the center's answer waits"
    restarted.orders.follow(order("j-1.10"))
    assert restarted.log == ["begin j-1.10"]


def test_orders_are_followed_as_they_change(center: FakeCenter, following: Agent) -> None:
    center.set_order(order("j-1.1"))
    center.wait(lambda: center.asked[-1:] != [] and center.asked[-1].holding == "j-1.1")
    center.set_order(None)
    center.wait(lambda: center.asked[-1].holding == "")
    assert following.log == ["begin j-1.1", "stop j-1.1"]


def test_a_center_that_is_away_for_a_while_stops_nothing(center: FakeCenter, following: Agent) -> None:
    center.set_order(order("j-1.1"))
    center.wait(lambda: center.asked[-1:] != [] and center.asked[-1].holding == "j-1.1")
    with center.changed:
        center.failures = [(503, refusal("Busy", "later"))]
        asked = len(center.asked)
    center.wait(lambda: len(center.asked) > asked + 1)
    assert following.log == ["begin j-1.1"]


def test_a_source_that_is_not_known_any_more_stops_its_work(center: FakeCenter, following: Agent) -> None:
    center.set_order(order("j-1.1"))
    center.wait(lambda: center.asked[-1:] != [] and center.asked[-1].holding == "j-1.1")
    with center.changed:
        center.failures = [(401, refusal("Credential.Invalid", "not known"))]
        center.order = None
    center.wait(lambda: center.asked[-1].holding == "")
    assert following.log == ["begin j-1.1", "stop j-1.1"]


def test_the_inventory_is_told_once_and_again_when_it_changes(center: FakeCenter, home: Home) -> None:
    servers = [SERVER, SERVER, msgspec.structs.replace(SERVER, hostname="renamed")]
    stop = threading.Event()
    beats = Beats(
        home,
        Control(center.url, center.authority.pem, "credential"),
        stop,
        seconds=0.01,
        source_id="s-1",
        holding=lambda: "j-1.1",
        read=lambda: servers.pop(0) if len(servers) > 1 else servers[0],
        inventory_seconds=0.0,
    )
    beats.start()
    center.wait(lambda: len(center.beats) >= 4)
    stop.set()
    beats.join(10)
    told = [beat.server.hostname for beat in center.beats if beat.server]
    assert told == ["web", "renamed"]
    pulse = home.last_pulse()
    assert pulse
    assert (pulse.source_id, pulse.holding) == ("s-1", "j-1.1")


def test_disks_are_read_again_only_when_the_kernel_lists_something_else(
    center: FakeCenter, home: Home
) -> None:
    lists = ["a", "a", "a", "b", "b"]
    reads: list[str] = []

    def read() -> Server:
        reads.append(lists[0])
        return SERVER

    stop = threading.Event()
    beats = Beats(
        home,
        Control(center.url, center.authority.pem, "credential"),
        stop,
        seconds=0.01,
        source_id="s-1",
        holding=lambda: "",
        read=read,
        lists=lambda: lists.pop(0) if len(lists) > 1 else lists[0],
    )
    beats.start()
    center.wait(lambda: len(center.beats) >= 8)
    stop.set()
    beats.join(10)
    assert len(reads) == 2


def test_an_inventory_that_fails_does_not_stop_the_heart(center: FakeCenter, home: Home) -> None:
    answers = iter([OSError("no such device")])

    def read() -> Server:
        for error in answers:
            raise error
        return SERVER

    stop = threading.Event()
    control = Control(center.url, center.authority.pem, "credential")
    beats = Beats(home, control, stop, seconds=0.01, source_id="s-1", holding=lambda: "", read=read)
    beats.start()
    center.wait(lambda: len(center.beats) >= 1)
    stop.set()
    beats.join(10)


def test_events_arrive_in_order_although_the_center_is_busy(center: FakeCenter) -> None:
    center.failures = [(503, refusal("Busy", "later")), (500, refusal("InternalError", "oh"))]
    stop = threading.Event()
    reporter = Reporter(Control(center.url, center.authority.pem, "credential"), stop)
    sent = [Event(run="j-1.1", kind=kind) for kind in (EventKind.STARTED, EventKind.FINISHED)]
    for event in sent:
        reporter.tell(event)
    center.wait(lambda: center.events == sent)
    stop.set()
    reporter.join(10)
