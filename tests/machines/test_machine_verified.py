"""A real machine is booted from an image, isolated, looked at, and gone again; a blank disk is told apart."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from msgspec import structs
from tests.machines.test_localcloud_boots import eventually
from tests.unit.jobs.center import FAST

from smc.base.run import run
from smc.base.secret import Secret
from smc.center.blobs import Blobs
from smc.center.jobs.runner import Runner, journal_url
from smc.center.jobs.work import Work
from smc.center.store.database import url_of
from smc.center.store.resources import VERIFICATION
from smc.center.store.store import Store, open_store
from smc.center.store.verifications import Verification, VerificationState, Wish
from smc.center.trust.tickets import Tickets
from smc.cloud.driver import TAG_PURPOSE
from smc.cloud.ecs.calls import EcsAccess
from smc.cloud.ecs.driver import LOCAL_PORTS, EcsDriver
from smc.localcloud import app, appliance
from smc.localcloud.catalogue import SystemImage
from smc.localcloud.cloud import Cloud
from smc.localcloud.hypervisor import Qemu
from smc.localcloud.machine import Accelerator
from smc.localcloud.main import running
from smc.localcloud.things import Instance, SecurityGroup
from smc.rpc.dispatch import application
from smc.rpc.serving import serving

pytestmark = pytest.mark.machines

BOOT_SECONDS = 400.0
SETTINGS = structs.replace(
    FAST, center_cidr="127.0.0.1/32", shared_address=True, cloud_seconds=1.0, patience_seconds=120.0
)


class Site:
    """A local cloud with a good and a blank image, and the workflows of a center on it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        blank = folder / "blank.qcow2"
        run("qemu-img", "create", "-q", "-f", "qcow2", str(blank), "1G", timeout=60)
        images = [
            SystemImage(name="good", files=(appliance.build().disk("system"),), platform="Debian"),
            SystemImage(name="blank", files=(blank,), platform="Debian"),
        ]
        hypervisor = Qemu(lambda: Accelerator.TCG)
        runtime = Path("/tmp") / f"smc-test-{time.monotonic_ns():x}"
        self.cloud: Cloud = stack.enter_context(
            running(folder / "cloud", hypervisor, images=images, runtime=runtime)
        )
        port = stack.enter_context(serving(application(app.service(self.cloud, {"AK": "secret"}.get))))
        access = EcsAccess(
            region="local",
            key_id="AK",
            key_secret=Secret("secret"),
            endpoint=f"127.0.0.1:{port}",
            protocol="HTTP",
        )
        self.driver = EcsDriver(access, ports=LOCAL_PORTS)
        self.store: Store = open_store(url_of(folder), "lcl")
        stack.callback(self.store.close)
        self.blobs = Blobs(folder / "blobs")
        work = Work(self.store, self.driver, Tickets(folder), SETTINGS, self.blobs)
        self.runner = Runner(work, journal_url(folder))
        stack.callback(self.runner.close)
        self.runner.open()

        def kill() -> None:
            for instance in self.cloud.store.all(Instance):
                if instance.process:
                    hypervisor.kill(instance.process)

        stack.callback(kill)

    def verify(self, image: str, timeout: float) -> str:
        found = self.driver.image_named(image)
        assert found
        wish = Wish(ports=(22,), timeout=timeout)
        made = self.store.verifications.create(job=f"j-{image}", source="", image=found.id, wish=wish)
        self.runner.verify(made)
        return made

    def find(self, verification: str) -> Verification:
        found = self.store.verifications.find(verification)
        assert found
        return found

    def ended(self, verification: str) -> Verification:
        eventually(lambda: self.find(verification).state is not VerificationState.RUNNING, BOOT_SECONDS)
        return self.find(verification)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as stack:
        yield Site(tmp_path, stack)


def test_a_system_that_boots_is_verified_isolated_and_released(site: Site) -> None:
    verification = site.verify("good", BOOT_SECONDS)
    eventually(lambda: bool(site.find(verification).instance), 60)
    (group,) = site.cloud.store.all(SecurityGroup)
    rules = {(rule.direction.value, rule.policy.value, rule.ports, rule.cidr) for rule in group.rules}
    assert ("ingress", "accept", "22/22", "127.0.0.1/32") in rules
    assert ("egress", "drop", "-1/-1", "0.0.0.0/0") in rules
    found = site.ended(verification)
    assert found.outcome is not None
    assert found.state is VerificationState.VERIFIED, found.outcome
    assert found.outcome.ports[0].banner.startswith("SSH-2.0-")
    # nothing is asked of its console: sshd may answer before getty has written a word there
    assert site.blobs.read(found.screenshot).startswith(b"\xff\xd8"), "a JPEG"
    assert site.driver.find({TAG_PURPOSE: VERIFICATION}) == []


def test_a_blank_disk_is_not_verified_and_released(site: Site) -> None:
    found = site.ended(site.verify("blank", 1.0))
    assert found.outcome is not None
    assert found.state is VerificationState.NOT_VERIFIED
    assert found.outcome.powered_on
    assert not found.outcome.network_up
    assert site.blobs.read(found.screenshot).startswith(b"\xff\xd8")
    assert site.driver.find({TAG_PURPOSE: VERIFICATION}) == []
