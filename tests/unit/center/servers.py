"""Values that tests of the center share."""

from smc.model.disk import Disk, Filesystem, Partition, Role, Table
from smc.model.plan import Plan, TargetDisk
from smc.model.server import Architecture, Dmi, Firmware, Nic, OsRelease, Server

GIB = 1 << 30
MIB = 1 << 20


def server(*, fingerprint: str = "f1", hostname: str = "web-1", used: int = 2 * GIB) -> Server:
    """A Debian with one BIOS-boot system disk of 10 GiB and a data disk of 4 GiB at /srv/data."""
    root = Filesystem(
        type="ext4",
        uuid="0b7bd58c-0f1d-4f29-8a8f-6b3b7a0e1f01",
        mount_point="/",
        size=9 * GIB,
        used=used,
        inodes=600000,
        inodes_used=40000,
        block_size=4096,
        inode_size=256,
    )
    data = Filesystem(
        type="ext4",
        uuid="0b7bd58c-0f1d-4f29-8a8f-6b3b7a0e1f02",
        mount_point="/srv/data",
        size=4 * GIB - 100 * MIB,
        used=GIB,
        inodes=250000,
        inodes_used=1000,
        block_size=4096,
        inode_size=256,
    )
    system_parts = (
        Partition(number=1, start=MIB, size=MIB, role=Role.BIOS_BOOT),
        Partition(number=2, start=2 * MIB, size=10 * GIB - 3 * MIB, role=Role.FILESYSTEM, filesystem=root),
    )
    data_parts = (
        Partition(number=1, start=MIB, size=4 * GIB - 2 * MIB, role=Role.FILESYSTEM, filesystem=data),
    )
    return Server(
        fingerprint=fingerprint,
        hostname=hostname,
        os=OsRelease(id="debian", version_id="12"),
        kernel="6.1.0-18-amd64",
        architecture=Architecture.X86_64,
        firmware=Firmware.BIOS,
        dmi=Dmi(vendor="QEMU"),
        origin="kvm",
        cores=2,
        memory=2 * GIB,
        disks=(
            Disk(index=0, path="/dev/vda", size=10 * GIB, table=Table.GPT, partitions=system_parts),
            Disk(index=1, path="/dev/vdb", size=4 * GIB, table=Table.GPT, partitions=data_parts),
        ),
        nics=(Nic(name="eth0", mac="52:54:00:12:34:56", addresses=("10.0.2.15/24",), up=True),),
        agent_version="0.1.0",
        boot_loader="grub2",
        tools=("initramfs-tools",),
    )


def plan() -> Plan:
    return Plan(
        architecture=Architecture.X86_64, firmware=Firmware.BIOS, disks=(TargetDisk(index=0, size=20 * GIB),)
    )
