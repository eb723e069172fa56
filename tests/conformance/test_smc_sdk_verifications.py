"""Verifications by the official SDK's generic call; the workflows only take notes."""

import base64
from typing import Any

import pytest
from alibabacloud_smc20190601 import models
from alibabacloud_smc20190601.client import Client
from tests.conformance.smc_sdk import call, refused
from tests.conformance.test_smc_sdk_jobs import create, run_of
from tests.unit.center.running import Center
from tests.unit.center.servers import server

from smc.center.store.resources import IMAGE
from smc.center.store.verifications import Outcome, PortFound, VerificationState
from smc.cloud.driver import DiskSpec, ImageDisk, ImageSpec, InstanceSpec, Kind
from smc.model.job import JobStatus
from smc.model.report import Report
from smc.model.server import Architecture, Firmware


def image_of(running: Center) -> str:
    cloud = running.cloud
    vpc = cloud.create_vpc("v", "10.0.0.0/16", {}, "v")
    cloud.tick()
    vswitch = cloud.create_vswitch(vpc, cloud.zones()[0], "s", "10.0.0.0/24", {}, "s")
    cloud.tick()
    group = cloud.create_security_group(vpc, "g", {}, "g")
    disk = DiskSpec(name="d", size_gib=20)
    spec = InstanceSpec(name="i", zone="", vswitch=vswitch, security_group=group, data_disks=(disk,))
    instance = cloud.launch(spec, {}, "i")
    snapshot = cloud.create_snapshot(cloud.disks(instance)[1].id, "s", {}, "snap")
    cloud.tick()
    made = ImageSpec(
        name="web",
        description="",
        platform="Debian",
        architecture=Architecture.X86_64,
        firmware=Firmware.BIOS,
        disks=(ImageDisk(snapshot=snapshot, size_gib=20),),
    )
    image = cloud.create_image(made, {}, "m")
    cloud.tick()
    return image


@pytest.fixture
def job(running: Center, sdk: Client) -> str:
    """Finished, with an image."""
    made = create(sdk, running.import_server().source_id)
    sdk.start_replication_job(models.StartReplicationJobRequest(job_id=made))
    image, store = image_of(running), running.parts.store
    store.resources.record(Kind.IMAGE, image, name="web", job=made, run=1, purpose=IMAGE)
    assert store.jobs.deliver(run_of(running, made), image)
    assert store.jobs.end(run_of(running, made), JobStatus.FINISHED)
    return made


def described(sdk: Client, **wanted: object) -> list[dict[str, Any]]:
    answer = call(sdk, "DescribeVerifications", **wanted)
    found: list[dict[str, Any]] = answer["Verifications"]["Verification"]
    assert answer["TotalCount"] >= len(found)
    return found


def test_a_delivered_image_is_verified_and_what_was_found_is_told(
    running: Center, sdk: Client, job: str
) -> None:
    made = call(sdk, "VerifyMigrationResult", JobId=job, Port=[22, 443, 22], Timeout=600)["VerificationId"]
    assert made.startswith("v-lcl")
    assert running.jobs.calls[-1] == ("verify", made)
    (found,) = described(sdk, JobId=[job])
    assert (found["Status"], found["Code"], found["Timeout"], found["EndTime"]) == ("Running", "", 600, "")
    store, blobs = running.parts.store, running.parts.blobs
    wish = store.verifications.running()[0].wish
    assert wish.ports == (22, 443)
    with refused("Verification.Running", match=made):
        call(sdk, "VerifyMigrationResult", JobId=job)
    with refused("ImageUsed", match="verified"):
        call(sdk, "DeleteImage", ImageId=found["ImageId"])
    store.verifications.keep(
        made,
        Outcome(
            code="Boot.EmergencyMode",
            message="It stopped.",
            hint="Correct it.",
            powered_on=True,
            ports=(PortFound(port=22, state="silent"),),
        ),
        console=blobs.keep(b"You are in emergency mode"),
        screenshot=blobs.keep(b"\xff\xd8jpeg"),
    )
    store.verifications.end(made, VerificationState.NOT_VERIFIED)
    (found,) = described(sdk, VerificationId=[made])
    assert (found["Status"], found["Code"], found["PoweredOn"]) == ("NotVerified", "Boot.EmergencyMode", True)
    assert found["Ports"]["Port"] == [{"Port": 22, "State": "silent", "Banner": ""}]
    evidence = call(sdk, "DescribeVerificationEvidence", VerificationId=made)
    assert evidence["Console"] == "You are in emergency mode"
    assert base64.b64decode(evidence["Screenshot"]) == b"\xff\xd8jpeg"
    store.runs.record_report(job, 1, Report(run=f"{job}.1"))
    (report,) = call(sdk, "DescribeReports", JobId=job)["Reports"]["Report"]
    (told,) = report["verification"]
    assert (told["id"], told["result"], told["code"]) == (made, "NotVerified", "Boot.EmergencyMode")
    second = call(sdk, "VerifyMigrationResult", JobId=job)["VerificationId"]
    assert [one["VerificationId"] for one in described(sdk, JobId=[job])] == [second, made]


def test_what_cannot_be_verified_is_refused(running: Center, sdk: Client, job: str) -> None:
    fresh = create(sdk, running.import_server(server(fingerprint="f2", hostname="other")).source_id)
    with refused("ReplicationJob.NoImage"):
        call(sdk, "VerifyMigrationResult", JobId=fresh)
    with refused("InvalidJobId.NotFound"):
        call(sdk, "VerifyMigrationResult", JobId="j-none")
    with refused("InvalidVSwitchId.NotFound"):
        call(sdk, "VerifyMigrationResult", JobId=job, VSwitchId="vsw-none")
    for name, value in (("Port", [0]), ("Port", [65536]), ("Timeout", 59), ("Timeout", 7201)):
        parameter = f"{name}.1" if name == "Port" else name
        with refused(f"InvalidParameter.{parameter}"):
            call(sdk, "VerifyMigrationResult", JobId=job, **{name: value})
    with refused("InvalidParameter.Port"):
        call(sdk, "VerifyMigrationResult", JobId=job, Port=list(range(1, 18)))
    with refused("InvalidVerificationId.NotFound"):
        call(sdk, "DescribeVerificationEvidence", VerificationId="v-none")
    running.cloud.delete(Kind.IMAGE, running.parts.store.jobs.find(job).image_id)  # type: ignore[union-attr]
    with refused("InvalidImageId.NotFound"):
        call(sdk, "VerifyMigrationResult", JobId=job)
