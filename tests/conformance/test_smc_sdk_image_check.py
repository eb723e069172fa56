"""The check of an image, chosen and told by the official SDK's generic call."""

import pytest
from alibabacloud_smc20190601 import models
from alibabacloud_smc20190601.client import Client
from tests.conformance.smc_sdk import call, refused
from tests.conformance.test_smc_sdk_jobs import create, run_of
from tests.unit.center.running import Center

from smc.center.agents.work import task_for
from smc.center.store.values import Receiver
from smc.center.trust.run_ca import new_authority
from smc.model.job import RunType
from smc.model.progress import Phase, Progress
from smc.model.report import Check, Level, Report
from smc.wire.orders import TaskKind
from smc.wire.trust import Key

CHECKS = (
    Check(item="GUESTOS.Virtio", level=Level.PASSED, finding="the drivers are there"),
    Check(
        item="GUESTOS.CloudAssistant", level=Level.INFORMATION, finding="not installed", cure="Install it."
    ),
    Check(item="GUESTOS.Selinux", level=Level.WARNING, finding="enforcing", cure="Relabel."),
)


def reported(running: Center, sdk: Client, job: str, checks: tuple[Check, ...]) -> None:
    """One more run that has converted the copy."""
    run = running.parts.store.jobs.begin_run(job, RunType.MANUAL, new_authority())
    running.parts.store.runs.record_report(job, run.number, Report(run=run.id, checks=checks))


def test_items_and_the_gravest_level_are_told(running: Center, sdk: Client) -> None:
    job = create(sdk, running.import_server().source_id)
    assert call(sdk, "DescribeImageCheck", JobId=job)["Status"] == "NotRun"
    reported(running, sdk, job, CHECKS)
    found = call(sdk, "DescribeImageCheck", JobId=job)
    assert (found["Status"], found["Run"]) == ("Warning", 1)
    assert [(item["Name"], item["Level"]) for item in found["Items"]["Item"]] == [
        ("GUESTOS.Virtio", "Passed"),
        ("GUESTOS.CloudAssistant", "Information"),
        ("GUESTOS.Selinux", "Warning"),
    ]
    assert found["Items"]["Item"][2]["Cure"] == "Relabel."
    with refused("InvalidJobId.NotFound"):
        call(sdk, "DescribeImageCheck", JobId="j-none")


@pytest.mark.parametrize(
    ("checks", "status"),
    [
        (CHECKS[:2], "Passed"),
        ((*CHECKS, Check(item="GUESTOS.Grub", level=Level.CRITICAL, finding="-")), "Critical"),
    ],
)
def test_information_is_no_trouble_and_one_critical_item_is(
    running: Center, sdk: Client, checks: tuple[Check, ...], status: str
) -> None:
    job = create(sdk, running.import_server().source_id)
    reported(running, sdk, job, checks)
    assert call(sdk, "DescribeImageCheck", JobId=job)["Status"] == status


@pytest.mark.parametrize("wanted", [True, False])
def test_the_receiver_is_told_whether_to_check(running: Center, sdk: Client, wanted: bool) -> None:
    source = running.import_server().source_id
    job = call(
        sdk,
        "CreateReplicationJob",
        RegionId="local",
        SourceId=source,
        ImageName="web_image",
        SystemDiskSize=30,
        ImageCheck=not wanted,
    )["JobId"]
    call(sdk, "ModifyReplicationJobAttribute", JobId=job, ImageCheck=wanted)
    sdk.start_replication_job(models.StartReplicationJobRequest(job_id=job))
    store, run = running.parts.store, run_of(running, job)
    store.runs.set_endpoint(run, "127.0.0.1", 18700)
    store.runs.order_receiver(run, TaskKind.CONVERT)
    store.runs.record_report(job, run.number, Report(run=run.id, checks=CHECKS))
    receiver = Receiver(job=job, ticket_expires=0.0, csr=Key.generate().request("receiver"), last_seen=None)
    said = Progress(run=run.id, phase=Phase.SYNCED)
    task = task_for(store, store.jobs.find(job), store.runs.current(job), receiver, said)
    assert (task.kind, task.image_check) == (TaskKind.CONVERT, wanted)
    found = call(sdk, "DescribeImageCheck", JobId=job)
    assert found["Status"] == ("Warning" if wanted else "NotRun")
    with refused("ReplicationJob.InvalidStatus"):
        call(sdk, "ModifyReplicationJobAttribute", JobId=job, ImageCheck=True)
