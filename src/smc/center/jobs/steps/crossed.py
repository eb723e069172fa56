"""What is different of an instance that is in another zone now."""

from collections.abc import Iterator

from smc.center.jobs.work import Work
from smc.center.store.values import Job
from smc.cloud.driver import Instance


def differences_of(work: Work, job: Job, moved: str) -> tuple[str, ...]:
    """Sentences for the report: software may be bound to what is another one now."""
    old, new = work.driver.instance(job.moved_instance), work.driver.instance(moved)
    if old is None or new is None:
        return ()
    sentences = list(_sentences(old, new))
    there = {disk.device: disk for disk in work.driver.disks(moved)}
    for disk in work.driver.disks(old.id):
        if disk.device in there:
            other = there[disk.device]
            sentences.append(
                f"Disk {disk.device}: {disk.id} with the serial number {disk.serial} was copied; "
                f"there it is {other.id} with the serial number {other.serial}."
            )
    return tuple(sentences)


def _sentences(old: Instance, new: Instance) -> Iterator[str]:
    yield f"Instance: {old.id} is left, stopped, in {old.zone}; in {new.zone} it is {new.id}."
    if old.instance_type != new.instance_type:
        yield f"Instance type: {old.instance_type} was asked to become {new.instance_type}."
    yield (
        f"Network: MAC {old.mac} and private address {old.private_address} became "
        f"{new.mac} and {new.private_address}, of the vSwitch {new.vswitch}."
    )
    if old.elastic:
        yield f"Network: the elastic address {old.public_address} is still bound to {old.id}."
    elif old.public_address:
        yield f"Network: the public address {old.public_address} became {new.public_address}."
