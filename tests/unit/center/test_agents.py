"""The agents' endpoint over real TLS, asked by the client that agents and receivers use."""

import hashlib
import ssl
import threading
import time
import urllib.request

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from tests.unit.center.running import Center
from tests.unit.center.servers import plan, server

from smc.base.errors import SmcError, Transient, UserError
from smc.center.agents.attempts import MOST_FAILURES
from smc.center.store.jobs import NewJob
from smc.center.store.sources import OFFLINE_SECONDS, Sign, state_of
from smc.center.store.values import JobRequest, Run
from smc.center.trust.run_ca import new_authority
from smc.model.job import JobStatus, RunType, SourceState
from smc.model.progress import Failure, Phase, Progress
from smc.model.report import Moving
from smc.wire.orders import (
    Accepted,
    Beat,
    Beaten,
    Enrol,
    Enrolled,
    Event,
    EventKind,
    Events,
    Order,
    OrdersReply,
    OrdersRequest,
    ReceiverEnrol,
    ReceiverEnrolled,
    Task,
)
from smc.wire.trust import Key, fetch_ca


def enrol(running: Center, token_id: str, token_code: str, fingerprint: str = "f9") -> Enrolled:
    request = Enrol(
        token_id=token_id,
        token_code=token_code,
        server=server(fingerprint=fingerprint),
        csr=Key.generate().request("agent"),
    )
    with running.control() as control:
        return control.post("/agent/v1/enrol", request, Enrolled)


def begin(running: Center, source: Enrolled, port: int = 18700) -> Run:
    store = running.parts.store
    job = store.jobs.create(
        NewJob(
            name="",
            description="",
            region_id="local",
            source_id=source.source_id,
            request=JobRequest(),
            plan=plan(),
            valid_until=1e12,
        )
    )
    run = store.jobs.begin_run(job, RunType.MANUAL, new_authority())
    store.runs.set_endpoint(run, "127.0.0.1", port)
    return run


def receiver_of(running: Center, run: Run) -> str:
    running.parts.store.receivers.expect(run.job, "the-ticket", valid_seconds=60)
    request = ReceiverEnrol(ticket="the-ticket", csr=Key.generate().request("receiver"))
    with running.control() as control:
        enrolled = control.post("/receiver/v1/enrol", request, ReceiverEnrolled)
    assert enrolled.job == run.job
    return enrolled.credential


def report_progress(running: Center, credential: str, progress: Progress) -> Task:
    with running.control(credential) as control:
        return control.post("/receiver/v1/progress", progress, Task)


def run_is_reported(running: Center, run: Run) -> bool:
    found = running.parts.store.runs.find(run.job, run.number)
    return found is not None and found.reported


def eventually(condition: object, seconds: float = 10.0) -> None:
    assert callable(condition)
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not come true in time"
        time.sleep(0.02)


def test_the_ca_is_fetched_by_its_fingerprint(running: Center) -> None:
    trust = running.parts.trust
    assert fetch_ca(running.agents_url, trust.fingerprint) == trust.ca
    certificate = x509.load_pem_x509_certificate(trust.ca.encode())
    assert certificate.fingerprint(hashes.SHA256()).hex() == trust.fingerprint
    with pytest.raises(UserError) as refused:
        fetch_ca(running.agents_url, "0" * 64)
    assert refused.value.code == "Center.WrongFingerprint"


def test_the_agent_file_is_the_one_whose_hash_is_pinned_also_after_a_newer_was_built(running: Center) -> None:
    agent = running.parts.agent
    first = agent.sha256()
    agent.file.write_bytes(b"a newer agent")
    second = agent.sha256()
    assert first != second
    context = ssl.create_default_context(cadata=running.parts.trust.ca)
    for pinned in (first, second):
        with urllib.request.urlopen(
            f"{running.agents_url}/downloads/smc-agent/{pinned}", context=context
        ) as answer:
            content = answer.read()
        assert hashlib.sha256(content).hexdigest() == pinned


def test_an_imported_server_is_a_source_that_is_available(running: Center, source: Enrolled) -> None:
    found = running.parts.store.sources.find(source.source_id)
    assert found is not None
    assert state_of(found, time.time()) is SourceState.AVAILABLE
    assert found.address == "127.0.0.1"


def test_a_second_import_is_the_same_source_and_spends_no_use(running: Center) -> None:
    code, text = running.parts.store.codes.create("", "", 1, 1)
    first = enrol(running, code.id, text)
    second = enrol(running, code.id, text)
    assert second.source_id == first.source_id
    with running.control(first.credential) as control, pytest.raises(UserError) as refused:
        control.post("/agent/v1/beat", Beat(clock=0), Beaten)
    assert refused.value.code == "Credential.Invalid"
    with running.control(second.credential) as control:
        control.post("/agent/v1/beat", Beat(clock=0), Beaten)


@pytest.mark.parametrize(
    ("case", "code"),
    [
        ("wrong text", "ActivationCode.Invalid"),
        ("wrong id", "ActivationCode.Invalid"),
        ("disabled", "ActivationCode.Disabled"),
        ("expired", "ActivationCode.Expired"),
        ("used up", "ActivationCode.UsedUp"),
    ],
)
def test_an_activation_code_that_is_not_good_is_refused_with_its_reason(
    running: Center, case: str, code: str
) -> None:
    codes = running.parts.store.codes
    made, text = codes.create("", "", 1, 0 if case == "expired" else 1)
    token_id = "at-nobody" if case == "wrong id" else made.id
    if case == "wrong text":
        text = "x" * len(text)
    if case == "disabled":
        codes.disable(made.id)
    if case == "used up":
        enrol(running, made.id, text, fingerprint="another")
    with pytest.raises(UserError) as refused:
        enrol(running, token_id, text)
    assert refused.value.code == code
    assert refused.value.hint
    assert running.parts.store.sources.find("f9") is None


def test_guessing_codes_is_slowed_down(running: Center) -> None:
    for _ in range(MOST_FAILURES):
        with pytest.raises(UserError):
            enrol(running, "at-1", "guess")
    with pytest.raises(Transient) as refused:
        enrol(running, "at-1", "guess")
    assert refused.value.code == "Enrolment.TooMany"


def test_a_message_too_large_or_of_another_shape_is_refused(running: Center, source: Enrolled) -> None:
    huge = OrdersRequest(holding="x" * 5000)
    with running.control(source.credential) as control:
        with pytest.raises(UserError) as refused:
            control.post("/agent/v1/orders", huge, OrdersReply)
        assert refused.value.code == "Message.TooLarge"
        with pytest.raises(UserError) as refused:
            control.post("/agent/v1/beat", Accepted(), Beaten)  # it lacks `clock`
        assert refused.value.code == "InvalidDocument"


def test_a_source_without_beats_is_offline_and_comes_back_by_itself(
    running: Center, source: Enrolled
) -> None:
    sources = running.parts.store.sources

    def state() -> SourceState:
        found = sources.find(source.source_id)
        assert found is not None
        return state_of(found, time.time() + OFFLINE_SECONDS)

    eventually(lambda: state() is SourceState.UNAVAILABLE)
    sources.beat({source.source_id: Sign(time=time.time() + OFFLINE_SECONDS, address="192.0.2.7")})
    assert state() is SourceState.AVAILABLE


def test_beats_are_written_in_batches(running: Center, source: Enrolled) -> None:
    sources = running.parts.store.sources
    with running.control(source.credential) as control:
        beaten = control.post("/agent/v1/beat", Beat(clock=0, cpu_usage=42.0), Beaten)
    assert abs(beaten.clock - time.time()) < 5

    def usage() -> float:
        found = sources.find(source.source_id)
        return found.cpu_usage if found else 0.0

    eventually(lambda: usage() == 42.0)


def test_a_changed_inventory_is_taken_from_this_machine_only(running: Center, source: Enrolled) -> None:
    renamed = msgspec.structs.replace(server(), hostname="web-2")
    with running.control(source.credential) as control:
        control.post("/agent/v1/beat", Beat(clock=0, server=renamed), Beaten)
        found = running.parts.store.sources.find(source.source_id)
        assert found is not None
        assert found.server.hostname == "web-2"
        with pytest.raises(UserError) as refused:
            control.post("/agent/v1/beat", Beat(clock=0, server=server(fingerprint="f2")), Beaten)
    assert refused.value.code == "Source.OtherMachine"


def test_an_order_reaches_a_waiting_agent_at_once_and_is_taken_back(
    running: Center, source: Enrolled
) -> None:
    run = begin(running, source)
    runs = running.parts.store.runs
    answers: list[OrdersReply] = []

    def ask(holding: str) -> None:
        with running.control(source.credential) as control:
            answers.append(control.post("/agent/v1/orders", OrdersRequest(holding=holding), OrdersReply))

    waiting = threading.Thread(target=ask, args=("",))
    waiting.start()
    eventually(lambda: running.parts.store.bell.waiting)
    begun = time.monotonic()
    runs.order_agent(run, on=True)
    waiting.join(10)
    assert time.monotonic() - begun < 1.5
    order = answers[0].order
    assert isinstance(order, Order)
    assert (order.run, order.host, order.port, order.plan) == (run.id, "127.0.0.1", 18700, plan())
    assert order.aim is run.aim
    certificate = x509.load_pem_x509_certificate(order.certificate.encode())
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(order.ca.encode()))
    assert certificate.subject.rfc4514_string() == "CN=agent"

    waiting = threading.Thread(target=ask, args=(run.id,))
    waiting.start()
    running.parts.store.jobs.end(run, JobStatus.STOPPED)
    waiting.join(10)
    assert answers[1].order is None


def test_a_server_imported_again_with_a_new_key_gets_a_certificate_for_that(
    running: Center, source: Enrolled
) -> None:
    run = begin(running, source)
    running.parts.store.runs.order_agent(run, on=True)

    def public_key(credential: str) -> bytes:
        with running.control(credential) as control:
            order = control.post("/agent/v1/orders", OrdersRequest(), OrdersReply).order
        assert order is not None
        certificate = x509.load_pem_x509_certificate(order.certificate.encode())
        return certificate.public_key().public_bytes_raw()  # type: ignore[union-attr]  # they are Ed25519

    first = public_key(source.credential)
    assert public_key(source.credential) == first
    again = running.import_server()
    assert again.source_id == source.source_id
    assert public_key(again.credential) != first


def test_an_agent_is_told_at_once_that_the_receiver_has_another_address(
    running: Center, source: Enrolled
) -> None:
    run = begin(running, source)
    store = running.parts.store
    store.runs.order_agent(run, on=True)
    with running.control(source.credential) as control:
        held = control.post("/agent/v1/orders", OrdersRequest(), OrdersReply).order
        assert held is not None
        store.runs.set_endpoint(run, "192.0.2.7", 18701)
        holding = OrdersRequest(holding=held.run, revision=held.revision)
        began = time.monotonic()
        order = control.post("/agent/v1/orders", holding, OrdersReply).order
    assert time.monotonic() - began < 5
    assert order is not None
    assert order == msgspec.structs.replace(held, host="192.0.2.7", port=18701, revision=order.revision)


def test_a_newer_request_for_orders_ends_the_older_one(running: Center, source: Enrolled) -> None:
    ended = threading.Event()

    def ask() -> None:
        with running.control(source.credential) as control:
            control.post("/agent/v1/orders", OrdersRequest(), OrdersReply)
        ended.set()

    older = threading.Thread(target=ask)
    older.start()
    eventually(lambda: running.parts.store.bell.waiting)
    newer = threading.Thread(target=ask)
    newer.start()
    older.join(5)
    assert ended.is_set()
    running.parts.store.bell.close()
    newer.join(5)
    assert not newer.is_alive()


def test_what_the_agent_says_of_its_run_is_kept(running: Center, source: Enrolled) -> None:
    run = begin(running, source)
    events = (
        Event(run=run.id, kind=EventKind.STARTED),
        Event(run=run.id, kind=EventKind.NOTE, message="half way", moving=(Moving(path="/a", why="grew"),)),
        Event(run=run.id, kind=EventKind.FINISHED, moving=(Moving(path="/b", why="vanished"),)),
        Event(run="j-other.1", kind=EventKind.FAILED, code="X", message="not mine"),
    )
    with running.control(source.credential) as control:
        control.post("/agent/v1/events", Events(events=events), Accepted)
    found = running.parts.store.runs.find(run.job, 1)
    assert found is not None
    assert found.agent.started
    assert found.agent.finished
    assert [item.path for item in found.agent.moving] == ["/a", "/b"]
    lines = running.parts.store.log.page(run.job, offset=0, limit=10)[1]
    assert "half way" in [line.message for line in lines]
    assert "not mine" not in [line.message for line in lines]


def test_a_failure_that_may_pass_is_told_from_one_that_does_not(running: Center, source: Enrolled) -> None:
    run = begin(running, source)
    for kind in ("Transient", "Broken"):
        failed = Event(run=run.id, kind=EventKind.FAILED, failure_kind=kind, code="X", message="no")
        with running.control(source.credential) as control:
            control.post("/agent/v1/events", Events(events=(failed,)), Accepted)
        found = running.parts.store.runs.find(run.job, 1)
        assert found is not None
        assert found.agent.failure == Failure(kind=kind, code="X", message="no")


def test_credentials_of_one_kind_are_worth_nothing_for_the_other(running: Center, source: Enrolled) -> None:
    credential = receiver_of(running, begin(running, source))
    for path, message, wrong in (
        ("/agent/v1/beat", Beat(clock=0), credential),
        ("/receiver/v1/progress", Progress(run="", phase=Phase.IDLE), source.credential),
        ("/agent/v1/beat", Beat(clock=0), ""),
    ):
        with running.control(wrong) as control, pytest.raises(SmcError) as refused:
            control.post(path, message, Task)
        assert refused.value.code == "Credential.Invalid"
