"""The store: what is written is read back, and what must not happen twice does not."""

import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from tests.unit.center.made_store import made_store
from tests.unit.center.servers import plan, server

from smc.base.errors import UserError
from smc.center.store.database import open_database, url_of
from smc.center.store.job_filter import JobFilter
from smc.center.store.jobs import NewJob
from smc.center.store.resources import TEMPORARY
from smc.center.store.sources import Sign, SourceFilter
from smc.center.store.store import Store
from smc.center.store.tables import METADATA
from smc.center.store.values import JobRequest, Run
from smc.center.trust.run_ca import new_authority
from smc.cloud.driver import Kind
from smc.model.job import BusinessStatus, JobStatus, RunType, SourceState
from smc.model.progress import DiskProgress, Failure, Phase, Progress
from smc.wire.orders import Enrol, TaskKind


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(open_database(made_store(tmp_path)), "lcl")
    yield store
    store.close()


def enrol(store: Store, fingerprint: str = "f1") -> str:
    code, text = store.codes.create("", "", 5, 1)
    request = Enrol(token_id=code.id, token_code=text, server=server(fingerprint=fingerprint), csr="")
    return store.sources.enrol(request, "192.0.2.1")[0].id


def new_job(source: str, **changes: str) -> NewJob:
    return NewJob(
        name=changes.get("name", ""),
        description="",
        region_id="local",
        source_id=source,
        request=JobRequest(),
        plan=plan(),
        valid_until=1e12,
        client_token=changes.get("client_token", ""),
        token_hash=changes.get("token_hash", ""),
    )


def begin(store: Store) -> Run:
    job = store.jobs.create(new_job(enrol(store)))
    return store.jobs.begin_run(job, RunType.MANUAL, new_authority())


def test_a_run_is_begun_once_by_two_who_saw_the_same_job(store: Store) -> None:
    job = store.jobs.create(new_job(enrol(store)))
    run = store.jobs.begin_run(job, RunType.SCHEDULE, new_authority(), after=0)
    store.jobs.end(run, JobStatus.WAITING)
    with pytest.raises(UserError, match="has begun meanwhile") as raised:
        store.jobs.begin_run(job, RunType.SCHEDULE, new_authority(), after=0)
    assert raised.value.code == "ReplicationJob.InvalidStatus"
    assert store.jobs.begin_run(job, RunType.MANUAL, new_authority(), after=1).round == 2


def test_the_revisions_make_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    database = open_database(url_of(tmp_path))
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
    database.close()


def test_a_store_opens_again_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    first = Store(open_database(url_of(tmp_path)), "lcl")
    key = first.access_keys.create("admin")
    first.close()
    again = Store(open_database(url_of(tmp_path)), "lcl")
    assert again.access_keys.secret_of(key.id) == key.secret.reveal()
    assert stat.S_IMODE((tmp_path / "center.db").stat().st_mode) == 0o600
    with again._database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    again.close()


def test_a_source_is_read_back_as_it_was_described(store: Store) -> None:
    source = store.sources.find(enrol(store))
    assert source is not None
    assert source.server == server()
    assert source.id.startswith("s-lcl")
    assert (source.name, source.busy, source.job) == ("web-1", False, "")


def test_a_second_source_of_the_same_host_name_gets_a_name_of_its_own(store: Store) -> None:
    enrol(store)
    second = store.sources.find(enrol(store, "f2"))
    assert second is not None
    assert second.name == f"web-1_{second.id}"


def test_sources_are_filtered_by_state_and_job(store: Store) -> None:
    busy, idle = enrol(store), enrol(store, "f2")
    job = store.jobs.create(new_job(busy))

    def ids(wanted: SourceFilter) -> list[str]:
        return [source.id for source in store.sources.page(wanted, offset=0, limit=50)[1]]

    assert ids(SourceFilter(state=SourceState.IN_USE)) == [busy]
    assert ids(SourceFilter(state=SourceState.AVAILABLE)) == [idle]
    assert ids(SourceFilter(state=SourceState.UNAVAILABLE)) == []
    assert ids(SourceFilter(job=job)) == [busy]
    assert set(ids(SourceFilter())) == {busy, idle}


def test_a_source_has_one_unfinished_job(store: Store) -> None:
    source = enrol(store)
    job = store.jobs.create(new_job(source))
    with pytest.raises(UserError, match=job) as refused:
        store.jobs.create(new_job(source))
    assert refused.value.code == "SourceServerState.Invalid"


def test_a_client_token_makes_one_job(store: Store) -> None:
    source = enrol(store)
    job = store.jobs.create(new_job(source, client_token="t", token_hash="a"))
    assert store.jobs.create(new_job(source, client_token="t", token_hash="a")) == job
    with pytest.raises(UserError) as refused:
        store.jobs.create(new_job(source, client_token="t", token_hash="b"))
    assert refused.value.code == "IdempotentParameterMismatch"


def test_a_job_name_is_used_once(store: Store) -> None:
    store.jobs.create(new_job(enrol(store), name="move"))
    with pytest.raises(UserError) as refused:
        store.jobs.create(new_job(enrol(store, "f2"), name="move"))
    assert refused.value.code == "ReplicationJobName.Duplicate"


def test_a_run_begins_once(store: Store) -> None:
    run = begin(store)
    assert run.id == f"{run.job}.1"
    with pytest.raises(UserError) as refused:
        store.jobs.begin_run(run.job, RunType.MANUAL, new_authority())
    assert refused.value.code == "ReplicationJob.InvalidStatus"


def test_an_older_run_cannot_speak_for_its_job(store: Store) -> None:
    first = begin(store)
    assert store.jobs.end(first, JobStatus.IN_ERROR, failure=Failure(kind="Broken", code="X", message="y"))
    second = store.jobs.begin_run(first.job, RunType.MANUAL, new_authority())
    assert not store.jobs.reach(first, BusinessStatus.PROCESSING)
    assert not store.jobs.end(first, JobStatus.FINISHED)
    assert store.jobs.reach(second, BusinessStatus.SYNCING)
    job = store.jobs.find(first.job)
    assert job is not None
    assert (job.status, job.business_status, job.failure) == (
        JobStatus.RUNNING,
        BusinessStatus.SYNCING,
        None,
    )


def test_stop_is_a_wish_that_only_a_syncing_run_takes(store: Store) -> None:
    run = begin(store)
    with pytest.raises(UserError) as refused:
        store.jobs.want_stop(run.job)
    assert refused.value.code == "ReplicationJob.InvalidBusinessStatus"
    store.jobs.reach(run, BusinessStatus.SYNCING)
    store.jobs.want_stop(run.job)
    current = store.runs.current(run.job)
    assert current is not None
    assert current.stop_wanted


def test_a_stop_that_was_accepted_is_seen_before_the_run_goes_on(store: Store) -> None:
    run = begin(store)
    store.jobs.reach(run, BusinessStatus.SYNCING)
    store.jobs.want_stop(run.job)
    assert not store.jobs.end_syncing(run)
    job = store.jobs.find(run.job)
    assert job is not None
    assert job.business_status is BusinessStatus.SYNCING


def test_a_stop_that_comes_after_the_copying_is_refused(store: Store) -> None:
    run = begin(store)
    store.jobs.reach(run, BusinessStatus.SYNCING)
    assert store.jobs.end_syncing(run)
    with pytest.raises(UserError) as refused:
        store.jobs.want_stop(run.job)
    assert refused.value.code == "ReplicationJob.InvalidBusinessStatus"


def test_a_wish_to_stop_goes_over_to_the_run_that_takes_the_place_of_an_interrupted_one(store: Store) -> None:
    run = begin(store)
    store.jobs.reach(run, BusinessStatus.SYNCING)
    store.jobs.want_stop(run.job)
    assert store.jobs.continue_run(run, new_authority())
    current = store.runs.current(run.job)
    assert current is not None
    assert (current.number, current.stop_wanted) == (2, True)


def test_a_changed_inventory_is_kept_although_a_later_sign_of_life_was_written_first(store: Store) -> None:
    run = begin(store)
    job = store.jobs.find(run.job)
    assert job is not None
    later = time.time() + 60
    store.sources.beat({job.source_id: Sign(time=later, address="192.0.2.2")})
    changed = server(hostname="renamed")
    store.sources.beat({job.source_id: Sign(time=later - 30, address="192.0.2.1", server=changed)})
    source = store.sources.find(job.source_id)
    assert source is not None
    assert (source.server.hostname, source.address, source.last_beat) == ("renamed", "192.0.2.2", later)


def test_the_agent_is_ordered_only_while_its_run_is_on(store: Store) -> None:
    run = begin(store)
    job = store.jobs.find(run.job)
    assert job is not None
    assert store.runs.ordered_for(job.source_id) is None
    store.runs.set_endpoint(run, "127.0.0.1", 18700)
    store.runs.order_receiver(run, TaskKind.REPLICATE)
    store.runs.order_agent(run, on=True)
    ordered = store.runs.ordered_for(job.source_id)
    assert ordered is not None
    assert (ordered.port, ordered.receiver_task) == (18700, TaskKind.REPLICATE)
    assert store.runs.ports_in_use() == [18700]
    store.jobs.end(run, JobStatus.STOPPED)
    assert store.runs.ordered_for(job.source_id) is None
    ended = store.runs.find(run.job, 1)
    assert ended is not None
    assert ended.ca_key.reveal() == ""


def test_progress_is_read_back(store: Store) -> None:
    run = begin(store)
    progress = Progress(run=run.id, phase=Phase.SYNCING, disks=(DiskProgress(index=0, done=1, total=2),))
    store.runs.record_progress({(run.job, 1): progress})
    found = store.runs.find(run.job, 1)
    assert found is not None
    assert found.progress == progress


def test_a_ticket_is_good_for_one_receiver(store: Store) -> None:
    run = begin(store)
    store.receivers.expect(run.job, "ticket", valid_seconds=60)
    _, credential = store.receivers.enrol("ticket", "csr")
    _, renewed = store.receivers.enrol("ticket", "csr")
    assert store.receivers.authenticate(credential) is None
    found = store.receivers.authenticate(renewed)
    assert found is not None
    assert found.job == run.job
    with pytest.raises(UserError) as refused:
        store.receivers.enrol("ticket", "another")
    assert refused.value.code == "Ticket.Used"


def test_a_new_ticket_shuts_the_old_receiver_out(store: Store) -> None:
    run = begin(store)
    store.receivers.expect(run.job, "one", valid_seconds=60)
    _, credential = store.receivers.enrol("one", "csr")
    store.receivers.expect(run.job, "one", valid_seconds=60)
    assert store.receivers.authenticate(credential) is not None
    store.receivers.expect(run.job, "two", valid_seconds=60)
    assert store.receivers.authenticate(credential) is None
    with pytest.raises(UserError, match="not known"):
        store.receivers.enrol("one", "csr")


def test_an_expired_ticket_is_refused(store: Store) -> None:
    run = begin(store)
    store.receivers.expect(run.job, "ticket", valid_seconds=0)
    with pytest.raises(UserError) as refused:
        store.receivers.enrol("ticket", "csr")
    assert refused.value.code == "Ticket.Expired"


def test_what_was_made_is_kept_until_it_is_released(store: Store) -> None:
    run = begin(store)
    for _ in range(2):
        store.resources.record(Kind.INSTANCE, "i-1", name="n", job=run.job, run=run.number, purpose=TEMPORARY)
    (made,) = store.resources.kept(job=run.job, purpose=TEMPORARY)
    assert made.id == "i-1"
    store.resources.released(Kind.INSTANCE, "i-1")
    assert store.resources.kept(job=run.job) == []


def test_removing_a_job_takes_its_runs_and_log_and_frees_the_source(store: Store) -> None:
    run = begin(store)
    store.log.add(run.job, "hello")
    assert store.log.page(run.job, offset=0, limit=10)[0] == 1
    job = store.jobs.find(run.job)
    assert job is not None
    with pytest.raises(UserError):
        store.jobs.begin_deleting(run.job)
    store.jobs.end(run, JobStatus.STOPPED)
    store.jobs.begin_deleting(run.job)
    store.jobs.remove(run.job)
    assert store.jobs.page(JobFilter(), offset=0, limit=10) == (0, [])
    assert store.runs.of_job(run.job) == []
    assert store.sources.remove(job.source_id)
    assert store.sources.find(job.source_id) is None
