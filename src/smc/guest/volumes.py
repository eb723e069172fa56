"""The copied filesystems and how the guest's configuration may name them on its new machine."""

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from smc.base.run import Run
from smc.model.disk import Role
from smc.model.plan import Plan, trees_of

LOGICAL = re.compile(r"/dev/mapper/((?:[^-]|--)+)-((?:[^-]|--)+)")
PROBE_SECONDS = 60.0
ESCAPED = re.compile(r"\\(.)")  # blkid puts a backslash before what a shell would read
SYSTEM_DISK = "/dev/vda"  # a system disk on virtio-blk, in ECS and in the local cloud


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """A copied system as the intermediate instance holds it, every partition mounted below `root`.

    `partitions` leads from the source partition `<disk index>_<number>` to its device node here.
    """

    root: Path
    boot_disk: Path
    partitions: Mapping[str, Path]


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """One partition of the copy; ids as its superblock and the partition table really have them."""

    source: str
    number: int
    device: Path
    role: Role
    filesystem: str = ""
    mount_point: str = ""
    uuid: str = ""
    label: str = ""
    part_uuid: str = ""
    part_label: str = ""
    submounts: frozenset[str] = frozenset()  # where subvolumes of it are mounted

    @property
    def names(self) -> frozenset[str]:
        """Every name of it that stays right when the disk gets another place."""
        tags = {
            "UUID": self.uuid,
            "LABEL": self.label,
            "PARTUUID": self.part_uuid,
            "PARTLABEL": self.part_label,
        }
        found = {
            name
            for tag, value in tags.items()
            if value
            for name in (f"{tag}={value}", f"/dev/disk/by-{tag.lower()}/{value}")
        }
        return frozenset(found | self.device_names)

    @property
    def device_names(self) -> frozenset[str]:
        """Of a logical volume: those below /dev."""
        return frozenset({name for logical in self.logical for name in _names_of(logical)})

    @property
    def former(self) -> frozenset[str]:
        """Its names at the source, when it was a volume there (`<disk index>_<kind>.<name>`)."""
        _, dot, name = self.source.partition(".")
        if not dot:
            return frozenset()
        group = LOGICAL.fullmatch(f"/dev/mapper/{name}")
        logical = _names_of(f"{group[1]}/{group[2]}".replace("--", "-")) if group else set()
        return frozenset({f"/dev/{name}", f"/dev/mapper/{name}", *logical})

    @property
    def logical(self) -> frozenset[str]:
        """`GROUP/VOLUME` when it is a logical volume of LVM."""
        path = str(self.device)
        if match := LOGICAL.fullmatch(path):
            return frozenset({f"{match[1]}/{match[2]}".replace("--", "-")})
        match = re.fullmatch(r"/dev/(?!mapper/)([^/]+)/([^/]+)", path)
        return frozenset({f"{match[1]}/{match[2]}"}) if match else frozenset()

    @property
    def mapped(self) -> str:
        """A logical volume as device-mapper names it, "" for another."""
        return next((f"/dev/{mapped_name(logical)}" for logical in self.logical), "")

    @property
    def stable(self) -> str:
        """Of a logical volume its own name: an older initramfs switches on only what is named so."""
        if self.mapped:
            return self.mapped
        return f"UUID={self.uuid}" if self.uuid else f"PARTUUID={self.part_uuid}"


def _names_of(logical: str) -> set[str]:
    """`GROUP/VOLUME` as paths; device-mapper doubles hyphens."""
    return {f"/dev/{logical}", f"/dev/{mapped_name(logical)}"}


def mapped_name(logical: str) -> str:
    """`GROUP/VOLUME` below /dev, as device-mapper writes it."""
    group, name = logical.split("/")
    return f"mapper/{group.replace('-', '--')}-{name.replace('-', '--')}"


def read_volumes(copy: Copy, plan: Plan, run: Run) -> tuple[Volume, ...]:
    """What the plan made, with the ids that the devices themselves tell."""
    volumes = []
    for disk in plan.disks:
        for part in disk.partitions:
            if part.source not in copy.partitions:
                continue
            device = copy.partitions[part.source]
            told = _probe(device, run)
            volumes.append(
                Volume(
                    source=part.source,
                    number=part.number,
                    device=device,
                    role=part.role,
                    filesystem=told.get("TYPE", part.filesystem),
                    mount_point=part.mount_point,
                    uuid=told.get("UUID", part.uuid),
                    label=told.get("LABEL", part.label),
                    part_uuid=told.get("PART_ENTRY_UUID", part.part_uuid),
                    part_label=told.get("PART_ENTRY_NAME", part.part_label),
                    submounts=frozenset(tree.mount_point for tree in trees_of(part)) - {""},
                )
            )
    return tuple(volumes)


def _probe(device: Path, run: Run) -> dict[str, str]:
    """blkid -p reads the device itself, not a cache; status 2: nothing there that it knows."""
    told = run("blkid", "-p", "-o", "export", device, timeout=PROBE_SECONDS, ok=(0, 2)).stdout
    pairs = (line.split("=", 1) for line in told.splitlines() if "=" in line)
    return {key: ESCAPED.sub(r"\1", value) for key, value in pairs}
