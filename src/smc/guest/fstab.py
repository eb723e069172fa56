"""fstab on a machine whose disks have other names: stable names for what was copied, nofail for what was not.

Filesystems keep their UUIDs and labels when they are copied, so entries by UUID or LABEL stay as they are. An
entry by device name is told by its mount point: the plan knows which partition is mounted there. Swap has no
mount point; it is told by the disk on which mount points were found, and by its number.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from smc.guest.root import Root
from smc.guest.volumes import Volume
from smc.model.disk import Role
from smc.model.report import Check, Level

FSTAB = "/etc/fstab"
ITEM = "GUESTOS.Fstab"
FIELD = re.compile(r"\S+")
TAGS = ("UUID=", "LABEL=", "PARTUUID=", "PARTLABEL=", "ID=")
DEVICE = re.compile(
    r"^/dev/(?P<disk>(?:[shv]|xv)d[a-z]+|(?:nvme\d+n|mmcblk|cciss/c\d+d)\d+)p?(?P<number>\d+)?$"
)
REMOTE = ("nfs", "nfs4", "cifs", "ceph", "glusterfs", "smb3", "sshfs", "fuse.sshfs")
ESSENTIAL = ("/", "/boot", "/usr")  # /boot/efi is the firmware's; the running system lives without it
ESP_OPTIONS = "umask=0077,nofail"  # FAT has no owners: nobody else shall read a random seed there
UNIT_FOLDERS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)


class Entry:
    """One line; fields are changed in place, all white space stays."""

    def __init__(self, line: str) -> None:
        self.line = line
        self._fields = [] if line.lstrip().startswith("#") else list(FIELD.finditer(line))
        self.real = len(self._fields) >= 3

    def _field(self, number: int, default: str = "") -> str:
        return self._fields[number].group() if len(self._fields) > number else default

    @property
    def spec(self) -> str:
        text = self._field(0)
        tag, equals, value = text.partition("=")
        return f"{tag}={value.strip(QUOTES)}" if equals and f"{tag}=" in TAGS else unescaped(text)

    @property
    def mount_point(self) -> str:
        path = unescaped(self._field(1))
        return str(Path(path)) if path.startswith("/") else path

    @property
    def kind(self) -> str:
        return self._field(2)

    @property
    def options(self) -> list[str]:
        return self._field(3, "defaults").split(",")

    def replaced(self, number: int, text: str) -> "Entry":
        if len(self._fields) <= number:
            return Entry(f"{self.line.rstrip()} {text}")
        at = self._fields[number]
        return Entry(self.line[: at.start()] + text + self.line[at.end() :])


QUOTES = "\"'"


def rewrite(root: Root, volumes: Sequence[Volume]) -> list[Check]:
    """Change /etc/fstab where it names what is not there, and judge the result."""
    text = root.read(FSTAB) or ""
    lines = text.splitlines()
    disks = _disks([Entry(line) for line in lines], volumes)
    done, changed, lost, remote = [], [], [], []
    mounted = set()
    for line in lines:
        entry = Entry(line)
        if entry.real:
            old = entry
            entry, missing = _adapted(root, entry, volumes, disks)
            mounted.add(entry.mount_point)
            if missing:
                lost.append(entry)
            elif entry.line != old.line:
                changed.append(f"{old.spec} on {old.mount_point}")
            if entry.kind in REMOTE and not {"noauto", "nofail"} & set(entry.options):
                remote.append(entry.mount_point)
        done.append(entry.line)
    for volume in volumes:
        if _unmounted(root, volume, mounted):
            options = ESP_OPTIONS if volume.role is Role.ESP else "defaults,nofail"
            done.append(f"{volume.stable} {escaped(volume.mount_point)} {volume.filesystem} {options} 0 2")
            changed.append(f"{volume.mount_point} (added: it was mounted on the source)")
    if done != lines:
        root.write(FSTAB, "\n".join(done) + "\n", "names of filesystems that hold on the new machine")
    return _judge(text, changed, lost, remote)


def absent(name: str, volumes: Sequence[Volume]) -> bool:
    """Whether a device name or tag leads to nothing that was copied."""
    return name.startswith(("/dev/", *TAGS)) and not any(name in volume.names for volume in volumes)


def unescaped(text: str) -> str:
    r"""`\040` -> a blank (fstab(5))."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def escaped(text: str) -> str:
    return re.sub(r"[ \t\n\\]", lambda match: f"\\{ord(match[0]):03o}", text)


def _adapted(
    root: Root, entry: Entry, volumes: Sequence[Volume], disks: dict[str, str]
) -> tuple[Entry, bool]:
    """The entry as it shall be, and whether what it names was not copied."""
    if entry.kind == "swap" and entry.spec.startswith("/") and not entry.spec.startswith("/dev/"):
        return (entry, False) if root.exists(entry.spec) else (_nofail(entry), True)
    volume = _volume_of(entry, volumes, disks)
    if not absent(entry.spec, volumes):
        early = entry.mount_point == "/usr" and volume and volume.mapped  # an initramfs mounts it too
        return (entry.replaced(0, volume.mapped), False) if volume and early else (entry, False)
    if volume:
        return entry.replaced(0, volume.stable), False
    if "noauto" in entry.options:
        return entry, False
    return _nofail(entry), True


def _volume_of(entry: Entry, volumes: Sequence[Volume], disks: dict[str, str]) -> Volume | None:
    for volume in volumes:
        if entry.mount_point and entry.mount_point in {volume.mount_point, *volume.submounts}:
            return volume
    if entry.kind != "swap":
        return None
    swaps = [volume for volume in volumes if volume.role is Role.SWAP]
    for volume in swaps:
        if entry.spec in volume.former:
            return volume
    if match := DEVICE.match(entry.spec):
        source = f"{disks.get(match['disk'])}_{match['number']}"
        for volume in swaps:
            if volume.source == source:
                return volume
    return swaps[0] if len(swaps) == 1 and entry.spec.startswith("/dev/") else None


def _disks(entries: Sequence[Entry], volumes: Sequence[Volume]) -> dict[str, str]:
    """Index of the source disk by the name the fstab has for it: {"sda": "0"}."""
    found = {}
    for entry in entries:
        match = DEVICE.match(entry.spec) if entry.real else None
        for volume in volumes:
            if match and volume.mount_point and volume.mount_point == entry.mount_point:
                found[match["disk"]] = volume.source.split("_")[0]
    return found


def _nofail(entry: Entry) -> Entry:
    """A start that does not wait for it."""
    if "nofail" in entry.options:
        return entry
    options = [option for option in entry.options if option != "defaults"]
    return entry.replaced(3, ",".join([*(options or ["defaults"]), "nofail"]))


def _unmounted(root: Root, volume: Volume, mounted: set[str]) -> bool:
    """A copied filesystem that was mounted by hand on the source: nothing would mount it any more."""
    if (
        volume.role not in {Role.FILESYSTEM, Role.ESP}
        or volume.mount_point in {"", "/", *mounted}
        or not volume.uuid
    ):
        return False
    unit = volume.mount_point.strip("/").replace("-", r"\x2d").replace("/", "-")
    return not any(root.exists(f"{folder}/{unit}.mount") for folder in UNIT_FOLDERS)


def _judge(text: str, changed: list[str], lost: list[Entry], remote: list[str]) -> list[Check]:
    checks = []
    for entry in lost:
        essential = entry.mount_point in ESSENTIAL
        checks.append(
            Check(
                item=ITEM,
                level=Level.CRITICAL if essential else Level.INFORMATION,
                finding=f"{entry.spec} on {entry.mount_point} was not copied; the start does not wait for it",
                cure="Copy the disk that holds it too."
                if essential
                else "Remove the entry if it is not wanted.",
            )
        )
    if remote:
        finding = f"{', '.join(remote)} come from the network, and the start may wait for them"
        checks.append(Check(item=ITEM, level=Level.WARNING, finding=finding, cure="Give the entries nofail."))
    if not any(check.level is Level.CRITICAL for check in checks):
        finding = f"now by stable names: {'; '.join(changed)}" if changed else "names only what was copied"
        if not text:
            finding = "there is no fstab; the root filesystem is the one that GRUB names"
        checks.insert(0, Check(item=ITEM, level=Level.PASSED, finding=finding))
    return checks
