"""The place of grub.cfg that grub-install builds into a loader which no package has signed.

It is `(PLACE)/boot/grub` in the loader's bytes. PLACE is a partition of the disk that the loader came from,
or an array, a logical volume or an encrypted disk by its UUID, as GRUB calls them (an array of Debian 13 was
seen so): that of the source, which is not there any more. Loaders of packages look beside themselves.
"""

import re
from collections.abc import Sequence

from smc.guest.volumes import Volume

PREFIX = re.compile(
    rb"\((?P<place>(?:mduuid|lvmid|cryptouuid)/[0-9A-Za-z/-]{32,}|,(?:gpt|msdos)(?P<number>\d+))\)/"
)


def place_in(loader: bytes) -> str:
    """ "" where none is built in."""
    match = PREFIX.search(loader)
    return match["place"].decode() if match else ""


def leads_elsewhere(loader: bytes, volumes: Sequence[Volume], esp: str) -> bool:
    """Whether it looks for grub.cfg in what was not copied; `esp` is where the loader's partition is mounted.

    On a logical volume it may lead: which one the UUIDs in it are of is not known here.
    """
    match = PREFIX.search(loader)
    home, start = holder(volumes), next((volume for volume in volumes if volume.mount_point == esp), None)
    if match is None or home is None:
        return False
    if match["number"] is None:
        return not (home.logical and match["place"].startswith(b"lvmid/"))
    same_disk = start is None or _disk_of(start) == _disk_of(home)
    return bool(home.logical) or not same_disk or int(match["number"]) != home.number


def holder(volumes: Sequence[Volume]) -> Volume | None:
    """The filesystem with /boot."""
    by_place = {volume.mount_point: volume for volume in volumes}
    return by_place.get("/boot") or by_place.get("/")


def _disk_of(volume: Volume) -> str:
    return str(volume.device).rstrip("0123456789")
