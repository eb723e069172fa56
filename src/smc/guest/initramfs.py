"""Each kernel's initramfs is read, and made anew only where a driver for the new machine is missing in it.

Making one takes seconds on a machine and many minutes on an emulated one; reading takes a moment.
"""

from collections.abc import Callable, Collection, Sequence

import msgspec

from smc.base.errors import Broken, CommandFailed
from smc.guest import cpio
from smc.guest.detect import Kernel, System
from smc.guest.drivers import (
    DISK,
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
from smc.guest.root import Root
from smc.guest.volumes import Volume
from smc.guest.watch import watched
from smc.model.report import Check, Level

EARLY_MOUNTS = ("/", "/usr")  # what an initramfs mounts
REBUILD_SECONDS = 3600.0  # 9 s natively; an emulated intermediate instance is up to 100 times slower
LIST_SECONDS = 900.0
WHY_REBUILT = "made anew: drivers for the new machine's disks were missing in it"


class State(msgspec.Struct, frozen=True, kw_only=True):
    """A kernel as it will start; `problem` says why its image could not be read."""

    kernel: Kernel
    image: str  # "" without an initramfs
    needed: tuple[str, ...]  # drivers without which the root filesystem is not found
    drivers: dict[str, Where]
    problem: str = ""

    def among(self, names: Sequence[str], *where: Where) -> list[str]:
        return [name for name in names if self.drivers[name] in where]


def prepare(
    root: Root,
    system: System,
    guest: Guest,
    *,
    volumes: Sequence[Volume],
    stale: bool,
    note: Callable[[str], None],
) -> list[Check]:
    """Make every kernel reach its root filesystem; `stale`: the images hold settings that have changed."""
    filesystems = {volume.filesystem for volume in volumes if volume.mount_point in EARLY_MOUNTS}
    checks = []
    for number, kernel in enumerate(system.kernels):
        state = read_state(root, system, guest, kernel, filesystems)
        rebuildable = state.among(state.needed, Where.IN_KERNEL)
        failure = ""
        if state.image and (rebuildable or (stale and number == 0)):
            note(f"Rebuilding the initramfs of {kernel.version}")
            failure = _rebuild(root, system, guest, state, rebuildable)
            state = read_state(root, system, guest, kernel, filesystems)
        checks += judge(state, default=number == 0, failure=failure)
    return checks


def read_state(
    root: Root, system: System, guest: Guest, kernel: Kernel, filesystems: Collection[str]
) -> State:
    drivers = read_drivers(root, kernel.modules) if kernel.modules else Drivers(frozenset(), {})
    needed = (*DISK, *sorted(drivers.reader_of(kind) for kind in filesystems if kind))
    image = system.family.initramfs.image.format(version=kernel.version)
    inside: frozenset[str] = frozenset()
    problem = ""
    if not root.exists(image):
        image, problem = "", "it has no initramfs"
    else:
        try:
            names = _names(root, system, guest, image)
            inside = frozenset(module_name(name) for name in names if is_module(name))
        except Broken as e:
            problem = e.message
    places = {name: drivers.where(name, inside) for name in (*needed, *OTHER_DISKS, *NETWORK)}
    return State(kernel=kernel, image=image, needed=needed, drivers=places, problem=problem)


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
    else:
        finding = f"kernel {version}: " + "; ".join(
            f"{', '.join(state.among(state.needed, where))} {where.value}"
            for where in READY
            if state.among(state.needed, where)
        )
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


def _names(root: Root, system: System, guest: Guest, image: str) -> list[str]:
    try:
        with root.open(image) as file:
            return list(cpio.names(file))
    except cpio.UnknownPacking:
        return guest(*system.family.initramfs.names, image, timeout=LIST_SECONDS).stdout.splitlines()


def _rebuild(root: Root, system: System, guest: Guest, state: State, missing: Sequence[str]) -> str:
    """Why it did not work, or ""."""
    tool = system.family.initramfs
    found = root.stat(state.image)
    if found and root.free("/boot") < 2 * found.st_size:
        return f"/boot has {root.free('/boot') >> 20} MiB left, and a new image beside the old one needs more"
    welcome = [name for name in OTHER_DISKS if state.drivers[name] is Where.IN_KERNEL]
    _add_modules(root, tool.extra_modules, [*missing, *welcome])
    try:
        with watched(root, tool.state, WHY_REBUILT):
            guest(
                *(word.format(version=state.kernel.version) for word in tool.rebuild), timeout=REBUILD_SECONDS
            )
    except CommandFailed as e:
        return f"{e.message}: {e.hint.splitlines()[-1] if e.hint else 'no message'}"
    return ""


def _add_modules(root: Root, path: str, names: Sequence[str]) -> None:
    text = root.read(path) or ""
    listed = {module_name(line.split()[0]) for line in text.splitlines() if line.strip() and line[0] != "#"}
    lines = [name for name in names if name not in listed]
    if lines:
        gap = "" if not text or text.endswith("\n") else "\n"
        why = "drivers for the new machine's disks belong in every initramfs"
        root.write(path, text + gap + "".join(f"{name}\n" for name in lines), why)
