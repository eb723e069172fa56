"""GRUB 2 on the new machine, with a serial console, by the guest's own tools.

The settings are edited as an administrator would, then the guest's own grub-mkconfig writes grub.cfg: what
it says is what the guest's next kernel upgrade will say again. grub.cfg is made anew only where the
settings or a name in it ask for it; on failure the old one and the old settings stay.
"""

import re
from collections.abc import Sequence

from smc.base.errors import CommandFailed
from smc.guest import cmdline, efi, loader_entries
from smc.guest.detect import Kernel, System
from smc.guest.efi import Esp
from smc.guest.enter import Guest
from smc.guest.families import Grub
from smc.guest.fstab import absent
from smc.guest.root import Root
from smc.guest.settings import Settings
from smc.guest.volumes import SYSTEM_DISK, Volume
from smc.guest.watch import watched
from smc.model.report import Check, Level
from smc.model.server import Firmware

ITEM = "GUESTOS.Grub"
BIOS_TARGET = "i386-pc"
TOOL_SECONDS = 1200.0  # 2 s natively; an emulated intermediate instance is up to 100 times slower
SERIAL_COMMAND = "serial --speed=115200 --unit=0 --word=8 --parity=no --stop=1"
WHY_CONSOLE = "a serial console, which the cloud can show"
WHY_INSTALL = "GRUB installed on the new boot disk"
WHY_CONFIGURE = "made anew by the guest's own grub-mkconfig"
COMMAND_LINES = ("GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT")
BOOT_SIGNATURE = b"\x55\xaa"
DEBCONF = "/var/cache/debconf/config.dat"
DEBCONF_DISKS = ("grub-pc/install_devices", "grub-pc/install_devices_disks_changed")
DEBCONF_ESPS = ("grub-efi/install_devices", "grub-efi/install_devices_disks_changed")
INSTALL_DEVICE = "/etc/default/grub_installdevice"  # of SUSE
BY_UUID = ("GRUB_DISABLE_LINUX_UUID", "GRUB_DISABLE_UUID")  # true: names of devices instead
NAMED = re.compile(r"(?:root|resume)=(\S+)")
SEARCHED = re.compile(r"search .*--fs-uuid.* ([0-9A-Fa-f][0-9A-Fa-f-]{7,})\s*$", re.MULTILINE)


def set_up(
    root: Root,
    system: System,
    guest: Guest,
    *,
    volumes: Sequence[Volume],
    resumes: bool,
    esp: Esp | None,
    instead: Kernel | None = None,
) -> list[Check]:
    """Settings, grub.cfg, loader.

    `resumes` False: the swap to resume from is gone; `esp` for UEFI; `instead`: the kernel that starts.
    """
    grub = system.family.grub
    _forget_old_disks(root, grub, volumes, esp)
    before = {path: root.read(path) for path in _files(root, grub)}
    settings = Settings(root, grub.settings)
    _edit(settings, volumes)
    if not resumes and "noresume" not in (settings.get(COMMAND_LINES[0]) or "").split():
        words = [settings.get(COMMAND_LINES[0]) or "", "noresume"]
        settings.set(COMMAND_LINES[0], " ".join(words).strip(), "the swap to resume from was not copied")
    warnings = []
    cfg = cfg_of(root, grub, esp)
    if instead:
        _prefer(root, settings, cfg, instead, volumes)
    edited = any(root.read(path) != text for path, text in before.items())
    if edited or _outdated(root, cfg, volumes):
        warnings = _configure(root, grub, guest, cfg, before)
    loader_entries.adapt(root, volumes, resumes=resumes)
    failed = efi.install(root, system, guest, esp, volumes) if esp else _install(root, grub, guest)
    return warnings + (failed or judge(root, grub, guest, volumes, esp))


def cfg_of(root: Root, grub: Grub, esp: Esp | None) -> str:
    """The grub.cfg that GRUB reads; in the ESP where that one is whole (RHEL 7 and 8 by UEFI), not a stub."""
    base = root.located(f"{esp.folder}/EFI") if esp else ""
    for folder in root.files(base) if esp else ():
        path = root.located(f"{folder}/grub.cfg")
        text = root.read(path)
        if text and efi.MENU.search(text):
            return path
    return f"{grub.folder}/grub.cfg"


def can_install(root: Root, grub: Grub) -> bool:
    """Whether GRUB for BIOS is there."""
    return any(root.is_folder(folder.format(target=BIOS_TARGET)) for folder in grub.modules)


def judge(root: Root, grub: Grub, guest: Guest, volumes: Sequence[Volume], esp: Esp | None) -> list[Check]:
    """The loader is there, grub.cfg is a script GRUB can read, and nothing names what was not copied."""
    cfg = cfg_of(root, grub, esp)
    problems = efi.problems(root, esp, volumes) if esp else _sector_problems(guest)
    try:
        guest(*grub.check, cfg, timeout=TOOL_SECONDS)
    except CommandFailed as e:
        problems.append(f"{cfg} is not valid: {e.hint}")
    text = root.read(cfg) or ""
    problems += [f"{cfg} names {name}, which was not copied" for name in _strangers(text, volumes)]
    problems += [f"{cfg} has {word}, which is no logical volume" for word in _unswitched(text, volumes)]
    problems += loader_entries.strangers(root, volumes)
    if problems:
        cure = f"Run `{grub.remake}` on the source, look at what it prints, and start the job again."
        return [Check(item=ITEM, level=Level.CRITICAL, finding="; ".join(problems), cure=cure)]
    where = f"{esp.fallback} starts without boot entries" if esp else "installed on the boot disk"
    mapped = next((volume.mapped for volume in volumes if volume.mount_point == "/"), "")
    finding = f"{where}; {cfg} finds {f'the root at {mapped}' if mapped else 'everything by UUID'}"
    checks = [Check(item=ITEM, level=Level.PASSED, finding=finding)]
    if not _has_console(root, text):
        cure = f"Add console=ttyS0,115200 to GRUB_CMDLINE_LINUX and run `{grub.remake}` on the new machine."
        finding = f"{cfg} has no serial console, so the cloud shows no console output"
        checks.append(Check(item=ITEM, level=Level.WARNING, finding=finding, cure=cure))
    return checks


def _sector_problems(guest: Guest) -> list[str]:
    with guest.copy.boot_disk.open("rb") as disk:
        sector = disk.read(512)
    if sector[510:] != BOOT_SIGNATURE or b"GRUB" not in sector:
        return ["the boot disk has no GRUB boot sector"]
    return []


def _has_console(root: Root, cfg: str) -> bool:
    return "console=ttyS0" in cfg or ("blscfg" in cfg and loader_entries.has_console(root))


def _files(root: Root, grub: Grub) -> list[str]:
    return [
        file
        for path in grub.settings
        for file in (root.files(path, suffix=".cfg") if root.is_folder(path) else [path])
    ]


def _forget_old_disks(root: Root, grub: Grub, volumes: Sequence[Volume], esp: Esp | None) -> None:
    """device.map and debconf name old disks: grub-install, then the next upgrade of GRUB, would fail."""
    root.remove(f"{grub.folder}/device.map", "names disks of the old machine; not needed")
    text = root.read(INSTALL_DEVICE)
    if text is not None and not esp:
        why = f"the next upgrade of GRUB installs it on {SYSTEM_DISK}; the old disk is not there"
        root.write(INSTALL_DEVICE, re.sub(r"^/dev/\S+$", SYSTEM_DISK, text, flags=re.MULTILINE), why)
    text = root.read(DEBCONF)
    if text is None:
        return
    answers = dict.fromkeys(DEBCONF_DISKS, SYSTEM_DISK)
    for volume in volumes:
        if esp and volume.mount_point == esp.folder:
            answers |= dict.fromkeys(DEBCONF_ESPS, f"/dev/disk/by-uuid/{volume.uuid}")
    why = f"the next upgrade of GRUB installs it on {SYSTEM_DISK}; the old disk is not there"
    root.write(DEBCONF, "\n\n".join(_stanza(stanza, answers) for stanza in text.split("\n\n")), why)


def _stanza(stanza: str, answers: dict[str, str]) -> str:
    name = re.match(r"\n*Name: (\S+)", stanza)
    if name is None or name[1] not in answers:
        return stanza
    return re.sub(r"^Value: /dev/.*$", f"Value: {answers[name[1]]}", stanza, flags=re.MULTILINE)


def _edit(settings: Settings, volumes: Sequence[Volume]) -> None:
    for key in COMMAND_LINES:
        words = (settings.get(key) or "").split()
        kept = cmdline.without_old_machine(words, volumes)
        if kept != words:
            settings.set(
                key, " ".join(kept), "names a disk of the old machine; GRUB adds root= by UUID itself"
            )
    lines = " ".join(settings.get(key) or "" for key in COMMAND_LINES)
    if not re.search(r"\bconsole=ttyS0\b", lines):
        present = (settings.get(COMMAND_LINES[0]) or "").split()
        settings.set(COMMAND_LINES[0], " ".join(cmdline.with_console(present)), WHY_CONSOLE)
    if not any(settings.get(f"GRUB_TERMINAL{kind}") for kind in ("", "_INPUT", "_OUTPUT")):
        settings.set("GRUB_TERMINAL", "console serial", WHY_CONSOLE)
        if not settings.get("GRUB_SERIAL_COMMAND"):
            settings.set("GRUB_SERIAL_COMMAND", SERIAL_COMMAND, WHY_CONSOLE)
    forced = settings.get("GRUB_FORCE_PARTUUID")
    if forced and absent(f"PARTUUID={forced}", volumes):
        found = next((volume.part_uuid for volume in volumes if volume.mount_point == "/"), "")
        settings.set("GRUB_FORCE_PARTUUID", found, "the root filesystem lies in another partition now")
    mapped = next((volume.mapped for volume in volumes if volume.mount_point == "/"), "")
    if mapped:
        # as grub-mkconfig does it by itself where it can ask device-mapper, which it cannot here
        why = f"the root filesystem is the logical volume {mapped}, which is switched on by its name"
        settings.set(BY_UUID[0], "true", why)
    for key in BY_UUID if not mapped else BY_UUID[1:]:
        if settings.get(key) == "true":
            settings.set(key, "false", "device names change with the machine, UUIDs do not")


def _prefer(root: Root, settings: Settings, cfg: str, kernel: Kernel, volumes: Sequence[Volume]) -> None:
    """By the id that grub-mkconfig gives a kernel's entry, or, with loader entries, in the environment."""
    why = f"a newer kernel cannot start on the new machine, {kernel.version} can"
    if "blscfg" in (root.read(cfg) or ""):
        settings.set("GRUB_DEFAULT", "saved", why)
        loader_entries.prefer(root, kernel)
        return
    home = next((volume.uuid for volume in volumes if volume.mount_point == "/"), "")
    entry = f"gnulinux-{kernel.version}-advanced-{home}"
    flat = settings.get("GRUB_DISABLE_SUBMENU") in {"y", "true"}
    settings.set("GRUB_DEFAULT", entry if flat else f"gnulinux-advanced-{home}>{entry}", why)


def _outdated(root: Root, cfg: str, volumes: Sequence[Volume]) -> bool:
    text = root.read(cfg) or ""
    bls = "blscfg" in text
    return (not bls and "console=ttyS0" not in text) or bool(
        _strangers(text, volumes) or _unswitched(text, volumes)
    )


def strangers(root: Root, grub: Grub, volumes: Sequence[Volume]) -> list[str]:
    """What grub.cfg and boot loader entries name that is not there."""
    text = root.read(f"{grub.folder}/grub.cfg") or ""
    return [*_strangers(text, volumes), *loader_entries.strangers(root, volumes)]


def _strangers(text: str, volumes: Sequence[Volume]) -> list[str]:
    """What grub.cfg names and was not copied."""
    commands = "\n".join(line for line in text.splitlines() if line.lstrip().startswith(("linux", "search")))
    uuids = {volume.uuid for volume in volumes}
    found = [name for name in NAMED.findall(commands) if absent(name, volumes)]
    found += [uuid for uuid in SEARCHED.findall(commands) if uuid not in uuids]
    return sorted(set(found))


def _unswitched(text: str, volumes: Sequence[Volume]) -> list[str]:
    lines = [line for line in text.splitlines() if line.lstrip().startswith("linux")]
    return cmdline.unswitched([word for line in lines for word in line.split()], volumes)


def _configure(root: Root, grub: Grub, guest: Guest, cfg: str, before: dict[str, str | None]) -> list[Check]:
    try:
        with watched(root, [grub.folder], WHY_CONFIGURE):
            guest(*grub.configure, cfg, timeout=TOOL_SECONDS)
    except CommandFailed as e:
        for path, text in before.items():
            if text is not None:
                root.write(path, text, "put back, because grub.cfg could not be made")
        finding = f"grub.cfg could not be made anew and stays as it was: {e.message}: {e.hint}"
        cure = f"Run `{grub.remake}` on the source and start the job again."
        return [Check(item=ITEM, level=Level.WARNING, finding=finding, cure=cure)]
    return []


def _install(root: Root, grub: Grub, guest: Guest) -> list[Check]:
    try:
        with watched(root, [grub.folder], WHY_INSTALL):
            guest(*grub.install, SYSTEM_DISK, timeout=TOOL_SECONDS)
    except CommandFailed as e:
        cure = f"Reinstall the package {grub.packages[Firmware.BIOS]} on the source and start the job again."
        finding = f"GRUB could not be installed on the boot disk: {e.message}: {e.hint}"
        return [Check(item=ITEM, level=Level.CRITICAL, finding=finding, cure=cure)]
    return []
