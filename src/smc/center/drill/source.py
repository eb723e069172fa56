"""The items of a drill that the source's own description answers (service-facts 4, and ours)."""

import re
from collections.abc import Callable, Iterator, Sequence

import msgspec

from smc.model.disk import Filesystem
from smc.model.drill import Group, Item
from smc.model.facts import Facts, FstabEntry, Kernel
from smc.model.formats import FORMATS
from smc.model.plan import Plan
from smc.model.report import Level
from smc.model.server import Firmware, Server, mounted

CPU_PERCENT = 90.0  # service-facts 4, as the next three
MEMORY_PERCENT = 95.0
INODES_PERCENT = 99.0
SPACE_PERCENT = 99.0
LOAD = 2.0  # processes that want to run, for each core
CLOCK_SECONDS = 300.0  # more: certificates and time stamps may be refused
BOOT_BYTES = 100 << 20  # an initramfs of a general kernel, and its copy while it is written
STABLE = re.compile(
    r"(UUID|LABEL|PARTUUID|PARTLABEL)=|/dev/(disk/by-(uuid|label|partuuid|partlabel|id)|mapper)/"
)
KNOWN_LOADERS = {"grub2": frozenset(Firmware), "systemd-boot": frozenset({Firmware.UEFI})}
# Of an initramfs, as agent/machine.py calls them.
MAKERS = frozenset({"dracut", "initramfs-tools", "mkinitcpio", "mkinitrd"})
DEPRECATED_XFS = {  # mount options that newer kernels refuse, with the version that dropped them
    **dict.fromkeys(
        ("nodelaylog", "delaylog", "ihashsize", "irixsgid", "osyncisdsync", "osyncisosync"), "4.0"
    ),
    **dict.fromkeys(("barrier", "nobarrier"), "4.19"),
}


class Beat(msgspec.Struct, frozen=True, kw_only=True):
    """What the last heartbeat told. `clock`: by how many seconds the source's clock is ahead."""

    cpu_usage: float
    memory_usage: float
    clock: float = 0.0


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What is judged."""

    server: Server
    beat: Beat
    plan: Plan

    @property
    def facts(self) -> Facts:
        return self.server.facts

    @property
    def filesystems(self) -> list[Filesystem]:
        return [filesystem for filesystem in mounted(self.server) if filesystem.size]


Verdict = tuple[Level, str, str]  # level, finding, cure
Judge = Callable[[Subject], Verdict]


def judge_source(subject: Subject) -> Iterator[Item]:
    """One item for each row of `ITEMS`."""
    for name, judge in ITEMS.items():
        level, finding, cure = judge(subject)
        yield Item(group=Group.SOURCE, name=name, level=level, finding=finding, cure=cure)


def _fine(finding: str) -> Verdict:
    return Level.PASSED, finding, ""


def _above(value: float, limit: float, what: str, cure: str) -> Verdict:
    finding = f"{what}: {value:.0f} %"
    return (Level.WARNING, f"{finding}, over {limit:.0f} %", cure) if value > limit else _fine(finding)


def _cpu(subject: Subject) -> Verdict:
    return _above(subject.beat.cpu_usage, CPU_PERCENT, "CPU in use", "Stop programs that are not needed.")


def _memory(subject: Subject) -> Verdict:
    used = subject.beat.memory_usage
    return _above(used, MEMORY_PERCENT, "memory in use", "Stop programs that are not needed.")


def _load(subject: Subject) -> Verdict:
    load = subject.facts.load
    if load <= LOAD:
        return _fine(f"{load:.1f} processes a core want to run")
    cure = "Migrate at a quieter hour, or set bandwidth_limit: the copy competes with the server's own work."
    return Level.WARNING, f"{load:.1f} processes a core want to run", cure


def _clock(subject: Subject) -> Verdict:
    ahead = subject.beat.clock
    if abs(ahead) <= CLOCK_SECONDS:
        return _fine(f"the source's clock is {abs(ahead):.0f} s off")
    how = "ahead of" if ahead > 0 else "behind"
    cure = "Set the clock, or let a time service do it."
    return Level.WARNING, f"the source's clock is {abs(ahead):.0f} s {how} the center's", cure


class Finds(msgspec.Struct, frozen=True, kw_only=True):
    """What is fine when nothing is found, else named behind `told`."""

    find: Callable[[Subject], Sequence[str]]
    fine: str
    told: str
    cure: str
    level: Level = Level.WARNING
    between: str = ", "

    def __call__(self, subject: Subject) -> Verdict:
        found = self.find(subject)
        return (
            (self.level, f"{self.told} {self.between.join(found)}", self.cure) if found else _fine(self.fine)
        )


def _other_types(subject: Subject) -> list[str]:
    return [
        f"{found.mount_point} ({found.type})" for found in subject.filesystems if found.type not in FORMATS
    ]


def _without_inodes(subject: Subject) -> list[str]:
    return [
        found.mount_point
        for found in subject.filesystems
        if found.inodes and 100 * found.inodes_used / found.inodes > INODES_PERCENT
    ]


def _space(subject: Subject) -> Verdict:
    full = [
        found.mount_point
        for found in subject.filesystems
        if found.size and 100 * found.used / found.size > SPACE_PERCENT
    ]
    if not full:
        return _fine("all filesystems have space left")
    level = Level.CRITICAL if "/" in full else Level.WARNING
    return (
        level,
        f"hardly any space left on {', '.join(full)}",
        "Free space, or give the target larger disks.",
    )


def _kernel_file(subject: Subject) -> Verdict:
    return _files(subject, lambda kernel: kernel.image, "kernel file", "Install the kernel's package again.")


def _initramfs_file(subject: Subject) -> Verdict:
    cure = "Make it again: `update-initramfs -u -k all`, `dracut --regenerate-all` or the like."
    return _files(subject, lambda kernel: kernel.initramfs, "initramfs", cure)


def _files(subject: Subject, file: Callable[[Kernel], str], what: str, cure: str) -> Verdict:
    kernels = subject.facts.kernels
    if not kernels:
        return Level.WARNING, f"no kernel was found, so no {what}", "See whether /lib/modules can be read."
    missing = [kernel for kernel in kernels if not file(kernel)]
    if not missing:
        return _fine(f"the {what} of {len(kernels)} kernels is there")
    named = ", ".join(kernel.version for kernel in missing)
    return Level.WARNING, f"no {what} in /boot for {named}", cure


def _initramfs_tool(subject: Subject) -> Verdict:
    found = MAKERS & {*subject.server.tools}
    if found:
        return _fine(f"{', '.join(sorted(found))} can make an initramfs")
    cure = "Install dracut or initramfs-tools: a copy whose initramfs lacks drivers cannot be mended without."
    return Level.WARNING, "no program that makes an initramfs was found", cure


def _virtio(subject: Subject) -> Verdict:
    kernels = subject.facts.kernels
    if not kernels:
        return Level.WARNING, "no kernel was found on the source", "See whether /lib/modules can be read."
    able = [kernel.version for kernel in kernels if {"virtio_blk", "virtio_net"} <= set(kernel.virtio)]
    running = next((kernel for kernel in kernels if kernel.running), None)
    if running is not None and running.version in able:
        return _fine(f"the kernel {running.version} has drivers for virtio disks and network cards")
    if able:
        cure = f"Boot the source with {able[-1]}, or make it the default."
        return Level.WARNING, "the running kernel has no virtio drivers, another one has", cure
    cure = "Install a kernel with virtio_blk and virtio_net (every general one since 2.6.25)."
    return Level.CRITICAL, "no installed kernel has drivers for virtio disks and network cards", cure


def _boot_loader(subject: Subject) -> Verdict:
    loader, firmware = subject.server.boot_loader, subject.server.firmware
    if firmware in KNOWN_LOADERS.get(loader, ()):
        return _fine(f"the boot loader is {loader}")
    named = f"the boot loader is {loader}" if loader else "no boot loader was found"
    return Level.CRITICAL, f"{named}, which is not set up on a copy", "Install GRUB 2 on the source first."


def _boot_space(subject: Subject) -> Verdict:
    free = subject.facts.boot_free
    if free >= BOOT_BYTES:
        return _fine(f"{free >> 20} MiB free for an initramfs")
    cure = "Remove old kernels: the initramfs may have to be built anew on the copy."
    return Level.WARNING, f"only {free >> 20} MiB free where /boot lies", cure


def _unstable(subject: Subject) -> list[str]:
    return [f"{entry.device} ({entry.mount_point})" for entry in subject.facts.fstab if _is_unstable(entry)]


def _is_unstable(entry: FstabEntry) -> bool:
    return entry.device.startswith("/dev/") and STABLE.match(entry.device) is None


def _deprecated_xfs(subject: Subject) -> list[str]:
    return [
        f"{option} ({entry.mount_point})"
        for entry in subject.facts.fstab
        if entry.type == "xfs"
        for option in entry.options.split(",")
        if option.partition("=")[0] in DEPRECATED_XFS
    ]


def _network_cards(subject: Subject) -> Verdict:
    names = [card.name for card in subject.server.nics if card.up]
    styles = subject.facts.network_style
    if not names:
        return Level.WARNING, "no network card is up", "See how the source is connected."
    finding = f"{', '.join(names)}, configured by {', '.join(styles) or 'nothing known'}"
    if not styles:
        return Level.WARNING, finding, "The copy is not adapted: see that it gets an address by DHCP."
    return Level.PASSED, finding, ""


def _selinux(subject: Subject) -> Verdict:
    found = subject.server.selinux
    cure = "It stays so: labels are copied." if found == "enforcing" else ""
    return (Level.INFORMATION if cure else Level.PASSED), f"SELinux is {found}", cure


ITEMS: dict[str, Judge] = {
    "CPU": _cpu,
    "Memory": _memory,
    "Load": _load,
    "Clock": _clock,
    "FileSystemType": Finds(
        find=_other_types,
        fine="all mounted filesystems can be made at the target as they are",
        told="not made at the target as they are:",
        cure="See in the plan whether they become another type or are left behind.",
    ),
    "FileSystemInodes": Finds(
        find=_without_inodes,
        fine="all filesystems have inodes left",
        told="hardly an inode left on",
        cure="Remove files that are not needed.",
    ),
    "FileSystemSpace": _space,
    "Firewall": Finds(
        find=lambda subject: subject.facts.firewalls,
        fine="no firewall was found",
        told="active:",
        cure="Let the source reach the center's agent port and the port of the receiver"
        " (docs/reference/ports.md).",
    ),
    "NetworkProxy": Finds(
        find=lambda subject: subject.facts.proxies,
        fine="no proxy is set",
        told="set:",
        cure="Let the proxy CONNECT to the receiver's port, or set `proxy` in /smc/user_config.json.",
    ),
    "Kernel": _kernel_file,
    "Initramfs": _initramfs_file,
    "InitramfsTool": _initramfs_tool,
    "Virtio": _virtio,
    "BootLoader": _boot_loader,
    "BootSpace": _boot_space,
    "MappedDevices": Finds(
        find=lambda subject: subject.facts.mapped,
        fine="no filesystem lies on LVM, RAID or an encrypted volume",
        told="on mapped devices:",
        cure="See in the plan how they are laid out at the target, and what is left behind.",
    ),
    "Fstab": Finds(
        find=_unstable,
        fine="fstab names its devices by what does not change",
        told="named by what changes:",
        cure="The copy's fstab is given stable names.",
        level=Level.INFORMATION,
    ),
    "XfsMountOptions": Finds(
        find=_deprecated_xfs,
        fine="no mount option that newer kernels refuse",
        told="refused by newer kernels:",
        cure="Remove them from /etc/fstab.",
    ),
    "ForeignMounts": Finds(
        find=lambda subject: [f"{point} ({kind})" for point, kind in subject.facts.foreign_mounts],
        fine="all mounts are of local filesystems",
        told="not copied:",
        cure="See that the new server reaches them too.",
    ),
    "NetworkCards": _network_cards,
    "Selinux": _selinux,
    "Databases": Finds(
        find=lambda subject: () if subject.facts.hooks else subject.facts.databases,
        fine="no database that is known is running, or scripts of the owner stop it for the last round",
        told="running:",
        cure="Stop it before the last round, or put scripts that do into /smc/Hooks on the source: what"
        " changes while it is read is of no one state.",
    ),
    "LeftBehind": Finds(
        find=lambda subject: [f"{left.what}: {left.why}" for left in subject.plan.left_behind],
        fine="nothing is left behind",
        told="not at the target:",
        cure="See that nobody needs it.",
        between="; ",
    ),
}
