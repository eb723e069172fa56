"""Which boot loader starts the copy on its new machine: told before anything is changed, then set up."""

from collections.abc import Sequence
from typing import NamedTuple

from smc.base.errors import UserError
from smc.guest import efi, grub, loader_entries
from smc.guest.detect import SYSTEMD_BOOT, Kernel, System
from smc.guest.efi import Esp
from smc.guest.enter import Guest
from smc.guest.root import Root
from smc.guest.volumes import Volume
from smc.model.plan import Plan
from smc.model.report import Check, Level
from smc.model.server import Firmware

ITEM = "GUESTOS.Grub"  # the item of the image check is called so whatever the loader is


class Boot(NamedTuple):
    """`esp` is None on a machine that starts by BIOS."""

    system: System
    esp: Esp | None


def choose(root: Root, system: System, plan: Plan, volumes: Sequence[Volume]) -> Boot:
    """Raises `UserError` where the copy cannot start by the firmware that the plan has."""
    packages = system.family.grub.packages
    if plan.firmware is Firmware.BIOS:
        if system.boot_loader == SYSTEMD_BOOT:
            raise _refusal("systemd-boot starts by UEFI only", "BIOS", f"Install {packages[Firmware.BIOS]}")
        if not grub.can_install(root, system.family.grub):
            raise _refusal("GRUB for BIOS is not installed", "BIOS", f"Install {packages[Firmware.BIOS]}")
        return Boot(system, None)
    esp = efi.find(volumes, system.architecture or plan.architecture)
    if system.boot_loader == SYSTEMD_BOOT:
        there = efi.loader_of(root, system, esp) or root.exists(root.located(esp.fallback))
        if not there:
            raise _refusal("systemd-boot is not in the EFI system partition", "UEFI", "Run `bootctl install`")
    elif not efi.loader_of(root, system, esp) and not efi.can_install(root, system.family.grub, esp):
        raise _refusal("GRUB for UEFI is not installed", "UEFI", f"Install {packages[Firmware.UEFI]}")
    return Boot(system, esp)


def set_up(
    root: Root,
    boot: Boot,
    guest: Guest,
    *,
    volumes: Sequence[Volume],
    resumes: bool,
    instead: Kernel | None = None,
) -> list[Check]:
    """`instead`: the kernel to start by default, where the newest cannot start on the new machine."""
    if boot.system.boot_loader != SYSTEMD_BOOT:
        return grub.set_up(
            root, boot.system, guest, volumes=volumes, resumes=resumes, esp=boot.esp, instead=instead
        )
    assert boot.esp
    if instead:
        loader_entries.prefer(root, instead)
    loader_entries.adapt(root, volumes, resumes=resumes)
    return efi.install(root, boot.system, guest, boot.esp, volumes) or _judge(root, boot.esp, volumes)


def _judge(root: Root, esp: Esp, volumes: Sequence[Volume]) -> list[Check]:
    """Of systemd-boot: its loader, and that each entry has its kernel and names only what was copied."""
    problems = efi.problems(root, esp, volumes) + loader_entries.strangers(root, volumes)
    entries = loader_entries.entries(root)
    unified = root.files(root.located(f"{esp.folder}/EFI/Linux"), suffix=".efi")
    broken = [path for path in entries if not loader_entries.has_kernel(root, path)]
    if not unified and len(broken) == len(entries):
        problems.append("no boot loader entry leads to a kernel")
    if problems:
        cure = "Run `bootctl install` and `bootctl list` on the source, and start the job again."
        return [Check(item=ITEM, level=Level.CRITICAL, finding="; ".join(problems), cure=cure)]
    finding = (
        f"{esp.fallback} starts without boot entries; {len(entries) - len(broken)} entries lead to a kernel"
    )
    checks = [Check(item=ITEM, level=Level.PASSED, finding=finding)]
    if unified:
        finding = (
            f"the command line inside {', '.join(unified)} cannot be changed here; it must find root by UUID"
        )
        cure = "Make the image anew with root=UUID= and console=ttyS0 if it does not start."
        checks.append(Check(item=ITEM, level=Level.WARNING, finding=finding, cure=cure))
    return checks


def _refusal(why: str, firmware: str, cure: str) -> UserError:
    return UserError(
        f"the copy is to start by {firmware}, and {why}",
        code="Guest.FirmwareUnsupported",
        hint=f"{cure} on the source and start the job again, or migrate to a target of the other firmware.",
    )
