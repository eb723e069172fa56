"""A server is tested, then moved round after round, on real machines; rsync judges the second round's image.

Takes a quarter of an hour under emulation, so it is in a ring of its own: `make long`.
"""

from contextlib import ExitStack

import pytest
from alibabacloud_smc20190601 import models
from demo import sample
from demo.center import Center
from demo.judge import compare_before_boot
from demo.judge_copy import named_by
from demo.leftovers import nothing_temporary
from demo.ssh import Shell
from tests.machines.test_migration import BOOT_SECONDS, MIGRATE_SECONDS, Sdk, import_source, wait

from smc.cloud.driver import TAG_JOB, Kind

pytestmark = pytest.mark.machines

CHANGES = """set -e
systemctl stop writer
echo changed > /etc/motd
mkdir /srv/new
seq 100000 > /srv/new/numbers
find /usr/share -type f | head -20 | xargs rm
mv /etc/issue /etc/issue.renamed
sync
"""


def settled(sdk: Sdk, job: str, status: str) -> None:
    """Until it has this status; a job that fails tells why."""

    def reached() -> bool:
        found = sdk.job(job)
        told = f"{found.status} {found.error_code} {found.status_info}"
        assert found.status in {"Running", status}, told
        return bool(found.status == status)

    wait(reached, f"the job is {status}", MIGRATE_SECONDS)


def test_a_tested_server_is_moved_in_rounds_and_cut_over(center: Center, source: sample.Source) -> None:
    shell = Shell(port=source.ssh_port, key=sample.build().key)
    source.wait_ready(shell, BOOT_SECONDS)
    sdk = Sdk(center)
    source_id = import_source(sdk, shell)
    job = sdk.ours(
        "CreateReplicationJob",
        RegionId="local",
        SourceId=source_id,
        TargetType="Image",
        ImageName="rounds",
        RunOnce=False,
        Frequency=168,
        MaxNumberOfImageToKeep=1,
        ExecutionMethod="TestAndMigrate",
    )["JobId"]
    settled(sdk, job, "Waiting")

    (drill,) = sdk.ours("DescribeDrillReports", JobId=job)["DrillReports"]["DrillReport"]
    items = {item["Name"]: item for item in drill["Items"]["Item"]}
    assert drill["Status"] in {"Passed", "Warning"}, drill
    assert items["PortAnswers"]["Level"] == "Passed"
    assert items["Equality"]["Level"] == "Passed"
    assert drill["Speed"] > 0 and drill["Screenshot"]
    (first,) = images(sdk)
    assert first["ImageName"] == "rounds_CYCLE_1"
    instance = sdk.job(job).transition_instance_id
    assert instance, "it is kept for the next round"

    shell.run(CHANGES, timeout=120)
    sdk.client.start_replication_job(models.StartReplicationJobRequest(job_id=job))
    settled(sdk, job, "Waiting")
    (second,) = images(sdk)
    assert second["ImageName"] == "rounds_CYCLE_2", "the older one was dropped"
    assert sdk.job(job).transition_instance_id == instance
    with ExitStack() as undo:
        newest = sdk.ours("DescribeReports", JobId=job)["Reports"]["Report"][0]
        named, moving = named_by(newest)
        judgement = compare_before_boot(center.driver(), second["ImageId"], shell, named, moving, undo)
        assert judgement.unexplained == ()

    sdk.client.cut_over_replication_job(models.CutOverReplicationJobRequest(job_id=job, sync_data=False))
    settled(sdk, job, "Finished")
    nothing_temporary(center.driver(), job)
    kinds = {found.kind for found in center.driver().find({TAG_JOB: job})}
    assert kinds == {Kind.IMAGE, Kind.SNAPSHOT}


def images(sdk: Sdk) -> list[dict[str, str]]:
    found: list[dict[str, str]] = sdk.ours("DescribeImages")["Images"]["Image"]
    return found
