"""Files beside fstab that name devices of the old machine: crypttab, LVM's list of devices, multipath."""

import re
from collections.abc import Sequence

from smc.guest.fstab import absent
from smc.guest.root import Root
from smc.guest.volumes import Volume
from smc.model.report import Check, Level

CRYPTTAB = "/etc/crypttab"
LVM_DEVICES = "/etc/lvm/devices"
LVM_SETTINGS = "/etc/lvm/lvm.conf"
LVM_FILTER = re.compile(r"^\s*(?:global_)?filter\s*=\s*\[(?P<rules>[^\]]*)\]", re.MULTILINE)
MULTIPATH = ("/etc/multipath/bindings", "/etc/multipath/wwids")
WHY_CRYPTTAB = "what it unlocks is not on the new machine, and a start would wait for it"
WHY_LVM = "lists the disks of the old machine; without it LVM looks at every disk"
WHY_MULTIPATH = "names disks of the old machine; made again by itself"


def forget(root: Root, volumes: Sequence[Volume]) -> list[Check]:
    for path in root.files(LVM_DEVICES, suffix=".devices"):
        root.remove(path, WHY_LVM)
    for path in MULTIPATH:
        root.remove(path, WHY_MULTIPATH)
    return [*_forget_locked(root, volumes), *_judge_filter(root)]


def _forget_locked(root: Root, volumes: Sequence[Volume]) -> list[Check]:
    text = root.read(CRYPTTAB)
    if text is None:
        return []
    lines, gone = [], []
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and not words[0].startswith("#") and absent(words[1], volumes):
            lines.append(f"#{line}")
            gone.append(words[0])
        else:
            lines.append(line)
    if not gone:
        return []
    root.write(CRYPTTAB, "\n".join(lines) + "\n", WHY_CRYPTTAB)
    finding = f"{', '.join(gone)} of /etc/crypttab: the copy is not encrypted there, or was not made"
    cure = "Encrypt the disk of the new machine in its cloud, if it has to be."
    return [Check(item="Encryption", level=Level.WARNING, finding=finding, cure=cure)]


def _judge_filter(root: Root) -> list[Check]:
    """A filter that admits some disks and rejects all others; nobody else can say what it is there for."""
    rules = [match["rules"] for match in LVM_FILTER.finditer(root.read(LVM_SETTINGS) or "")]
    closed = [rule for rule in rules if re.search(r"\"r[/|]\.\*", rule) and "/dev/vd" not in rule]
    if not closed or not any("a" in rule for rule in closed):
        return []
    finding = f"{LVM_SETTINGS} admits only {closed[0].strip()}, and the disks of the new machine are /dev/vd*"
    cure = 'Add "a|^/dev/vd.*|" to the filter on the source if volumes of LVM are missing on the new machine.'
    return [Check(item="LVM", level=Level.WARNING, finding=finding, cure=cure)]
