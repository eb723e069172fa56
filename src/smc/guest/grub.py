"""GRUB for BIOS on the new boot disk, with a serial console, by the guest's own tools.

The settings are edited as an administrator would, then the guest's own grub-mkconfig writes grub.cfg: what
it says is what the guest's next kernel upgrade will say again. grub.cfg is made anew only where the
settings or a name in it ask for it; on failure the old one and the old settings stay.
"""

import re
from collections.abc import Sequence

from smc.base.errors import CommandFailed
from smc.guest.detect import System
from smc.guest.enter import Guest
from smc.guest.families import Grub
from smc.guest.fstab import absent
from smc.guest.root import Root
from smc.guest.settings import Settings
from smc.guest.volumes import SYSTEM_DISK, Volume
from smc.guest.watch import watched
from smc.model.report import Check, Level

ITEM = "GUESTOS.Grub"
TOOL_SECONDS = 1200.0  # 2 s natively; an emulated intermediate instance is up to 100 times slower
CONSOLES = ("console=tty0", "console=ttyS0,115200")  # the last one is /dev/console
SERIAL_COMMAND = "serial --speed=115200 --unit=0 --word=8 --parity=no --stop=1"
WHY_CONSOLE = "a serial console, which the cloud can show"
WHY_INSTALL = "GRUB installed on the new boot disk"
WHY_CONFIGURE = "made anew by the guest's own grub-mkconfig"
COMMAND_LINES = ("GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT")
BOOT_SIGNATURE = b"\x55\xaa"
DEBCONF = "/var/cache/debconf/config.dat"
DEBCONF_NAMES = ("grub-pc/install_devices", "grub-pc/install_devices_disks_changed")
NAMED = re.compile(r"(?:root|resume)=(\S+)")
SEARCHED = re.compile(r"search .*--fs-uuid.* ([0-9A-Fa-f][0-9A-Fa-f-]{7,})\s*$", re.MULTILINE)


def set_up(
    root: Root, system: System, guest: Guest, *, volumes: Sequence[Volume], resumes: bool
) -> list[Check]:
    """Settings, grub.cfg, boot sector; `resumes` False: the swap to resume from is gone."""
    grub = system.family.grub
    _forget_old_disks(root, grub)
    before = {path: root.read(path) for path in _files(root, grub)}
    settings = Settings(root, grub.settings)
    _edit(settings, volumes)
    if not resumes and "noresume" not in (settings.get(COMMAND_LINES[0]) or "").split():
        words = [settings.get(COMMAND_LINES[0]) or "", "noresume"]
        settings.set(COMMAND_LINES[0], " ".join(words).strip(), "the swap to resume from was not copied")
    warnings = []
    if _outdated(root, grub, volumes, edited=any(root.read(path) != text for path, text in before.items())):
        warnings = _configure(root, grub, guest, before)
    return warnings + (_install(root, grub, guest) or judge(root, grub, guest, volumes))


def judge(root: Root, grub: Grub, guest: Guest, volumes: Sequence[Volume]) -> list[Check]:
    """The boot sector is there, grub.cfg is a script GRUB can read, and it names only what was copied."""
    cfg = f"{grub.folder}/grub.cfg"
    problems = []
    with guest.copy.boot_disk.open("rb") as disk:
        sector = disk.read(512)
    if sector[510:] != BOOT_SIGNATURE or b"GRUB" not in sector:
        problems.append("the boot disk has no GRUB boot sector")
    try:
        guest(*grub.check, cfg, timeout=TOOL_SECONDS)
    except CommandFailed as e:
        problems.append(f"{cfg} is not valid: {e.hint}")
    text = root.read(cfg) or ""
    problems += [f"{cfg} names {name}, which was not copied" for name in _strangers(text, volumes)]
    if problems:
        cure = "Run update-grub on the source, look at what it prints, and start the job again."
        return [Check(item=ITEM, level=Level.CRITICAL, finding="; ".join(problems), cure=cure)]
    finding = f"installed on the boot disk; {cfg} finds everything by UUID"
    checks = [Check(item=ITEM, level=Level.PASSED, finding=finding)]
    if "console=ttyS0" not in text:
        cure = "Add console=ttyS0,115200 to GRUB_CMDLINE_LINUX and run update-grub on the new machine."
        finding = f"{cfg} has no serial console, so the cloud shows no console output"
        checks.append(Check(item=ITEM, level=Level.WARNING, finding=finding, cure=cure))
    return checks


def _files(root: Root, grub: Grub) -> list[str]:
    return [
        file
        for path in grub.settings
        for file in (root.files(path, suffix=".cfg") if root.is_folder(path) else [path])
    ]


def _forget_old_disks(root: Root, grub: Grub) -> None:
    """device.map and debconf name old disks: grub-install, then the next upgrade of GRUB, would fail."""
    root.remove(f"{grub.folder}/device.map", "names disks of the old machine; not needed")
    text = root.read(DEBCONF)
    if text is not None:
        why = f"the next upgrade of GRUB installs it on {SYSTEM_DISK}; the old disk is not there"
        root.write(DEBCONF, "\n\n".join(_stanza(stanza) for stanza in text.split("\n\n")), why)


def _stanza(stanza: str) -> str:
    name = re.match(r"\n*Name: (\S+)", stanza)
    if name is None or name[1] not in DEBCONF_NAMES:
        return stanza
    return re.sub(r"^Value: /dev/.*$", f"Value: {SYSTEM_DISK}", stanza, flags=re.MULTILINE)


def _edit(settings: Settings, volumes: Sequence[Volume]) -> None:
    for key in COMMAND_LINES:
        words = (settings.get(key) or "").split()
        kept = [word for word in words if not _names_old_disk(word, volumes)]
        if kept != words:
            settings.set(
                key, " ".join(kept), "names a disk of the old machine; GRUB adds root= by UUID itself"
            )
    lines = " ".join(settings.get(key) or "" for key in COMMAND_LINES)
    if not re.search(r"\bconsole=ttyS0\b", lines):
        present = (settings.get(COMMAND_LINES[0]) or "").split()
        added = [word for word in CONSOLES if word not in present]
        settings.set(COMMAND_LINES[0], " ".join([*present, *added]), WHY_CONSOLE)
    if not any(settings.get(f"GRUB_TERMINAL{kind}") for kind in ("", "_INPUT", "_OUTPUT")):
        settings.set("GRUB_TERMINAL", "console serial", WHY_CONSOLE)
        if not settings.get("GRUB_SERIAL_COMMAND"):
            settings.set("GRUB_SERIAL_COMMAND", SERIAL_COMMAND, WHY_CONSOLE)
    if settings.get("GRUB_DISABLE_LINUX_UUID") == "true":
        settings.set("GRUB_DISABLE_LINUX_UUID", "false", "device names change with the machine, UUIDs do not")


def _names_old_disk(word: str, volumes: Sequence[Volume]) -> bool:
    named = NAMED.fullmatch(word)
    return named is not None and absent(named[1], volumes)


def _outdated(root: Root, grub: Grub, volumes: Sequence[Volume], *, edited: bool) -> bool:
    text = root.read(f"{grub.folder}/grub.cfg") or ""
    return edited or "console=ttyS0" not in text or bool(_strangers(text, volumes))


def _strangers(text: str, volumes: Sequence[Volume]) -> list[str]:
    """What grub.cfg names and was not copied."""
    commands = "\n".join(line for line in text.splitlines() if line.lstrip().startswith(("linux", "search")))
    uuids = {volume.uuid for volume in volumes}
    found = [name for name in NAMED.findall(commands) if absent(name, volumes)]
    found += [uuid for uuid in SEARCHED.findall(commands) if uuid not in uuids]
    return sorted(set(found))


def _configure(root: Root, grub: Grub, guest: Guest, before: dict[str, str | None]) -> list[Check]:
    try:
        with watched(root, [grub.folder], WHY_CONFIGURE):
            guest(*grub.configure, timeout=TOOL_SECONDS)
    except CommandFailed as e:
        for path, text in before.items():
            if text is not None:
                root.write(path, text, "put back, because grub.cfg could not be made")
        finding = f"grub.cfg could not be made anew and stays as it was: {e.message}: {e.hint}"
        cure = "Run update-grub on the source and start the job again."
        return [Check(item=ITEM, level=Level.WARNING, finding=finding, cure=cure)]
    return []


def _install(root: Root, grub: Grub, guest: Guest) -> list[Check]:
    if not root.is_folder(grub.modules):
        cure = f"Install the package {grub.package} on the source and start the job again."
        return [Check(item=ITEM, level=Level.CRITICAL, finding="GRUB for BIOS is not installed", cure=cure)]
    try:
        with watched(root, [grub.folder], WHY_INSTALL):
            guest(*grub.install, SYSTEM_DISK, timeout=TOOL_SECONDS)
    except CommandFailed as e:
        cure = f"Reinstall the package {grub.package} on the source and start the job again."
        finding = f"GRUB could not be installed on the boot disk: {e.message}: {e.hint}"
        return [Check(item=ITEM, level=Level.CRITICAL, finding=finding, cure=cure)]
    return []
