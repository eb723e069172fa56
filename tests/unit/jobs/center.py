"""A center without HTTP: a store, the memory cloud, the workflows, one source, fake ends."""

import time
from collections.abc import Callable
from pathlib import Path

from tests.unit.center.made_store import made_store
from tests.unit.center.servers import GIB, server
from tests.unit.jobs.ends import Ends, new_csr

from smc.center.blobs import Blobs
from smc.center.clock import SYSTEM, Clock
from smc.center.jobs.migrate import STORY
from smc.center.jobs.runner import Runner, journal_url
from smc.center.jobs.work import JobSettings, Work
from smc.center.store.jobs import NewJob
from smc.center.store.store import Store, open_store
from smc.center.store.values import Job, JobRequest
from smc.center.trust.run_ca import new_authority
from smc.center.trust.tickets import Tickets
from smc.center.verification.probe import Probe, probe
from smc.cloud.memory import MemoryCloud
from smc.model.job import BusinessStatus, JobStatus, RunAim, RunType
from smc.model.plan import Plan, TargetDisk
from smc.model.server import Architecture, Firmware, Server
from smc.wire.orders import Enrol

FAST = JobSettings(
    receiver_host="gateway",
    agent_port=8701,
    ca_fingerprint="ab" * 32,
    agent_sha256="cd" * 32,
    poll_seconds=0.01,
    cloud_seconds=0.005,
    look_seconds=0.02,
    agent_rest_seconds=0.02,
    agent_try_seconds=0.05,
    patience_seconds=60.0,
    receiver_seconds=60.0,
    convert_seconds=60.0,
    stall_seconds=60.0,
)
PLAN = Plan(
    architecture=Architecture.X86_64,
    firmware=Firmware.BIOS,
    disks=(TargetDisk(index=0, size=20 * GIB), TargetDisk(index=1, size=4 * GIB)),
)
LIMIT = 90.0  # what a test waits for takes a second; this is for machines with much else to do


class Center:
    """Everything that lives in `folder`; opened again it goes on."""

    def __init__(
        self,
        folder: Path,
        cloud: MemoryCloud,
        *,
        story: str = STORY,
        settings: JobSettings = FAST,
        clock: Clock = SYSTEM,
        store: Store | None = None,
        database_url: str = "",
        do_probe: Probe = probe,
        before_open: Callable[[Ends], None] = lambda ends: None,
    ) -> None:
        self.cloud = cloud
        self.store = store or open_store(database_url or made_store(folder), "lcl", clock)
        self.blobs = Blobs(folder / "blobs")
        self.work = Work(self.store, cloud, Tickets(folder), settings, self.blobs)
        journal = journal_url(folder, database_url)
        self.runner = Runner(self.work, journal, do_probe=do_probe, story=story, turn=0.02)
        self.ends = Ends(self.store, cloud, new_csr())
        before_open(self.ends)
        self.ends.start()
        self.runner.open()

    def close(self) -> None:
        self.runner.close()
        self.ends.end()
        self.store.close()

    def import_another(self) -> str:
        return self.import_source(server(fingerprint="f2", hostname="other"))

    def import_source(self, described: Server | None = None) -> str:
        code, text = self.store.codes.create("test", "", 10, 1)
        request = Enrol(token_id=code.id, token_code=text, server=described or server(), csr=new_csr())
        return self.store.sources.enrol(request, "198.51.100.7")[0].id

    def new_job(self, *source: str, **request: object) -> str:
        """`request`: fields of `JobRequest`, and `resource_group`."""
        resource_group = str(request.pop("resource_group", ""))
        wishes = {"image_name": "web-image", **request}
        return self.store.jobs.create(
            NewJob(
                name="",
                description="",
                region_id="local",
                source_id=source[0] if source else self.import_source(),
                request=JobRequest(**wishes),  # type: ignore[arg-type]  # fields by name
                plan=PLAN,
                valid_until=self.store.clock.now() + 86400,
                resource_group=resource_group,
            )
        )

    def start(self, job: str) -> None:
        self.store.jobs.begin_run(job, RunType.MANUAL, new_authority())
        self.runner.start(job)

    def ends_reach(self, job: str, copied: int) -> None:
        """The job is Syncing and so many bytes are there."""
        until(lambda: self.ends.copied >= copied and self.job(job).business_status is BusinessStatus.SYNCING)

    def cut_over(self, job: str, aim: RunAim) -> None:
        self.store.jobs.begin_run(job, RunType.MANUAL, new_authority(), aim=aim)
        self.runner.start(job)

    def job(self, job: str) -> Job:
        found = self.store.jobs.find(job)
        assert found
        return found

    def ends_as(self, job: str, status: JobStatus) -> Job:
        until(lambda: self.job(job).status is not JobStatus.RUNNING)
        found = self.job(job)
        assert found.status is status, found.failure
        return found


def until(condition: Callable[[], object], limit: float = LIMIT) -> None:
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, "the condition did not come true in time"
        time.sleep(0.005)
