"""The store and the workflows on a real PostgreSQL: the same promises, the same stories."""

import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, event, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool
from tests.conformance import test_smc_sdk_complete as complete
from tests.conformance.smc_sdk import call, client_of
from tests.kernel.postgres import Postgres, postgres
from tests.unit.center import test_center_store as suite
from tests.unit.center.running import center as serving_center
from tests.unit.center.test_migrations import JOB_0008, LOG_0008, SOURCE_0008, make_store
from tests.unit.jobs.center import Center, until
from tests.unit.jobs.crossing import crossing, has_moved
from tests.unit.jobs.test_story import made_once, only_the_image_is_left

from smc.base.errors import UserError
from smc.center.app import open_parts
from smc.center.settings import Settings
from smc.center.store.database import open_database
from smc.center.store.sole_use import SoleUse
from smc.center.store.store import Store, open_store
from smc.center.store.tables import METADATA
from smc.cloud.memory import MemoryCloud
from smc.model.job import JobStatus

pytestmark = pytest.mark.kernel

CUT = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
CASES = [
    case
    for name, case in vars(suite).items()
    if name.startswith("test_") and list(inspect.signature(case).parameters) == ["store"]
]


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as server:
        yield server


@pytest.fixture
def store(server: Postgres) -> Iterator[Store]:
    store = open_store(server.fresh(), "lcl")
    yield store
    store.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__.removeprefix("test_"))
def test_the_store_keeps_its_promises(store: Store, case: Callable[[Store], None]) -> None:
    case(store)


def test_there_are_promises() -> None:
    assert len(CASES) > 15


def test_the_revisions_make_the_tables_that_the_code_uses_here_too(server: Postgres) -> None:
    database = open_database(server.fresh())
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
    database.close()


def test_a_store_of_an_earlier_version_is_opened_with_what_is_in_it(server: Postgres) -> None:
    url = server.fresh()
    make_store(url, "0008", SOURCE_0008, JOB_0008, LOG_0008)
    store = open_store(url, "lcl")
    lines = store.log.page("j-1", offset=0, limit=9)[1]
    assert [line.message for line in lines] == ["The job was created."]
    store.jobs.remove("j-1")
    assert store.log.page("j-1", offset=0, limit=9)[0] == 0
    store.close()


def test_of_two_who_create_a_job_of_one_source_at_once_one_is_refused(store: Store) -> None:
    source = suite.enrol(store)
    ready, answers = threading.Barrier(2), list[str]()

    def create() -> None:
        ready.wait()
        try:
            answers.append(store.jobs.create(suite.new_job(source))[:2])
        except UserError as e:
            answers.append(e.code)

    threads = [threading.Thread(target=create) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["SourceServerState.Invalid", "j-"]


def test_a_repeated_request_makes_one_job_whoever_is_first(store: Store) -> None:
    source = suite.enrol(store)
    ready, answers = threading.Barrier(2), list[str]()

    def create() -> None:
        ready.wait()
        answers.append(store.jobs.create(suite.new_job(source, client_token="once", token_hash="h")))

    threads = [threading.Thread(target=create) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(answers)) == 1
    assert len(answers) == 2


def test_a_job_becomes_an_image_though_its_center_ends_in_between(server: Postgres, tmp_path: Path) -> None:
    url, cloud = server.fresh(), MemoryCloud(tmp_path / "cloud.json")
    first = Center(tmp_path, cloud, database_url=url)
    first.ends.hold_at = 300
    job = first.new_job()
    first.start(job)
    until(lambda: first.ends.copied == 300)
    first.close()
    assert not list(tmp_path.glob("*.db")), "all is in the database"
    again = Center(tmp_path, cloud, database_url=url)
    try:
        done = again.ends_as(job, JobStatus.FINISHED)
        assert again.job(job).run_number == 1
        assert made_once(again)
        assert only_the_image_is_left(again, done.image_id)
    finally:
        again.close()


def test_a_second_center_on_the_same_database_is_refused_while_the_first_one_lives(
    server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smc.center.store.sole_use.PATIENCE_SECONDS", 0.5)
    url = server.fresh()
    first = open_parts(Settings(data_dir=tmp_path / "first", database_url=url))
    with pytest.raises(UserError, match="another center uses the database") as refused:
        open_parts(Settings(data_dir=tmp_path / "second", database_url=url))
    assert refused.value.code == "Center.InUse"
    other = open_parts(Settings(data_dir=tmp_path / "other", database_url=server.fresh()))
    other.close()
    first.close()
    open_parts(Settings(data_dir=tmp_path / "second", database_url=url)).close()


def test_a_center_takes_its_lock_again_when_the_connection_broke_and_ends_when_another_has_it(
    server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smc.center.store.sole_use.PATIENCE_SECONDS", 0.5)
    url, lost = server.fresh(), list[bool]()
    one = SoleUse(url)
    one.look(lambda: lost.append(True))
    elsewhere, name = server.fresh(), make_url(url).database
    say(elsewhere, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    say(elsewhere, CUT)
    with pytest.raises(OperationalError):
        one.look(lambda: lost.append(True))
    say(elsewhere, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    one.look(lambda: lost.append(True))
    assert not lost
    with pytest.raises(UserError):
        SoleUse(url)
    say(elsewhere, CUT)
    with closing(SoleUse(url)):
        one.look(lambda: lost.append(True))
    assert lost == [True]
    one.close()


def test_the_server_notices_soon_that_the_machine_of_a_center_is_gone(server: Postgres) -> None:
    said: list[str] = []

    def hear(_connection: object, _cursor: object, statement: str, *_others: object) -> None:
        said.append(statement)

    event.listen(Engine, "before_cursor_execute", hear)
    try:
        SoleUse(server.fresh()).close()
    finally:
        event.remove(Engine, "before_cursor_execute", hear)
    names = ("idle = 10", "interval = 5", "count = 3")
    assert [f"SET tcp_keepalives_{name}" for name in names] == [each for each in said if "SET tcp" in each]


def say(url: str, statement: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_an_instance_moves_into_another_zone(server: Postgres, tmp_path: Path) -> None:
    center = Center(tmp_path, MemoryCloud(), database_url=server.fresh())
    try:
        job, before = crossing(center)
        center.start(job)
        center.ends_as(job, JobStatus.FINISHED)
        has_moved(center.cloud, job, before)
    finally:
        center.close()


def test_the_official_sdk_reads_a_center_in_which_everything_has_happened(
    server: Postgres, tmp_path: Path
) -> None:
    with serving_center(tmp_path, agents=False, database_url=server.fresh()) as running:
        sdk = client_of(running)
        complete.populate(running, sdk)
        jobs = call(sdk, "DescribeReplicationJobs", Tag=[{"Key": "team", "Value": "shop"}])
        assert jobs["TotalCount"] == 3
        sources = call(sdk, "DescribeSourceServers", Tag=[{"Key": "team", "Value": "shop"}])
        assert sources["TotalCount"] == 6
        assert call(sdk, "DescribeWorkgroups")["TotalCount"] == 1
        assert call(sdk, "DescribeEvents")["TotalCount"] > 10
        assert call(sdk, "ListTagResources", ResourceType="sourceserver")["NextToken"]
