"""A source of the matrix as a running machine; its changes go to a folder of the run."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.sample import free_ports
from demo.ssh import Shell
from tests.matrix.builder import Built, overlay, runtime

from smc.localcloud import accelerator, qemu
from smc.localcloud.bake import CACHE
from smc.localcloud.machine import Bus, Forward, MachineDisk, MachineSpec, UserNetwork
from smc.model.server import Firmware

NIC_SLOT = 3  # its NIC is therefore ens3; instances of the local cloud have ens5
CPUS, MEMORY_MIB = 2, 1024
SECONDS_TO_STOP = 60.0


@contextmanager
def running(row: dict[str, str], built: Built, folder: Path) -> Iterator[Shell]:
    """Root's shell on the source, which is on but may not answer yet; switched off at the end."""
    folder.mkdir(parents=True)
    (port,) = free_ports(1)
    handle = qemu.start(
        _machine(row, built, folder.resolve(), port),
        accelerator.find(built.kernel, CACHE / "accelerator.json").accelerator,
    )
    try:
        yield Shell(port=port, key=built.key)
    finally:
        if qemu.is_alive(handle):
            qemu.power_down(handle)
            qemu.wait(handle, SECONDS_TO_STOP)
        qemu.kill(handle)


def _machine(row: dict[str, str], built: Built, folder: Path, port: int) -> MachineSpec:
    """The same folder is the same machine: its uuid and MAC follow from the path."""
    identity = uuid.uuid5(uuid.NAMESPACE_URL, folder.as_uri())
    disks = []
    for number, base in enumerate(built.disks):
        path = folder / f"{number}.qcow2"
        overlay(base, path, form="qcow2")
        disks.append(MachineDisk(path=path, serial=f"source-{number}", bus=Bus(row["bus"])))
    return MachineSpec(
        folder=folder,
        runtime=runtime(),
        name=identity.hex[:12],
        cpus=CPUS,
        memory_mib=MEMORY_MIB,
        uuid=str(identity),
        firmware=Firmware(row["start"].split("-")[0]),
        disks=tuple(disks),
        network=UserNetwork(
            cidr="10.0.2.0/24",
            gateway="10.0.2.2",
            address="10.0.2.15",
            mac="52:54:00:" + ":".join(f"{byte:02x}" for byte in identity.bytes[:3]),
            forwards=(Forward(host_port=port, guest_port=22),),
            pci_slot=NIC_SLOT,
        ),
    )
