"""What an operator may wish of the target disks, and what the destination can make."""

import msgspec

from smc.model.plan import IpMode


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Smallest and largest GiB of a disk that the destination makes."""

    system_gib: tuple[int, int] = (20, 2048)
    data_gib: tuple[int, int] = (1, 32768)

    def of(self, index: int) -> tuple[int, int]:
        return self.data_gib if index else self.system_gib


class PartWish(msgspec.Struct, frozen=True, kw_only=True):
    """A filesystem of the source, `<disk index>_<number>`; `size` in bytes, 0: what the planner finds best.

    A size that is the source's own says "as it is": the alignment may take up to `pieces.SLACK` of it, and
    the last filesystem of a larger disk still grows.
    """

    source: str
    size: int = 0


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """By disk index. A disk that is not named gets the default size and the filesystems that it has.

    A disk in `parts` gets exactly those, in that order. What is then on no disk is left out.
    """

    sizes_gib: dict[int, int] = {}
    parts: dict[int, tuple[PartWish, ...]] = {}
    leave_out: frozenset[int] = frozenset()  # data disks that shall not come along
    lvm: frozenset[int] = frozenset()  # disks that shall have a volume group (model/logical.py)
    excludes: tuple[str, ...] = ()
    ip_mode: IpMode = IpMode.DHCP
