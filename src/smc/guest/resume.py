"""Resuming from hibernation: a start must not wait for a swap area that was not copied."""

import re
from collections.abc import Sequence

from smc.guest.fstab import FSTAB, Entry, absent
from smc.guest.initramfs_tools import tool_of
from smc.guest.root import Root
from smc.guest.volumes import Volume
from smc.model.disk import Role

RESUME = re.compile(r"^(RESUME=)(\S+)", re.MULTILINE)
WHY = "the swap area it named is not on the new machine"


def swap_remains(root: Root, volumes: Sequence[Volume]) -> bool:
    """Correct the setting that names a swap area; False when one was there on the source and is gone.

    The images hold the name too. They are not made anew for it: `noresume` on the kernel's command line has
    the same effect at once.
    """
    swaps = [volume for volume in volumes if volume.role is Role.SWAP]
    tool = tool_of(root)
    path = tool.resume if tool else ""
    text = (root.read(path) if path else "") or ""
    named = RESUME.search(text)
    lost = False
    if named and absent(named[2], volumes):
        lost = not swaps
        name = swaps[0].stable if len(swaps) == 1 else "none"
        root.write(path, RESUME.sub(rf"\g<1>{name}", text), WHY)
    entries = (Entry(line) for line in (root.read(FSTAB) or "").splitlines())
    gone = any(entry.real and entry.kind == "swap" and absent(entry.spec, volumes) for entry in entries)
    return not (lost or (gone and not swaps))
