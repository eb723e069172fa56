"""What is mounted where, by the kernel's own list (proc(5), mountinfo)."""

import re
from collections.abc import Collection, Sequence

import msgspec

STORING = ("compress=", "compress-force=")
ESCAPE = re.compile(r"\\([0-7]{3})")


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    """`root` is the folder of the filesystem that is mounted: "/" unless it is a bind mount."""

    device: str  # major:minor
    root: str
    point: str
    options: str
    type: str
    source: str
    storing: str = ""  # of what the filesystem itself was told, how it stores files

    @property
    def subvolume(self) -> str | None:
        """Path of the subvolume of a btrfs that is mounted as a whole."""
        return self.root.strip("/") if self.type == "btrfs" else None


def parse(mountinfo: str) -> list[Mount]:
    """In the order of mounting."""
    found = []
    for line in mountinfo.splitlines():
        fields, _, rest = line.partition(" - ")
        words, tail = fields.split(" "), rest.split(" ")
        if len(words) >= 6 and len(tail) >= 2:
            found.append(
                Mount(
                    device=words[2],
                    root=_plain(words[3]),
                    point=_plain(words[4]),
                    options=words[5],
                    type=tail[0],
                    source=_plain(tail[1]),
                    storing=_storing(tail[2] if len(tail) > 2 else ""),
                )
            )
    return found


def main_mount(mounts: Sequence[Mount], device: str) -> Mount | None:
    """Where the whole filesystem of `device` is seen: not a bind mount of a part, the shortest path first."""
    whole = [mount for mount in mounts if mount.device == device and mount.root == "/"]
    return min(whole, key=lambda mount: (len(mount.point), mount.point), default=None)


def btrfs_mounts(mounts: Sequence[Mount], sources: Collection[str]) -> list[Mount]:
    """Of a btrfs, whose device numbers are its own: told by its device. The shortest path first."""
    found = [mount for mount in mounts if mount.type == "btrfs" and mount.source in sources]
    return sorted(found, key=lambda mount: (len(mount.point), mount.point))


def _storing(options: str) -> str:
    return ",".join(word for word in options.split(",") if word.startswith(STORING))


def _plain(word: str) -> str:
    return ESCAPE.sub(lambda match: chr(int(match[1], 8)), word)
