"""What is different on a copy although nothing was changed in it: the machine under it is another one."""

from collections.abc import Iterator, Mapping

from smc.model.disk import Disk
from smc.model.plan import IpMode, Plan, TargetDisk
from smc.model.server import Nic, Server


def differences(source: Server, plan: Plan, in_place: Mapping[int, str] | None = None) -> tuple[str, ...]:
    """A sentence for each, with what it is at the source: software may be bound to it.

    `in_place`: of an instance that was there, which of its disks takes which data disk.
    """
    disks = {disk.index: disk for disk in source.disks}
    return (
        *_machine(source),
        *(_card(nic, plan.ip_mode) for nic in source.nics if nic.mac and nic.name != "lo"),
        *(_disk(disks[planned.index], planned, in_place) for planned in plan.disks if planned.index in disks),
    )


def _machine(source: Server) -> Iterator[str]:
    known = [text for text in (source.dmi.vendor, source.dmi.product) if text]
    if known:
        yield f"DMI: the source is a {' '.join(known)}; the copy has the names of its cloud."
    if source.dmi.uuid:
        yield f"DMI: the source's system UUID is {source.dmi.uuid}; the copy has one of its own."


def _card(nic: Nic, mode: IpMode) -> str:
    own = f"MAC {nic.mac}"
    kept = ""
    if nic.addresses:
        addresses = ", ".join(nic.addresses)
        if mode is IpMode.KEEP:
            kept = f", and the address {addresses} still"
        else:
            own += f" and address {addresses}"
    return (
        f"Network: {nic.name} has {own} at the source; on the copy it has its own{kept}. Its name may change."
    )


def _disk(disk: Disk, planned: TargetDisk, in_place: Mapping[int, str] | None) -> str:
    ids = ", ".join(
        f"{what} {text}" for what, text in (("model", disk.model), ("serial number", disk.serial)) if text
    )
    named = f" ({ids})" if ids else ""
    if in_place is not None:
        new = "a disk of the instance with a serial number of its own"
        if planned.index in in_place:
            new = f"the instance's disk {in_place[planned.index]} with the serial number {planned.serial}"
        return f"Disk {disk.index}: {disk.path}{named} at the source; on the copy it is {new}."
    new = f"serial number {planned.serial}" if planned.serial else "a serial number of its own"
    return (
        f"Disk {disk.index}: {disk.path}{named} at the source; "
        f"where the image was made it had {new}, and each instance has disks of its own."
    )
