"""Each kernel's initramfs is read, and made anew only where a driver for the new machine is missing in it.

Making one takes seconds on a machine and many minutes on an emulated one; reading takes a moment.
"""

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import msgspec

from smc.base.errors import Broken, CommandFailed
from smc.guest import appended, cpio, unpacking
from smc.guest.detect import Kernel, System
from smc.guest.drivers import (
    DISK,
    MAPPED,
    NETWORK,
    OTHER_DISKS,
    READY,
    Drivers,
    Where,
    is_module,
    module_name,
    read_drivers,
)
from smc.guest.enter import Guest
from smc.guest.fstab import absent
from smc.guest.initramfs_tools import (
    Tool,
    add_lvm,
    add_modules,
    tool_of,
    waits_for,
    why_unmapped,
    without_absent_modules,
    words,
)
from smc.guest.root import Root
from smc.guest.volumes import Volume
from smc.guest.watch import watched
from smc.model.report import Check, Level

EARLY_MOUNTS = ("/", "/usr")  # what an initramfs mounts
REBUILD_SECONDS = 3600.0  # 9 s natively; an emulated intermediate instance is up to 100 times slower
LIST_SECONDS = 900.0
NO_TOOL = "the system has no program that makes one (initramfs-tools, dracut, mkinitcpio, mkinitrd)"
WHY_APPENDED = "drivers for the new machine's disks were put behind it: nothing here makes one anew"
WHY_REBUILT = "made anew: drivers for the new machine's disks were missing in it"


class State(msgspec.Struct, frozen=True, kw_only=True):
    """A kernel as it will start; `problem` says why its image could not be read."""

    kernel: Kernel
    image: str  # "" without an initramfs
    needed: tuple[str, ...]  # drivers without which the root filesystem is not found
    drivers: dict[str, Where]
    problem: str = ""
    waits: tuple[str, ...] = ()  # devices of the old machine that the image would wait for
    unmapped: str = ""  # why it would not switch on the logical volumes that it mounts

    @property
    def starts(self) -> bool:
        absent = self.among((*self.needed, *NETWORK), Where.ABSENT)
        return not (absent or self.among(self.needed, Where.IN_KERNEL) or self.waits or self.unmapped)

    def among(self, names: Sequence[str], *where: Where) -> list[str]:
        return [name for name in names if self.drivers[name] in where]


class Prepared(NamedTuple):
    checks: tuple[Check, ...]
    instead: Kernel | None  # the newest that starts on the new machine, where the newest of all does not


def prepare(
    root: Root,
    system: System,
    guest: Guest,
    *,
    volumes: Sequence[Volume],
    stale: bool,
    note: Callable[[str], None],
) -> Prepared:
    """Make every kernel reach its root filesystem; `stale`: the images hold settings that have changed."""
    early = [volume for volume in volumes if volume.mount_point in EARLY_MOUNTS]
    tool = tool_of(root)
    done: list[tuple[State, str]] = []
    for number, kernel in enumerate(system.kernels):
        state = read_state(root, system, guest, kernel, early)
        rebuildable = state.among(state.needed, Where.IN_KERNEL)
        failure = ""
        if state.image and (rebuildable or state.waits or state.unmapped or (stale and number == 0)):
            note(f"Rebuilding the initramfs of {kernel.version}")
            failure = _rebuild(root, tool, guest, state, rebuildable) if tool else NO_TOOL
            state = read_state(root, system, guest, kernel, early)
            if failure and state.among(state.needed, Where.IN_KERNEL) and not (state.waits or state.unmapped):
                failure = _append(root, state, failure)
                state = read_state(root, system, guest, kernel, early)
        done.append((state, failure))
    first = next((number for number, (state, _) in enumerate(done) if state.starts), 0)
    checks = [
        check
        for number, (state, failure) in enumerate(done)
        for check in judge(state, default=number == first, failure=failure)
    ]
    return Prepared(tuple(checks), system.kernels[first] if first else None)


def read_state(root: Root, system: System, guest: Guest, kernel: Kernel, early: Collection[Volume]) -> State:
    """`early`: what the initramfs mounts, / first of all."""
    drivers = read_drivers(root, kernel.modules) if kernel.modules else Drivers(frozenset(), {})
    stacked = MAPPED if any(volume.logical for volume in early) else ()
    filesystems = sorted({drivers.reader_of(volume.filesystem) for volume in early if volume.filesystem})
    needed = (*DISK, *stacked, *filesystems)
    image = _image_of(root, system, kernel)
    names: list[str] = []
    problem = "" if image else "it has no initramfs"
    if image:
        try:
            names = _names(root, guest, image)
        except Broken as e:
            problem = e.message
    inside = frozenset(module_name(name) for name in names if is_module(name))
    places = {name: drivers.where(name, inside) for name in (*needed, *OTHER_DISKS, *NETWORK)}
    return State(
        kernel=kernel,
        image=image,
        needed=needed,
        drivers=places,
        problem=problem,
        waits=tuple(name for name in waits_for(names) if absent(name, guest.volumes)),
        unmapped=why_unmapped(names) if stacked and names else "",
    )


def judge(state: State, *, default: bool, failure: str) -> list[Check]:
    """The items Virtio and Nvme for one kernel; only the kernel that starts by default can be critical."""
    version = state.kernel.version
    worst = Level.CRITICAL if default else Level.WARNING
    absent = state.among((*state.needed, *NETWORK), Where.ABSENT)
    missing = state.among(state.needed, Where.IN_KERNEL)
    if absent:
        finding = f"kernel {version} has no driver {', '.join(absent)}"
        cure = "Install a kernel with virtio drivers on the source (distribution kernels have them)."
        virtio = Check(item="GUESTOS.Virtio", level=worst, finding=finding, cure=cure)
    elif missing:
        reason = failure or state.problem or "it could not be put there"
        finding = f"the initramfs of {version} does not load {', '.join(missing)}: {reason}"
        cure = (
            f"Add {', '.join(missing)} to the initramfs of {version} on the source and start the job again."
        )
        virtio = Check(item="GUESTOS.Virtio", level=worst, finding=finding, cure=cure)
    elif state.waits:
        finding = f"the initramfs of {version} waits for {', '.join(state.waits)}: {failure or 'as it was'}"
        cure = f"Make the initramfs of {version} for any machine on the source and start the job again."
        virtio = Check(item="GUESTOS.Virtio", level=worst, finding=finding, cure=cure)
    elif state.unmapped:
        finding = f"the initramfs of {version} does not find the root on LVM: {failure or state.unmapped}"
        cure = f"Install lvm2 on the source, make the initramfs of {version} anew, and start the job again."
        virtio = Check(item="GUESTOS.Virtio", level=worst, finding=finding, cure=cure)
    else:
        finding = f"kernel {version}: " + "; ".join(
            f"{', '.join(state.among(state.needed, where))} {where.value}"
            for where in READY
            if state.among(state.needed, where)
        )
        finding += "; logical volumes are switched on" if set(MAPPED) <= set(state.needed) else ""
        virtio = Check(item="GUESTOS.Virtio", level=Level.PASSED, finding=finding)
    nvme = state.drivers["nvme"]
    level = Level.PASSED if nvme in READY else Level.WARNING
    cure = (
        "" if nvme in READY else "Needed by instance types with NVMe disks only: add nvme to the initramfs."
    )
    return [
        virtio,
        Check(item="GUESTOS.Nvme", level=level, finding=f"kernel {version}: nvme is {nvme.value}", cure=cure),
    ]


def _image_of(root: Root, system: System, kernel: Kernel) -> str:
    """ "" when it has none."""
    places = [path.format(version=kernel.version, name=kernel.name) for path in system.family.images]
    return next((path for path in (kernel.initramfs, *places) if path and root.exists(path)), "")


def _names(root: Root, guest: Guest, image: str) -> list[str]:
    """By our own reader, with programs of this instance where it cannot unpack, then by the guest's own."""
    try:
        with root.open(image) as file:
            return list(cpio.names(file))
    except cpio.UnknownPacking as unknown:
        try:
            with root.open(image) as file:
                return unpacking.names(file, unknown, guest.run)
        except CommandFailed:
            tool = tool_of(root)
            if tool is None:
                raise unknown from None
            lines = guest(*tool.names, image, timeout=LIST_SECONDS).stdout.splitlines()
            return [line.split(" -> ")[0].split()[-1] for line in lines if line.strip()]


def _append(root: Root, state: State, failure: str) -> str:
    """Why it did not work either, or ""."""
    wanted = state.among((*state.needed, *OTHER_DISKS), Where.IN_KERNEL)
    kernel = state.kernel
    why = appended.append(root, state.image, kernel.version, kernel.modules, wanted, WHY_APPENDED)
    return f"{failure}; {why}" if why else ""


def _rebuild(root: Root, tool: Tool, guest: Guest, state: State, missing: Sequence[str]) -> str:
    """Why it did not work, or ""."""
    folder = state.image.rsplit("/", 1)[0]
    found = root.stat(state.image)
    if found and root.free(folder) < 2 * found.st_size:
        left = root.free(folder) >> 20
        return f"{folder} has {left} MiB left, and a new image beside the old one needs more"
    welcome = [name for name in OTHER_DISKS if state.drivers[name] is Where.IN_KERNEL]
    without_absent_modules(root, tool)
    if state.unmapped:
        add_lvm(root, tool)
    add_modules(root, tool, [*missing, *welcome])
    try:
        with watched(root, {*tool.state, folder}, WHY_REBUILT):
            guest(*words(tool.rebuild, state.kernel, state.image), timeout=REBUILD_SECONDS)
    except CommandFailed as e:
        return f"{e.message}: {e.hint.splitlines()[-1] if e.hint else 'no message'}"
    return ""
