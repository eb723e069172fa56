"""Jobs with a container image as their target, as the official SDK asks for them."""

import msgspec
import pytest
from alibabacloud_smc20190601 import models
from alibabacloud_smc20190601.client import Client
from tests.conformance.smc_sdk import call, refused
from tests.conformance.test_smc_sdk_jobs import create, described, run_of
from tests.unit.center.running import Center
from tests.unit.center.servers import server

from smc.model.job import JobStatus
from smc.model.report import ContainerImage, Report
from smc.model.server import Architecture

WANTED = {
    "target_type": "ContainerImage",
    "container_namespace": "team",
    "container_repository": "web",
    "image_name": None,
}


def test_a_container_image_is_asked_for_and_told(running: Center, sdk: Client, source: str) -> None:
    job = create(sdk, source, **WANTED, instance_ram_role="pusher")
    found = described(sdk, job)
    assert (found.target_type, found.container_namespace, found.container_repository) == (
        "ContainerImage",
        "team",
        "web",
    )
    assert (found.container_tag, found.instance_ram_role, found.image_name) == ("latest", "pusher", "")
    sdk.modify_replication_job_attribute(
        models.ModifyReplicationJobAttributeRequest(job_id=job, container_tag="v2")
    )
    assert described(sdk, job).container_tag == "v2"
    sdk.start_replication_job(models.StartReplicationJobRequest(job_id=job))
    run = run_of(running, job)
    image = ContainerImage(reference="team/web:v2", digest="sha256:ab", size=7, layers=1)
    running.parts.store.runs.record_report(job, run.number, Report(run=run.id, container=image))
    running.parts.store.jobs.end(run, JobStatus.FINISHED)
    (told,) = call(sdk, "DescribeReplicationJobs", JobId=[job])["ReplicationJobs"]["ReplicationJob"]
    assert told["ContainerImage"] == {
        "Reference": "team/web:v2",
        "Digest": "sha256:ab",
        "Size": 7,
        "Layout": str(running.parts.settings.containers / job),
    }


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"container_namespace": ""}, "MissingParameter.ContainerNamespace"),
        ({"container_repository": ""}, "MissingParameter.ContainerRepository"),
        ({"container_repository": "Upper"}, "InvalidParameter.ContainerRepository"),
        ({"container_namespace": "a/b"}, "InvalidParameter.ContainerNamespace"),
        ({"container_tag": "-x"}, "InvalidParameter.ContainerTag"),
        ({"image_name": "an_image"}, "InvalidParameter.ImageName"),
        ({"target_type": "Image"}, "InvalidParameter.TargetType"),
    ],
)
def test_what_cannot_be_is_refused(sdk: Client, source: str, changes: dict[str, object], code: str) -> None:
    with refused(code):
        create(sdk, source, **(WANTED | changes))


def test_a_server_of_another_architecture_cannot_become_one(running: Center, sdk: Client) -> None:
    arm = msgspec.structs.replace(server(fingerprint="arm"), architecture=Architecture.ARM64)
    with refused("InvalidParameter.TargetType", match="arm64"):
        create(sdk, running.import_server(arm).source_id, **WANTED)
