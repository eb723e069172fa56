"""One migration on real machines, driven by the official SDK alone; the center is killed in its middle."""

import time
from contextlib import ExitStack
from typing import Any

import pytest
from alibabacloud_smc20190601 import models
from alibabacloud_smc20190601.client import Client
from alibabacloud_tea_openapi.models import Config, OpenApiRequest, Params
from alibabacloud_tea_openapi.utils import Utils
from darabonba.exceptions import DaraException
from darabonba.runtime import RuntimeOptions
from demo import judge_boot, sample
from demo.center import Center, free_port
from demo.judge import compare_before_boot
from demo.judge_copy import named_by
from demo.leftovers import nothing_temporary
from demo.run import CENTER_FROM_SOURCE
from demo.ssh import Shell

from smc.client.api import read_login
from smc.cloud.driver import TAG_JOB, Kind

pytestmark = pytest.mark.machines

BOOT_SECONDS = 400.0
MIGRATE_SECONDS = 3000.0
ENOUGH = 20 << 20  # bytes that have arrived when the center is killed
SCRIPTS = """set -e
cd /smc/Hooks
printf '#!/bin/sh\\nsystemctl stop writer\\n' >before/10-writer
printf '#!/bin/sh\\n[ "$SMC_RESULT" = copied ] || systemctl start writer\\n' >after/10-writer
chmod 700 before/10-writer after/10-writer
"""


class Sdk:
    """The vendor's client with only endpoint and keys changed; `ours` is its generic call."""

    def __init__(self, center: Center) -> None:
        login = read_login(center.folder / "admin-key.json")
        self.client = Client(
            Config(
                access_key_id=login.access_key_id,
                access_key_secret=login.access_key_secret,
                endpoint=login.endpoint.removeprefix("http://"),
                protocol="HTTP",
            )
        )

    def ours(self, action: str, **query: object) -> Any:  # Any: JSON of the action
        parameters = Params(
            action=action,
            version="2019-06-01",
            pathname="/",
            method="POST",
            auth_type="AK",
            style="RPC",
            req_body_type="formData",
            body_type="json",
        )
        request = OpenApiRequest(query=Utils.query(query))
        return self.client.call_api(parameters, request, RuntimeOptions())["body"]

    def job(self, job_id: str) -> Any:  # Any: the SDK's model is not typed
        request = models.DescribeReplicationJobsRequest(job_id=[job_id])
        return self.client.describe_replication_jobs(request).body.replication_jobs.replication_job[0]

    def sources(self) -> list[Any]:  # Any: the SDK's model is not typed
        request = models.DescribeSourceServersRequest()
        return list(self.client.describe_source_servers(request).body.source_servers.source_server)


def test_a_server_becomes_an_image_that_boots_though_center_and_agent_are_killed_while_data_flows(
    center: Center, source: sample.Source
) -> None:
    key = sample.build().key
    shell = Shell(port=source.ssh_port, key=key)
    source.wait_ready(shell, BOOT_SECONDS)
    original, page = judge_boot.facts(shell), judge_boot.page(source.web_port)
    sdk = Sdk(center)
    source_id = import_source(sdk, shell)
    shell.run(SCRIPTS, timeout=60)

    job = sdk.client.create_replication_job(
        models.CreateReplicationJobRequest(
            region_id="local",
            source_id=source_id,
            target_type="Image",
            image_name="machine-test",
            system_disk_size=20,
            client_token="machine-test",
        )
    ).body.job_id
    sdk.client.start_replication_job(models.StartReplicationJobRequest(job_id=job))
    wait(lambda: has_moved(sdk, job, ENOUGH), "data flows")

    instance = sdk.job(job).transition_instance_id
    center.kill()
    shell.run("systemctl kill --signal=KILL smc-agent", timeout=60)  # systemd starts it again
    center.start()
    wait(lambda: has_moved(sdk, job, 2 * ENOUGH), "data flows on")
    assert made(center, job, Kind.INSTANCE) == {instance}, "made twice"
    finish(sdk, job)
    assert made(center, job, Kind.IMAGE) == {sdk.job(job).image_id}
    assert len(launches(sdk, job)) == 1
    assert [line for line in log(sdk, job) if line.startswith("before/10-writer has run")]
    assert shell.run("systemctl is-active writer", timeout=60, ok=(3,)).strip() != "active"

    with ExitStack() as undo:
        image = sdk.job(job).image_id
        named, moving = named_by(sdk.ours("DescribeReports", JobId=job)["Reports"]["Report"][0])
        assert not [path for path in moving if "writer" in path], "it was stopped when it was copied last"
        judgement = compare_before_boot(center.driver(), image, shell, named, moving, undo)
        assert judgement.unexplained == ()

    ssh_port, web_port = free_port(), free_port()
    opened = [f"22={ssh_port}", f"80={web_port}"]
    copy = sdk.ours("CreateInstanceFromImage", ImageId=image, OpenPort=opened)["InstanceId"]
    wait(lambda: judge_boot.banner(ssh_port).startswith("SSH-2.0"), "sshd of the copy", BOOT_SECONDS)
    wait(lambda: judge_boot.page(web_port) == page, "the web page of the copy", BOOT_SECONDS)
    inside = Shell(port=ssh_port, key=key)
    judge_boot.same_machine(original, judge_boot.facts(inside))
    judge_boot.without_agent(inside)
    assert len(sdk.sources()) == 1, "the copy sends no heartbeat"

    sdk.ours("DeleteInstanceFromImage", InstanceId=copy)
    nothing_temporary(center.driver(), job)
    sdk.client.delete_replication_job(models.DeleteReplicationJobRequest(job_id=job))
    wait(lambda: sdk.sources()[0].state == "Available", "the source is free again")
    sdk.ours("DeleteImage", ImageId=image)
    wait(lambda: not center.driver().find({TAG_JOB: job}), "image and snapshots are gone together")


def import_source(sdk: Sdk, shell: Shell) -> str:
    """By the operator's line, twice: the same machine is the same source."""
    token = sdk.client.create_access_token(models.CreateAccessTokenRequest(name="machine-test", count="5"))
    command = sdk.ours(
        "DescribeImportCommand",
        AccessTokenId=token.body.access_token_id,
        AccessTokenCode=token.body.access_token_code,
        Host=CENTER_FROM_SOURCE,
    )["LinuxCommand"]
    first = shell.run(command, timeout=300)
    assert "Import Source Server [s-" in first
    assert shell.run(command, timeout=300).splitlines()[-1] == first.splitlines()[-1]
    (found,) = sdk.sources()
    assert (found.state, found.platform, found.architecture) == ("Available", "Debian", "x86_64")
    return str(found.source_id)


def finish(sdk: Sdk, job: str) -> None:
    wait(lambda: status(sdk, job) == "Finished", "the job finishes", MIGRATE_SECONDS)


def has_moved(sdk: Sdk, job: str, size: int) -> bool:
    status(sdk, job)
    return bool(sdk.ours("DescribeJobProgress", JobId=job)["BytesDone"] > size)


def status(sdk: Sdk, job: str) -> str:
    """Running or Finished; a job that fails tells why."""
    found = sdk.job(job)
    assert found.status in {"Running", "Finished"}, f"{found.status} {found.error_code} {found.status_info}"
    return str(found.status)


def made(center: Center, job: str, kind: Kind) -> set[str]:
    return {found.id for found in center.driver().find({TAG_JOB: job}) if found.kind is kind}


def launches(sdk: Sdk, job: str) -> list[str]:
    return [line for line in log(sdk, job) if line.startswith("Made the intermediate instance")]


def log(sdk: Sdk, job: str) -> list[str]:
    lines = sdk.ours("DescribeJobLog", JobId=job)["LogLines"]["LogLine"]
    return [line["Message"] for line in lines]


def wait(condition: Any, what: str, seconds: float = 600.0) -> None:  # Any: a probe that may fail for a while
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except (DaraException, OSError) as e:
            print(f"{what}: {e}")
        time.sleep(1)
    pytest.fail(f"{what}: not within {seconds:g} s")
