"""A source server as its agent describes it."""

from enum import Enum

import msgspec

from smc.model.disk import Disk, Filesystem, Volume
from smc.model.facts import Facts


class Firmware(Enum):
    BIOS = "bios"
    UEFI = "uefi"


class Architecture(Enum):
    X86_64 = "x86_64"
    ARM64 = "arm64"
    I386 = "i386"


class OsRelease(msgspec.Struct, frozen=True, kw_only=True):
    """From /etc/os-release; `id_like` has the family names, nearest first."""

    id: str
    version_id: str = ""
    pretty_name: str = ""
    id_like: tuple[str, ...] = ()


class Dmi(msgspec.Struct, frozen=True, kw_only=True):
    """/sys/class/dmi/id; empty strings where the kernel has none."""

    vendor: str = ""
    product: str = ""
    uuid: str = ""


class Nic(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    mac: str
    addresses: tuple[str, ...] = ()  # with prefix length: 10.0.2.15/24
    driver: str = ""
    up: bool = False


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """`fingerprint` tells this machine from a copy of it: DMI uuid (or MACs) and machine-id, hashed."""

    fingerprint: str
    hostname: str
    os: OsRelease
    kernel: str
    architecture: Architecture
    firmware: Firmware
    dmi: Dmi
    origin: str  # where it runs: kvm, vmware, xen, hyper-v, aws, azure, gcp, ..., physical
    cores: int
    memory: int
    cpu_model: str = ""
    cpu_usage: float = 0.0  # percent
    memory_usage: float = 0.0  # percent
    disks: tuple[Disk, ...] = ()
    volumes: tuple[Volume, ...] = ()  # in the order of the kernel's names
    nics: tuple[Nic, ...] = ()
    gateway: str = ""
    dns: tuple[str, ...] = ()
    agent_version: str = ""
    selinux: str = "disabled"  # disabled, permissive, enforcing
    boot_loader: str = ""  # grub2, grub1, systemd-boot, ... "" unknown
    tools: tuple[str, ...] = ()  # of interest on the source: lvm2, mdadm, cloud-init, ...
    facts: Facts = Facts()


PLATFORMS = {  # os-release ID -> Platform of the public API (service-facts 1.1)
    "debian": "Debian",
    "ubuntu": "Ubuntu",
    "centos": "CentOS",
    "rhel": "RedHat",
    "sles": "SUSE",
    "opensuse-leap": "OpenSUSE",
    "gentoo": "Gentoo",
    "alinux": "Alibaba Cloud Linux",
    "ol": "Oracle Linux",
    "amzn": "Amazon Linux",
}


def platform(server: Server) -> str:
    """The public API's Platform of a source."""
    if runs_windows(server):
        return f"Windows Server {server.os.version_id}".rstrip()
    return PLATFORMS.get(server.os.id, "Others Linux")


def runs_windows(server: Server) -> bool:
    return server.os.id == "windows"


def mounted(server: Server) -> list[Filesystem]:
    """Its mounted filesystems, on partitions and on volumes."""
    on_partitions = [part.filesystem for disk in server.disks for part in disk.partitions]
    on_volumes = [volume.filesystem for volume in server.volumes]
    return [found for found in (*on_partitions, *on_volumes) if found and found.mount_point]
