"""Why a copy does not come up, as its console tells: a table of what systems say, and what to do about it."""

import re
from typing import NamedTuple

TAIL = 64_000  # characters of the console that are looked at: an early trouble that passed is not the cause
LONGEST_LINE = 500  # characters of a line: `.*` over one line without end would hold up the whole center


class Cause(NamedTuple):
    """`lasting`: nothing comes after it by itself. `pattern` is looked for in single lines."""

    code: str
    pattern: re.Pattern[str]
    message: str
    hint: str
    lasting: bool = True


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))


DRIVERS = "Rebuild the initramfs of the source with virtio drivers in it, then migrate again."
CAUSES = (  # the first that is found counts: what comes earlier explains what comes later
    Cause(
        "Boot.NoRootDevice",
        _any(
            r"VFS: (?:Cannot open root device|Unable to mount root fs)",
            r"ALERT!\s+\S+ does not exist",
            r"Gave up waiting for (?:root|suspend/resume) (?:file system )?device",
            r"Kernel panic.*Unable to mount root",
            r"cannot open root device",
        ),
        "The kernel started and did not find its root filesystem.",
        "See that /etc/fstab and the boot loader name the root by its UUID. " + DRIVERS,
    ),
    Cause(
        "Boot.DracutTimeout",
        _any(
            r"dracut-initqueue.*(?:timeout|Timed out|Could not boot)",
            r"Warning: /dev/\S+ does not exist",
            r"Entering emergency mode.*dracut",
            r"dracut:/#",
        ),
        "The initramfs (dracut) waited for a disk that did not come.",
        "Build it with `dracut --no-hostonly --force` on the source, for all drivers, then migrate again.",
    ),
    Cause(
        "Boot.KernelPanic",
        _any(r"Kernel panic - not syncing", r"end Kernel panic"),
        "The kernel panicked.",
        "The console has the reason above its last lines. Try a newer kernel on the source.",
    ),
    Cause(
        "Boot.GrubRescue",
        _any(r"grub rescue>"),
        "GRUB started and did not find its own files.",
        "Reinstall GRUB on the source (grub-install, update-grub), then migrate again.",
    ),
    Cause(
        "Boot.GrubPrompt",
        _any(r"^\s*grub>", r"Minimal BASH-like line editing"),
        "GRUB started without a configuration.",
        "See that the source has grub.cfg where its boot loader looks for it, then migrate again.",
    ),
    Cause(
        "Boot.NoBootDevice",
        _any(r"No bootable device", r"Boot failed: not a bootable disk", r"BdsDxe: No bootable option"),
        "The firmware found nothing to start on the system disk.",
        "Check the boot mode of the image (BIOS or UEFI) and the boot loader of the source.",
    ),
    Cause(
        "Boot.FsckWanted",
        _any(
            r"UNEXPECTED INCONSISTENCY; RUN fsck MANUALLY",
            r"The root filesystem on \S+ requires a manual fsck",
            r"fsck failed with exit (?:code|status) [4-9]",
            r"Failed to start File System Check on",
        ),
        "A filesystem of the copy is not clean, and the system asks for a check by hand.",
        "Check the source's filesystem (fsck on an unmounted copy), then migrate again.",
    ),
    Cause(
        "Boot.EmergencyMode",
        _any(
            r"You are in (?:emergency|rescue) mode",
            r"Welcome to emergency mode",
            r"Cannot open access to console, the root account is locked",
            r"Give root password for maintenance",
            r"Started .{0,8}Emergency Shell",
        ),
        "The system stopped in emergency mode: a filesystem or a needed service did not come up.",
        "The console names the unit that failed. Correct /etc/fstab on the source, or say `nofail` there.",
    ),
    Cause(
        "Boot.InitramfsShell",
        _any(r"^\(initramfs\)", r"BusyBox v[\d.]+ .*built-in shell"),
        "The system stopped in the shell of its initramfs.",
        "The lines above it say what was missing. " + DRIVERS,
    ),
    Cause(
        "Boot.CloudInitWaiting",
        _any(
            r"url_helper\.py\[WARNING\]: Calling 'http://169\.254\.169\.254",
            r"Cloud-init .* waiting for .*metadata",
            r"DataSource\w+.*\[WARNING\].*(?:giving up|Giving up)",
            r"cloud-init.*No instance datasource found",
        ),
        "cloud-init is waiting for a metadata service that is not there.",
        "Give it more time, or name the source's data sources in /etc/cloud/cloud.cfg.d (datasource_list).",
        lasting=False,
    ),
    Cause(
        "Boot.NetworkWaiting",
        _any(
            r"A start job is running for (?:Wait for Network|Raise network interfaces|Network Manager Wait)",
            r"Failed to start (?:Raise network interfaces|Network (?:Service|Manager)|LSB: Bring up/down)",
        ),
        "The system waits for its network.",
        "Check the names of its network cards and whether it takes its address by DHCP (IpMode).",
        lasting=False,
    ),
    Cause(
        "Boot.GrubError",
        _any(r"error: (?:no such (?:device|partition)|unknown filesystem|(?:symbol|file) .* not found)"),
        "GRUB complained, and nothing of what came after it is known.",
        "Run update-grub (grub2-mkconfig) on the source, then migrate again.",
        lasting=False,  # it often goes on by another way
    ),
)
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|[\x00-\x08\x0b-\x1f\x7f]")


def plain(console: str) -> str:
    """Without the terminal's colours and movements."""
    return _ESCAPES.sub("", console.replace("\r", "\n"))


def cause_of(console: str) -> Cause | None:
    """None when nothing in it is known."""
    lines = [line[:LONGEST_LINE] for line in plain(console)[-TAIL:].splitlines()]
    for cause in CAUSES:
        if any(cause.pattern.search(line) for line in lines):
            return cause
    return None
