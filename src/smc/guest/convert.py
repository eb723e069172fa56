"""A copied system becomes bootable on its new machine: the order of the work, told once.

Every step can be repeated: it looks at what is there and changes what is not yet right, atomically. A
conversion that failed is started again; one that is repeated changes nothing.
"""

from collections.abc import Callable

import msgspec

from smc.base.errors import TargetWriteError
from smc.base.run import Run, run
from smc.guest import (
    boot,
    check,
    cleanup,
    cloudinit,
    fstab,
    identity,
    initramfs,
    network,
    old_devices,
    origins,
    resume,
    selinux,
)
from smc.guest.detect import detect
from smc.guest.enter import Guest
from smc.guest.journal import Journal
from smc.guest.root import Root
from smc.guest.volumes import Copy, read_volumes
from smc.model.plan import Plan
from smc.model.report import Change, Check


class Converted(msgspec.Struct, frozen=True, kw_only=True):
    """What was changed, by path, and what there is to say of the result."""

    changes: tuple[Change, ...]
    checks: tuple[Check, ...]


def convert(
    copy: Copy,
    plan: Plan,
    *,
    note: Callable[[str], None],
    run: Run = run,
    journal: Journal | None = None,
    image_check: bool = True,
    fresh: bool = False,
) -> Converted:
    """Make the copy bootable from `copy.boot_disk`, by the plan's firmware, on a machine with virtio devices.

    `note` is told in a sentence what is going on. Hand in the `journal` of earlier attempts to have their
    changes in the result too; it is up to date also when this raises.
    With `fresh` it is another machine than its source, beside which it is tried.
    With `image_check` the result is looked at as an image is (check.py), which hinders nothing.
    Raises `UserError` (`Guest.*`) for a system that is not known here, `Broken` for a copy that cannot be
    used. What does not hinder the next step is a check, critical where the copy would not boot.
    """
    journal = journal if journal is not None else Journal()
    root = Root(copy.root, journal)
    try:
        checks = _convert(copy, plan, root, note, run, image_check=image_check, fresh=fresh)
    except OSError as e:
        raise TargetWriteError(f"the copy cannot be changed: {e}", code="Guest.Unusable") from e
    return Converted(changes=journal.changes, checks=tuple(checks))


def _convert(
    copy: Copy,
    plan: Plan,
    root: Root,
    note: Callable[[str], None],
    run: Run,
    *,
    image_check: bool,
    fresh: bool,
) -> list[Check]:
    note("Looking at the copied system")
    volumes = read_volumes(copy, plan, run)
    system = detect(root)
    loader = boot.choose(root, system, plan, volumes)
    guest = Guest(root, copy, volumes, run)

    note(f"Preparing {system.name} for its new machine")
    cleanup.clean(root)
    resumes = resume.swap_remains(root, volumes)
    checks = fstab.rewrite(root, volumes)
    checks += old_devices.forget(root, volumes)
    checks += network.adapt(root, system, plan.ip_mode)
    checks += cloudinit.adapt(root, plan.ip_mode) + origins.clean(root)

    note("Looking for the drivers of the new machine in the initramfs")
    stale = network.names_stale(root, system)
    prepared = initramfs.prepare(root, system, guest, volumes=volumes, stale=stale, note=note)
    checks += prepared.checks

    note("Setting up the boot loader")
    checks += boot.set_up(root, loader, guest, volumes=volumes, resumes=resumes, instead=prepared.instead)
    checks += identity.freshen(root, guest) if fresh else []
    changed = [change.path for change in root.journal.changes if change.after]
    selinux.label(root, [*changed, *selinux.made_by_programs(root)])
    if not image_check:
        return checks

    note("Checking the image")
    return checks + check.check(root, system, plan.architecture, plan.firmware)
