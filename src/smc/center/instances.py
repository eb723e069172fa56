"""Instances made from delivered images, each in a network of its own that goes with it."""

import hashlib
import time
from collections.abc import Callable, Sequence

import msgspec

from smc.base.errors import Transient, UserError
from smc.center.store.ids import random_text
from smc.center.store.resources import INSTANCE
from smc.center.store.store import Store
from smc.center.store.values import Made
from smc.cloud.driver import TAG_FORWARD, TAG_JOB, TAG_PURPOSE, Driver, InstanceSpec, Kind
from smc.model.server import Architecture

PATIENCE_SECONDS = 40.0  # clients wait a minute for an answer
PAUSE_SECONDS = 0.5
VPC_CIDR, VSWITCH_CIDR = "172.31.0.0/16", "172.31.0.0/24"
ORDER = (Kind.SECURITY_GROUP, Kind.VSWITCH, Kind.VPC)  # in which they can be deleted


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """TCP `port` of the instance; `host_port`: of this machine, in a local cloud, 0 for any."""

    port: int
    host_port: int = 0


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """A launch template; of `version` "" its default."""

    id: str = ""
    version: str = ""


NO_TEMPLATE = Template()


def create_instance(
    store: Store,
    driver: Driver,
    image: Made,
    *,
    name: str,
    openings: Sequence[Opening],
    cidr: str,
    instance_type: str,
    template: Template = NO_TEMPLATE,
) -> str:
    """Make network, group and instance; what was made is released when one of them fails.

    They are in the job's resource group.
    """
    job = store.jobs.find(image.job)
    driver = driver.grouped(job.resource_group if job else "")
    attempt = random_text(12)
    made: list[tuple[Kind, str]] = []
    tags = {TAG_JOB: image.job, TAG_PURPOSE: INSTANCE}

    def token(purpose: str) -> str:
        return hashlib.sha256(f"{attempt}/{purpose}".encode()).hexdigest()

    try:
        zone = driver.zones()[0]
        vpc = driver.create_vpc(name, VPC_CIDR, tags, token("vpc"))
        made.append((Kind.VPC, vpc))
        _wait(lambda: driver.vpc_ready(vpc), f"the VPC {vpc}")
        vswitch = driver.create_vswitch(vpc, zone, name, VSWITCH_CIDR, tags, token("vswitch"))
        made.append((Kind.VSWITCH, vswitch))
        _wait(lambda: driver.vswitch_ready(vswitch), f"the vSwitch {vswitch}")
        group = driver.create_security_group(vpc, name, tags, token("group"))
        made.append((Kind.SECURITY_GROUP, group))
        for opening in openings:
            driver.admit(group, opening.port, cidr)
        spec = InstanceSpec(
            name=name,
            zone=zone,
            vswitch=vswitch,
            security_group=group,
            architecture=architecture_of(driver, image.id),
            image=image.id,
            instance_type=instance_type,
            system_disk_gib=0,
            launch_template=template.id,
            launch_template_version=template.version,
        )
        instance = driver.launch(spec, tags | _forwards(openings), token("instance"))
    except BaseException:
        for kind, resource in reversed(made):
            _delete_when_free(driver, kind, resource)
        raise
    store.resources.record(
        Kind.INSTANCE, instance, name=name, job=image.job, run=0, purpose=INSTANCE, parent=image.id
    )
    for kind, resource in made:
        store.resources.record(
            kind, resource, name=name, job=image.job, run=0, purpose=INSTANCE, parent=instance
        )
    return instance


def delete_instance(store: Store, driver: Driver, instance: str) -> None:
    """Release it with what was made for it. Raises `Transient` when the rest is not done yet: ask again."""
    driver.delete(Kind.INSTANCE, instance)
    _wait(lambda: not driver.exists(Kind.INSTANCE, instance), f"the release of {instance}")
    network = store.resources.kept(purpose=INSTANCE, parent=instance)
    for made in sorted(network, key=lambda made: ORDER.index(made.kind)):
        _delete_when_free(driver, made.kind, made.id)
        store.resources.released(made.kind, made.id)
    store.resources.released(Kind.INSTANCE, instance)


def architecture_of(driver: Driver, image: str) -> Architecture:
    """As the cloud has it: the job that delivered the image may be gone. Raises `UserError`."""
    seen = driver.image(image)
    if seen is None:
        raise UserError(f"The image {image} is gone.", code="InvalidImageId.NotFound")
    return seen.architecture


def _forwards(openings: Sequence[Opening]) -> dict[str, str]:
    return {
        f"{TAG_FORWARD}{opening.port}": str(opening.host_port) for opening in openings if opening.host_port
    }


def _wait(ready: Callable[[], bool], what: str) -> None:
    limit = time.monotonic() + PATIENCE_SECONDS
    while not ready():
        if time.monotonic() > limit:
            raise Transient(f"{what} is not ready yet.", code="TryAgain", hint="Try again in a minute.")
        time.sleep(PAUSE_SECONDS)


def _delete_when_free(driver: Driver, kind: Kind, resource: str) -> None:
    limit = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            driver.delete(kind, resource)
            return
        except Transient:
            if time.monotonic() > limit:
                raise
        time.sleep(PAUSE_SECONDS)
