"""The image check of a system that was not converted here: every item, from its files alone.

Nothing of the system is run, and nothing in the tree is changed.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

import msgspec

from smc.base.errors import CommandFailed, UserError
from smc.base.run import Arg, Output, Run
from smc.guest import check, fstab, grub, initramfs, network
from smc.guest.detect import SYSTEMD_BOOT, System, detect
from smc.guest.enter import Guest
from smc.guest.fstab import Entry
from smc.guest.journal import Journal
from smc.guest.networks import way_out
from smc.guest.root import Root
from smc.guest.volumes import Copy, Volume
from smc.model.report import Check, Level
from smc.model.server import Architecture, Firmware

CRITICAL_WITHOUT = "GUESTOS.SystemImage"


def look(tree: Path, volumes: Sequence[Volume], firmware: Firmware, run: Run) -> list[Check]:
    """`volumes` are the filesystems of the image; where they are mounted is read from its fstab."""
    root = Root(tree, Journal())
    try:
        system = detect(root)
    except UserError as e:
        return [Check(item=CRITICAL_WITHOUT, level=Level.CRITICAL, finding=e.message, cure=e.hint)]
    mounted = with_mount_points(root, volumes)
    guest = Guest(root, Copy(root=tree, boot_disk=tree, partitions={}), mounted, _only_here(run))
    checks = check.check(root, system, Architecture.X86_64, firmware)
    checks += _drivers(root, system, guest, mounted)
    checks += [_fstab(root, mounted), _grub(root, system, mounted), _dhcp(root)]
    return checks


def with_mount_points(root: Root, volumes: Sequence[Volume]) -> tuple[Volume, ...]:
    entries = [entry for line in (root.read(fstab.FSTAB) or "").splitlines() if (entry := Entry(line)).real]
    found = []
    for volume in volumes:
        places = [entry.mount_point for entry in entries if entry.spec in volume.names]
        place = places[0] if places and places[0].startswith("/") else volume.mount_point
        found.append(msgspec.structs.replace(volume, mount_point=place))
    return tuple(found)


def _only_here(run: Run) -> Run:
    """Programs of this machine, none of the image."""

    def only(*argv: Arg, timeout: float, stdin: str = "", ok: Collection[int] = (0,)) -> Output:
        if argv[0] == "unshare":
            raise CommandFailed([str(word) for word in argv], "programs of an image are not run", "")
        return run(*argv, timeout=timeout, stdin=stdin, ok=ok)

    return only


def _drivers(root: Root, system: System, guest: Guest, volumes: Sequence[Volume]) -> list[Check]:
    early = [volume for volume in volumes if volume.mount_point in initramfs.EARLY_MOUNTS]
    checks = []
    for number, kernel in enumerate(system.kernels):
        state = initramfs.read_state(root, system, guest, kernel, early)
        checks += initramfs.judge(state, default=number == 0, failure="")
    return checks


def _fstab(root: Root, volumes: Sequence[Volume]) -> Check:
    entries = [entry for line in (root.read(fstab.FSTAB) or "").splitlines() if (entry := Entry(line)).real]
    lost = [
        f"{entry.spec} on {entry.mount_point}"
        for entry in entries
        if fstab.absent(entry.spec, volumes) and not {"noauto", "nofail"} & set(entry.options)
    ]
    if not lost:
        return Check(item="GUESTOS.Fstab", level=Level.PASSED, finding="names only what is in the image")
    essential = any(
        entry.mount_point in fstab.ESSENTIAL and fstab.absent(entry.spec, volumes) for entry in entries
    )
    return Check(
        item="GUESTOS.Fstab",
        level=Level.CRITICAL if essential else Level.WARNING,
        finding=f"a start waits for what is not in the image by that name: {'; '.join(lost)}",
        cure="Name filesystems by UUID, and give nofail to those on other disks.",
    )


def _grub(root: Root, system: System, volumes: Sequence[Volume]) -> Check:
    problems = [] if system.boot_loader == SYSTEMD_BOOT else grub.strangers(root, system.family.grub, volumes)
    if problems:
        cure = f"Run `{system.family.grub.remake}` on the machine that the image is made from."
        return Check(
            item="GUESTOS.Grub",
            level=Level.CRITICAL,
            finding=f"{'; '.join(problems)}: not in the image",
            cure=cure,
        )
    return Check(
        item="GUESTOS.Grub", level=Level.PASSED, finding=f"{system.boot_loader} names only what is there"
    )


def _dhcp(root: Root) -> Check:
    cards = way_out.alone(root, network.STYLES)
    fixed = sorted({card.name or card.file for card in cards if not card.dhcp})
    item = "GUESTOS.Dhcp"
    if not cards:
        cure = "Set a network card to DHCP if nothing else does it (cloud-init does)."
        return Check(item=item, level=Level.WARNING, finding="no card is configured in a file", cure=cure)
    if fixed:
        cure = "Set them to DHCP: the network of an instance gives the address."
        return Check(item=item, level=Level.WARNING, finding=f"{', '.join(fixed)} do not use DHCP", cure=cure)
    return Check(item=item, level=Level.PASSED, finding="network cards get their address by DHCP")
