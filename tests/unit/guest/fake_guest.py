"""A copied system without its machine: a planted tree, an initramfs made here, programs that are played."""

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
MADE_CFG = f"linux /vmlinuz root=UUID={ROOT} ro console=tty0 console=ttyS0,115200\nsearch --fs-uuid {ROOT}\n"

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


def initramfs(*modules: str) -> bytes:
    """As Debian makes it: microcode in an archive of its own, then the packed one."""
    folder = f"usr/lib/modules/{KERNEL}/kernel"
    packed = zlib.compressobj(wbits=31)
    names = ("init", *(f"{folder}/{name}.ko" for name in modules))
    return cpio("kernel/x86/microcode") + bytes(512) + packed.compress(cpio(*names)) + packed.flush()


def plan(mode: IpMode = IpMode.DHCP, volumes: Sequence[Volume] = VOLUMES) -> Plan:
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
    return Plan(architecture=Architecture.X86_64, firmware=Firmware.BIOS, disks=tuple(disks), ip_mode=mode)


class FakeGuest:
    """Plays blkid and, inside the copy, GRUB and initramfs-tools; `fails` names programs that do not work."""

    def __init__(self, folder: Path, *trees: str, modules: Collection[str] = NEEDED) -> None:
        self.root = folder / "root"
        for tree in ("debian-12", *trees):
            plant(tree, self.root)
        (self.root / IMAGE).write_bytes(initramfs(*modules))
        self.disk = folder / "disk"
        self.disk.write_bytes(bytes(1024))
        self.journal = Journal()
        self.ran: list[str] = []
        self.fails: set[str] = set()

    @property
    def copy(self) -> Copy:
        partitions = {volume.source: volume.device for volume in VOLUMES}
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

    def run(self, *argv: Arg, timeout: float, stdin: str = "", ok: Collection[int] = (0,)) -> Output:
        words = [str(word) for word in argv]
        if words[0] == "blkid":
            return Output("", "", 2)
        assert words[0] == "unshare"
        program = words[words.index("GRUB_DISABLE_OS_PROBER=true") + 1 :]
        self.ran.append(program[0])
        if program[0] in self.fails:
            raise CommandFailed(program, "exit status 1", "it does not work")
        match program[0]:
            case "grub-mkconfig":
                self.write("/boot/grub/grub.cfg", MADE_CFG)
            case "grub-install":
                self.disk.write_bytes(b"GRUB".ljust(510, b"\0") + b"\x55\xaa" + bytes(512))
                self.write("/boot/grub/i386-pc/core.img", "core")
            case "update-initramfs":
                extra = self.read("/etc/initramfs-tools/modules").split()
                (self.root / IMAGE).write_bytes(initramfs(*NEEDED, *extra))
        return Output("", "", 0)
