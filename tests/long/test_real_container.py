"""A running server becomes a container image, by the SDK alone; a registry takes it and runc runs it.

Takes a quarter of an hour under emulation, so it is in a ring of its own: `make long`. Needs root for runc.
"""

import os
from pathlib import Path

from alibabacloud_smc20190601 import models
from demo import judge_boot, sample
from demo.center import Center, free_port
from demo.leftovers import nothing_temporary
from demo.sample_content import PAGE_MARKER
from demo.ssh import Shell
from pytest import mark
from tests.kernel.loop_disks import tool
from tests.kernel.registries import registry, run_in, unpack
from tests.machines.test_migration import BOOT_SECONDS, Sdk, finish, import_source, wait

from smc.cloud.driver import TAG_JOB

pytestmark = [mark.machines, mark.timeout(3600)]

NAMES, VERSION = "team/sample", "v1"
FACTS = {name: command for name, command in judge_boot.FACTS.items() if name != "mounted disks"}
SUMS = (
    "cd / && find usr srv/data/www srv/data/bulk srv/data/small -xdev -type f -print0"
    " | sort -z | xargs -0 sha256sum | sha256sum"
)
SERVE = (  # in one process: the few capabilities of the container do not let it become another user
    "nginx -g 'daemon off; master_process off;' &"
    " curl -s --retry 20 --retry-connrefused --retry-delay 1 --max-time 60 http://127.0.0.1/"
)


def test_a_running_server_becomes_a_container_image_that_runs(
    center: Center, source: sample.Source, tmp_path: Path
) -> None:
    assert os.geteuid() == 0, "runc and the owners of files need root: sudo -E make long"
    shell = Shell(port=source.ssh_port, key=sample.build().key)
    source.wait_ready(shell, BOOT_SECONDS)
    original = {name: shell.run(command, timeout=60) for name, command in FACTS.items()}
    sums = shell.run(SUMS, timeout=600)
    sdk = Sdk(center)
    asked = models.CreateReplicationJobRequest(
        region_id="local",
        source_id=import_source(sdk, shell),
        target_type="ContainerImage",
        container_namespace="team",
        container_repository="sample",
        container_tag=VERSION,
    )
    job = sdk.client.create_replication_job(asked).body.job_id
    sdk.client.start_replication_job(models.StartReplicationJobRequest(job_id=job))
    finish(sdk, job)

    told = sdk.ours("DescribeReplicationJobs", JobId=[job])["ReplicationJobs"]["ReplicationJob"][0]
    image = told["ContainerImage"]
    assert image["Reference"].endswith(f"{NAMES}:{VERSION}"), image
    layout = Path(image["Layout"])
    assert image["Digest"] in (layout / "index.json").read_text()
    assert image["Size"] > 0
    nothing_temporary(center.driver(), job)
    assert center.driver().find({TAG_JOB: job}) == [], "it is no image of the cloud"

    with registry(tmp_path / "registry", free_port()) as url:
        pushed = f"docker://{url.partition('://')[2]}/{NAMES}:{VERSION}"
        tool("skopeo", "copy", "-q", "--dest-tls-verify=false", f"oci:{layout}:{VERSION}", pushed)
        bundle = unpack(url, f"{NAMES}:{VERSION}", tmp_path)
    assert not (bundle / "rootfs" / "smc").exists(), "the agent is not on the copy"

    def inside(command: str) -> str:
        return run_in(bundle, f"smc-test-{os.getpid()}", command)

    judge_boot.same_machine(original, {name: inside(command) for name, command in FACTS.items()})
    assert inside(SUMS) == sums, "what holds still at the source is the same in the container"
    assert PAGE_MARKER in inside(SERVE)
    assert len(sdk.sources()) == 1
    wait(lambda: judge_boot.page(source.web_port), "the source still serves")
