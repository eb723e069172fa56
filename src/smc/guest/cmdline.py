"""The kernel's command line: what in it names the old machine, and what the new one needs.

One rule for every place that holds one: GRUB's settings, boot loader entries, the GRUB environment,
/etc/kernel/cmdline.
"""

import re
from collections.abc import Iterable, Sequence

from smc.guest.fstab import absent
from smc.guest.volumes import Volume
from smc.model.disk import Role

CONSOLES = ("console=tty0", "console=ttyS0,115200")  # the last one is /dev/console
NAMED = re.compile(r"(?P<key>root|resume)=(?P<name>\S+)")
STACKED = re.compile(
    r"rd\.(?:lvm\.(?:lv|vg)|luks\.(?:uuid|name|key|options)|md\.uuid)=\S+|cryptdevice=\S+"
    r"|netroot=\S+|rd\.iscsi\.\w+(?:=\S+)?"  # dracut.cmdline(7): a root that came over the network
)
LOGICAL_VOLUME = re.compile(r"rd\.lvm\.(?:lv=(?P<lv>[^/\s]+/\S+)|vg=(?P<vg>\S+))")


def names_old_machine(word: str, volumes: Sequence[Volume]) -> bool:
    """Whether a word leads to nothing that was copied: a start that waits for it waits in vain."""
    if named := NAMED.fullmatch(word):
        return absent(named["name"], volumes)
    if not STACKED.fullmatch(word):
        return False
    volume = LOGICAL_VOLUME.fullmatch(word)
    if volume is None:
        return True  # no encryption and no RAID is made at the destination
    names = {name for each in volumes for name in each.logical}
    return not (volume["lv"] in names or volume["vg"] in {name.split("/")[0] for name in names})


def without_old_machine(words: Iterable[str], volumes: Sequence[Volume]) -> list[str]:
    return [word for word in words if not names_old_machine(word, volumes)]


def adapted(words: Sequence[str], volumes: Sequence[Volume], *, resumes: bool) -> list[str]:
    """The command line of one kernel, complete: root= and resume= by stable names, a serial console."""
    swaps = [volume for volume in volumes if volume.role is Role.SWAP]
    found = []
    for word in words:
        named = NAMED.fullmatch(word)
        if word in unswitched([word], volumes):
            found += [f"root={volume.stable}" for volume in volumes if volume.mount_point == "/"]
        elif not names_old_machine(word, volumes):
            found.append(word)
        elif named and named["key"] == "root":
            found += [f"root={volume.stable}" for volume in volumes if volume.mount_point == "/"]
        elif named and len(swaps) == 1:
            found.append(f"resume={swaps[0].stable}")
    if not resumes and "noresume" not in found:
        found.append("noresume")
    return with_console(found)


def with_console(words: Sequence[str]) -> list[str]:
    if any(re.match(r"console=ttyS0\b", word) for word in words):
        return list(words)
    return [*words, *(word for word in CONSOLES if word not in words)]


def unswitched(words: Iterable[str], volumes: Sequence[Volume]) -> list[str]:
    """root= that leads to a logical volume by its content, which is not seen before it is switched on."""
    root = next((volume for volume in volumes if volume.mount_point == "/" and volume.mapped), None)
    named = [match for word in words if (match := NAMED.fullmatch(word)) and match["key"] == "root"]
    return [match[0] for match in named if root and match["name"] not in root.device_names]


def strangers(words: Iterable[str], volumes: Sequence[Volume]) -> list[str]:
    return sorted({word for word in words if names_old_machine(word, volumes)})
