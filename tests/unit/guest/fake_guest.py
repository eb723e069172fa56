"""A copied system without its machine: a planted tree, an initramfs made here, programs that are played."""

import struct
import zlib
from collections.abc import Collection, Sequence
from pathlib import Path

from tests.facts.trees import plant

from smc.base.errors import CommandFailed
from smc.base.run import Arg, Output
from smc.guest.journal import Journal
from smc.guest.root import Root
from smc.guest.volumes import Copy, Volume
from smc.model.disk import Role
from smc.model.plan import IpMode, Plan, TargetDisk, TargetPartition
from smc.model.server import Architecture, Firmware

MIB = 1 << 20
ROOT, SWAP, DATA = (f"{n * 8}-{n * 4}-4{n * 3}-8{n * 3}-{n * 12}" for n in "123")
KERNEL = "6.1.0-9-amd64"
IMAGE = f"boot/initrd.img-{KERNEL}"
NEEDED = ("virtio", "virtio_ring", "virtio_pci", "virtio_blk", "ext4", "jbd2", "mbcache")
MADE_CFG = (
    f"search --no-floppy --fs-uuid --set=root {ROOT}\nmenuentry 'System' {{\n"
    f"linux /vmlinuz root=UUID={ROOT} ro console=tty0 console=ttyS0,115200\n}}\n"
)

VOLUMES = (
    Volume(source="0_1", number=1, device=Path("/dev/vdb1"), role=Role.FILESYSTEM, filesystem="ext4",
           mount_point="/", uuid=ROOT, label="root fs"),
    Volume(source="0_5", number=5, device=Path("/dev/vdb5"), role=Role.SWAP, filesystem="swap", uuid=SWAP),
    Volume(source="1_1", number=1, device=Path("/dev/vdc1"), role=Role.FILESYSTEM, filesystem="ext4",
           mount_point="/srv/data", uuid=DATA, part_uuid="aaaa-bbbb"),
)  # fmt: skip


def cpio(*names: str) -> bytes:
    """An archive in the format newc of empty files with these names."""
    packed = b""
    for name in (*names, "TRAILER!!!"):
        fields = [0] * 13
        fields[11] = len(name) + 1
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        entry = header + name.encode() + b"\0"
        packed += entry + b"\0" * (-len(entry) % 4)
    return packed


def initramfs(*modules: str, kernel: str = KERNEL, more: Sequence[str] = ()) -> bytes:
    """As distributions make it: microcode in an archive of its own, then the packed one."""
    folder = f"usr/lib/modules/{kernel}/kernel"
    packed = zlib.compressobj(wbits=31)
    names = ("init", *more, *(f"{folder}/{name}.ko" for name in modules))
    return cpio("kernel/x86/microcode") + bytes(512) + packed.compress(cpio(*names)) + packed.flush()


def efi_program(mark: str = "", machine: int = 0x8664) -> bytes:
    """A PE file of nothing but its header, and what tells it from others."""
    return b"MZ".ljust(60, b"\0") + struct.pack("<I4sH", 64, b"PE\0\0", machine) + mark.encode()


def plan(
    mode: IpMode = IpMode.DHCP,
    volumes: Sequence[Volume] = VOLUMES,
    firmware: Firmware = Firmware.BIOS,
) -> Plan:
    disks = []
    for index in sorted({int(volume.source.split("_")[0]) for volume in volumes}):
        parts = tuple(
            TargetPartition(
                number=v.number, size=MIB, role=v.role, source=v.source, filesystem=v.filesystem,
                uuid=v.uuid, mount_point=v.mount_point,
            )
            for v in volumes
            if v.source.startswith(f"{index}_")
        )  # fmt: skip
        disks.append(TargetDisk(index=index, size=1 << 30, partitions=parts))
    return Plan(architecture=Architecture.X86_64, firmware=firmware, disks=tuple(disks), ip_mode=mode)


class FakeGuest:
    """Plays blkid and, inside the copy, GRUB and what makes an initramfs; what `fails` does not work."""

    kernel = KERNEL
    image = IMAGE
    base: tuple[str, ...] = ("debian-12",)
    volumes: tuple[Volume, ...] = VOLUMES

    def __init__(self, folder: Path, *trees: str, modules: Collection[str] = NEEDED) -> None:
        self.root = folder / "root"
        for tree in (*self.base, *trees):
            plant(tree, self.root)
        self.write_bytes(self.image, initramfs(*modules, kernel=self.kernel))
        self.disk = folder / "disk"
        self.disk.write_bytes(bytes(1024))
        self.journal = Journal()
        self.ran: list[str] = []
        self.calls: list[list[str]] = []
        self.fails: set[str] = set()

    @property
    def copy(self) -> Copy:
        partitions = {volume.source: volume.device for volume in self.volumes}
        return Copy(root=self.root, boot_disk=self.disk, partitions=partitions)

    @property
    def files(self) -> Root:
        return Root(self.root, self.journal)

    def read(self, path: str) -> str:
        return (self.root / path.lstrip("/")).read_text()

    def write(self, path: str, text: str) -> None:
        at = self.root / path.lstrip("/")
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_text(text)

    def write_bytes(self, path: str, content: bytes) -> None:
        at = self.root / path.lstrip("/")
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_bytes(content)

    def run(self, *argv: Arg, timeout: float, stdin: str = "", ok: Collection[int] = (0,)) -> Output:
        words = [str(word) for word in argv]
        if words[0] == "blkid":
            return Output("", "", 2)
        if words[0] == "sh":
            raise CommandFailed(words, "exit status 127", "this instance does not have it")
        assert words[0] == "unshare"
        program = words[words.index("GRUB_DISABLE_OS_PROBER=true") + 1 :]
        self.ran.append(program[0])
        if program[0] in self.fails:
            raise CommandFailed(program, "exit status 1", "it does not work")
        self.calls.append(program)
        match program[0]:
            case "grub-mkconfig":
                self.write(program[-1], MADE_CFG)
            case "grub2-mkconfig":  # of a system with boot loader entries it stays as it is
                if "blscfg" not in self.read(program[-1]):
                    names = " net.ifnames=0" if "net.ifnames=0" in self.read("/etc/default/grub") else ""
                    self.write(program[-1], MADE_CFG.replace(" ro ", f" ro{names} "))
            case "grub-install" | "grub2-install" if "--removable" in program:
                self.write_bytes("/boot/efi/EFI/BOOT/BOOTX64.EFI", efi_program("made by grub-install"))
            case "grub-install" | "grub2-install":
                self.disk.write_bytes(b"GRUB".ljust(510, b"\0") + b"\x55\xaa" + bytes(512))
                self.write("/boot/grub/i386-pc/core.img", "core")
            case "sh":  # ssh-keygen with its answer
                self.write(program[-1], "another key")
            case "update-initramfs":
                extra = self.read("/etc/initramfs-tools/modules").split()
                (self.root / IMAGE).write_bytes(initramfs(*NEEDED, *extra))
            case "dracut" | "mkinitcpio" | "mkinitrd":
                self.write_bytes(self.image, initramfs(*NEEDED, "nvme", "virtio_scsi", kernel=self.kernel))
        return Output("", "", 0)
