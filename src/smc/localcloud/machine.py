"""What a virtual machine is made of, and the QEMU command line that says so."""

import ipaddress
import json
import platform
import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import assert_never

import msgspec

from smc.base.errors import UserError
from smc.model.server import Architecture, Firmware

SOCKET_PATH_LONGEST = 107  # bytes, sockaddr_un(7)
SERIAL_LONGEST = 20  # bytes, VIRTIO_BLK_ID_BYTES in linux/virtio_blk.h
NIC_SLOT = 5  # the NIC's PCI slot, hence its name ens5, as instances of ECS have it
SATA_SLOT = 29  # the controller's; a machine has it when a disk needs it
DISK_SLOT = 6  # the first disk's; the others follow
SEED_SLOT = 30  # behind all disks
NETDEV = "net0"
FIRMWARE_FILES = {  # code and variables, in the order of preference; Debian's and Ubuntu's paths
    Architecture.X86_64: (
        ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
        ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
    ),
    Architecture.ARM64: (("/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"),),
}


class Accelerator(Enum):
    KVM = "kvm"
    TCG = "tcg"


class Bus(Enum):
    """How a disk is attached. Instances have VIRTIO; the others are for machines that are to be moved."""

    VIRTIO = "virtio"
    SATA = "sata"
    NVME = "nvme"


class MachineDisk(msgspec.Struct, frozen=True, kw_only=True):
    """A qcow2 file; `serial` is what the guest finds under /dev/disk/by-id (at most 20 characters)."""

    path: Path
    serial: str
    bus: Bus = Bus.VIRTIO


class Forward(msgspec.Struct, frozen=True, kw_only=True):
    """TCP connections to a port of this host go to a port of the guest."""

    host_address: str = "127.0.0.1"
    host_port: int
    guest_port: int


class UserNetwork(msgspec.Struct, frozen=True, kw_only=True):
    """One NIC on QEMU's user-mode network: needs no privilege, the guest reaches the host at `gateway`.

    `restricted` lets the guest reach nothing, host included; forwards into it still work.
    """

    cidr: str
    gateway: str
    address: str
    mac: str
    forwards: tuple[Forward, ...] = ()
    restricted: bool = False
    pci_slot: int = NIC_SLOT


class MachineSpec(msgspec.Struct, frozen=True, kw_only=True):
    """`folder` keeps serial.log, qemu.log and nvram; `runtime` is a short path, for sockets.

    `name` is unique among the machines that share `runtime`. Disks boot in their order.
    """

    folder: Path
    runtime: Path
    name: str
    network: UserNetwork
    disks: tuple[MachineDisk, ...]
    seed: Path | None = None
    cpus: int = 1
    memory_mib: int = 1024
    architecture: Architecture = Architecture.X86_64
    firmware: Firmware = Firmware.BIOS
    uuid: str = ""

    @property
    def monitor(self) -> Path:
        """The QMP socket."""
        return self.runtime / f"{self.name}.qmp"

    @property
    def console(self) -> Path:
        """What the guest wrote to its first serial port since it was started."""
        return self.folder / "serial.log"

    @property
    def log(self) -> Path:
        """What QEMU itself wrote."""
        return self.folder / "qemu.log"

    @property
    def nvram(self) -> Path:
        return self.folder / "nvram"


def command_line(spec: MachineSpec, accelerator: Accelerator) -> list[str]:
    """Raises `UserError` for what QEMU would refuse in words that help nobody."""
    if len(bytes(spec.monitor)) > SOCKET_PATH_LONGEST:
        raise UserError(
            f"The path {spec.monitor} is too long for a socket (at most {SOCKET_PATH_LONGEST} bytes).",
            code="LocalCloud.PathTooLong",
            hint="Choose a runtime folder with a shorter path, for example under /run or /tmp.",
        )
    return [
        *_board(spec, accelerator),
        *_firmware(spec),
        *("-qmp", monitor_argument(spec)),
        *("-chardev", f"file,id=console,path={_escaped(spec.console)}", "-serial", "chardev:console"),
        *_network(spec.network),
        *(_sata() if any(disk.bus is Bus.SATA for disk in spec.disks) else ()),
        *(word for index, disk in enumerate(spec.disks) for word in _disk(index, disk)),
        *(_seed(spec.seed) if spec.seed else ()),
    ]


def monitor_argument(spec: MachineSpec) -> str:
    """The word on the command line that no other machine has."""
    return f"unix:{_escaped(spec.monitor)},server=on,wait=off"


def firmware_files(architecture: Architecture) -> tuple[Path, Path]:
    """UEFI code (shared, read-only) and the template of its variables (copied for each machine)."""
    for code, variables in FIRMWARE_FILES.get(architecture, ()):
        if Path(code).exists() and Path(variables).exists():
            return Path(code), Path(variables)
    raise UserError(
        f"There is no UEFI firmware for {architecture.value} machines on this host.",
        code="LocalCloud.NoFirmware",
        hint="Install the package qemu-efi-aarch64."
        if architecture is Architecture.ARM64
        else "Install ovmf.",
    )


def needs_flash(spec: MachineSpec) -> bool:
    """An arm64 machine has no other firmware than UEFI."""
    return spec.firmware is Firmware.UEFI or spec.architecture is Architecture.ARM64


def _board(spec: MachineSpec, accelerator: Accelerator) -> Iterator[str]:
    match spec.architecture:
        case Architecture.X86_64 | Architecture.I386:
            yield from ("qemu-system-x86_64", "-machine", "pc")
            graphics = "VGA,addr=0x2"
        case Architecture.ARM64:
            yield from ("qemu-system-aarch64", "-machine", "virt")
            graphics = "virtio-gpu-pci,addr=0x2"
        case _:
            assert_never(spec.architecture)
    yield from ("-name", f"{_escaped(spec.name)},process=smc-{_escaped(spec.name[:11])}")
    yield from ("-nodefaults", "-no-user-config", "-display", "none")
    # a copied guest is hostile: QEMU may neither start programs nor gain rights
    yield from ("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny")
    if accelerator is Accelerator.KVM and _is_native(spec.architecture):
        yield from ("-accel", "kvm", "-cpu", "host")
    else:
        yield from ("-accel", "tcg,thread=multi", "-cpu", "max")
    yield from ("-smp", str(spec.cpus), "-m", f"{spec.memory_mib}M", "-rtc", "base=utc")
    if spec.uuid:
        yield from ("-uuid", spec.uuid)
    yield from ("-device", graphics, "-device", "virtio-rng-pci,addr=0x4")


def _is_native(architecture: Architecture) -> bool:
    machine = platform.machine()
    if architecture is Architecture.ARM64:
        return machine == "aarch64"
    return machine == "x86_64"


def _firmware(spec: MachineSpec) -> Iterator[str]:
    if needs_flash(spec):
        code, _ = firmware_files(spec.architecture)
        yield from ("-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={_escaped(code)}")
        yield from ("-drive", f"if=pflash,unit=1,format=raw,file={_escaped(spec.nvram)}")


def _network(network: UserNetwork) -> Iterator[str]:
    forwards = "".join(f",hostfwd={forward_rule(forward)}" for forward in network.forwards)
    restricted = "on" if network.restricted else "off"
    yield "-netdev"
    yield (
        f"user,id={NETDEV},ipv6=off,net={network.cidr},host={network.gateway},dhcpstart={network.address},"
        f"dns={_name_server(network)},restrict={restricted}{forwards}"
    )
    # romfile="": nothing boots from the network, and looking for it costs seconds
    yield from (
        "-device",
        f"virtio-net-pci,netdev={NETDEV},mac={network.mac},addr={network.pci_slot:#x},romfile=",
    )


def forward_rule(forward: Forward) -> str:
    """An empty guest address is the first that DHCP gives, which is the guest's."""
    return f"tcp:{forward.host_address}:{forward.host_port}-:{forward.guest_port}"


def _name_server(network: UserNetwork) -> str:
    """The highest address of the range that is not in use."""
    addresses = ipaddress.ip_network(network.cidr)
    taken = {network.gateway, network.address}
    for number in range(addresses.num_addresses - 2, 0, -1):
        candidate = str(addresses[number])
        if candidate not in taken:
            return candidate
    raise UserError(
        f"The range {network.cidr} is too small for a guest, its gateway and a name server.",
        code="LocalCloud.RangeTooSmall",
        hint="Choose a range with a prefix of at most 29 bits.",
    )


def _disk(index: int, disk: MachineDisk) -> Iterator[str]:
    if not re.fullmatch(rf"[\w.-]{{1,{SERIAL_LONGEST}}}", disk.serial, re.ASCII):
        raise UserError(
            f"A disk cannot have the serial number {disk.serial!r}.",
            code="LocalCloud.BadSerial",
            hint=f"Use 1 to {SERIAL_LONGEST} letters, digits, dots, dashes or underscores.",
        )
    node = f"disk{index}"
    # The host's page cache with the guest's flushes kept: no data is lost that the guest was told is safe,
    # and it works on every filesystem, tmpfs too, where O_DIRECT does not.
    yield from _blockdev(node, "qcow2", disk.path, read_only=False)
    options = f"drive={node},serial={disk.serial},bootindex={index}"
    slot = f"addr={DISK_SLOT + index:#x}"
    yield "-device"
    match disk.bus:
        case Bus.VIRTIO:
            yield f"virtio-blk-pci,{options},{slot}"
        case Bus.SATA:
            yield f"ide-hd,bus=sata.{index},{options}"
        case Bus.NVME:
            yield f"nvme,{options},{slot}"
        case _:
            assert_never(disk.bus)


def _sata() -> Iterator[str]:
    """One AHCI controller with six ports."""
    yield from ("-device", f"ahci,id=sata,addr={SATA_SLOT:#x}")


def _seed(path: Path) -> Iterator[str]:
    """A CD-ROM, which no guest takes for one of its disks."""
    yield from _blockdev("seed", "raw", path, read_only=True)
    yield from ("-device", f"virtio-scsi-pci,id=scsi0,addr={SEED_SLOT:#x}")
    yield from ("-device", "scsi-cd,bus=scsi0.0,drive=seed")


def _blockdev(node: str, driver: str, path: Path, *, read_only: bool) -> Iterator[str]:
    yield "-blockdev"
    yield json.dumps(
        {
            "driver": driver,
            "node-name": node,
            "read-only": read_only,
            "discard": "unmap",
            "cache": {"direct": False, "no-flush": False},
            "file": {
                "driver": "file",
                "filename": str(path),
                "aio": "threads",
                "discard": "unmap",
                "cache": {"direct": False, "no-flush": False},
            },
        }
    )


def _escaped(value: Path | str) -> str:
    """A comma inside a value of QEMU's key=value syntax is doubled."""
    return str(value).replace(",", ",,")
