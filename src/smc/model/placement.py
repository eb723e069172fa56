"""Which piece of a source comes on which target disk, and how large each disk is.

What was wished for goes first. A disk whose size does not take what is on it gives mount points away, the
largest first, to disks that have room: none that the system needs, and none that was put there by a wish.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from smc.base.errors import UserError
from smc.base.units import GIB, MIB, gib_rounded_up, readable_size
from smc.model.disk import Disk, Role, Table
from smc.model.logical import EXTENT, GROUP_BYTES, may_be_volume
from smc.model.pieces import SLACK, Piece, Want, want
from smc.model.tables import ALIGNMENT, frame_bytes, table_of
from smc.model.wishes import Limits, Wishes

VOLUME_SLACK = 3 * SLACK  # that a group fits where the partitions were: its own 4 MiB, and whole extents


@dataclass(frozen=True)
class Shelf:
    """A target disk with its pieces in their order; `taken` are those of other disks."""

    disk: Disk
    pieces: tuple[Piece, ...]
    chosen: bool = False  # whether a wish says what is on it
    gib: int = 0
    lvm: bool = False

    def table(self, size: int) -> Table:
        found = table_of(self.disk, self.plain, size)
        return Table.GPT if found is Table.NONE and self.plain and self.volumes else found

    def frame(self, size: int) -> int:
        """Bytes of a disk of that size that no partition and no logical volume gets."""
        group = bool(self.volumes)
        return frame_bytes(self.table(size), len(self.plain) + group) + group * GROUP_BYTES

    def whole(self, piece: Piece, size: int) -> int:
        """Rounded up to what a partition, or a logical volume, is made of."""
        unit = self.unit(piece)
        return -(-size // unit) * unit

    def unit(self, piece: Piece) -> int:
        return EXTENT if self.is_volume(piece) else MIB

    def is_volume(self, piece: Piece) -> bool:
        return self.lvm and may_be_volume(piece.target.role, piece.mount_point)

    @property
    def plain(self) -> list[Piece]:
        return [piece for piece in self.pieces if not self.is_volume(piece)]

    @property
    def volumes(self) -> list[Piece]:
        return [piece for piece in self.pieces if self.is_volume(piece)]

    @property
    def mounts(self) -> list[Piece]:
        return [piece for piece in self.pieces if piece.filesystem]

    @property
    def taken(self) -> list[Piece]:
        return [piece for piece in self.pieces if piece.disk != self.disk.index]


@dataclass(frozen=True)
class Arranged:
    """`moves`: pieces that went to another disk than was wished, because of the sizes."""

    shelves: tuple[Shelf, ...]
    wants: Mapping[str, Want]
    moves: tuple[tuple[Piece, Shelf, Shelf], ...] = field(default=())


def arrange(shelves: Sequence[Shelf], wishes: Wishes, limits: Limits) -> Arranged:
    """Raises `UserError` (`Disk.*`, `Part.*`), with a size that works where there is one."""
    sizes = {part.source: part.size for parts in wishes.parts.values() for part in parts}
    wants = {
        piece.key: want(piece, sizes.get(piece.key, 0), VOLUME_SLACK if shelf.is_volume(piece) else SLACK)
        for shelf in shelves
        for piece in shelf.pieces
    }
    return _fitted(shelves, wants, wishes.sizes_gib, limits)


def needed_gib(shelf: Shelf, wants: Mapping[str, Want]) -> int:
    return _enough(shelf, _floors(shelf, wants))


def _floors(shelf: Shelf, wants: Mapping[str, Want]) -> int:
    return sum(shelf.whole(piece, wants[piece.key].floor) for piece in shelf.pieces)


def _enough(shelf: Shelf, size: int) -> int:
    """GiB of a disk whose partitions take so many bytes."""
    gib = gib_rounded_up(size)
    while size + shelf.frame(gib * GIB) > gib * GIB:
        gib += 1
    return gib


def chosen(
    found: Mapping[int, Sequence[Piece]], disks: Sequence[Disk], wishes: Wishes, groups: Collection[int]
) -> list[Shelf]:
    """`groups`: disks that get LVM.

    Raises `UserError` (`Disk.Needed`, `Disk.PartNotFound`, `Disk.PartTwice`).
    """
    parts = {index: [part.source for part in wished] for index, wished in wishes.parts.items()}
    parts |= {index: [] for index in wishes.leave_out}
    by_key = {piece.key: piece for pieces in found.values() for piece in pieces if piece.filesystem}
    elsewhere = {source: index for index, sources in parts.items() for source in sources}
    _check_parts(by_key, parts, elsewhere)
    shelves = []
    for disk in disks:
        own = found.get(disk.index, ())
        if disk.index in parts:
            pieces = [
                *(piece for piece in own if not piece.filesystem and piece.target.role is not Role.SWAP),
                *(by_key[source] for source in parts[disk.index]),
                *(piece for piece in own if piece.target.role is Role.SWAP),
            ]
        else:
            pieces = [piece for piece in own if elsewhere.get(piece.key, disk.index) == disk.index]
        is_chosen, lvm = disk.index in wishes.parts, disk.index in groups
        shelves.append(Shelf(disk=disk, pieces=tuple(pieces), chosen=is_chosen, lvm=lvm))
    return shelves


def _check_parts(
    by_key: Mapping[str, Piece], parts: Mapping[int, Sequence[str]], elsewhere: Mapping[str, int]
) -> None:
    named_parts = [source for sources in parts.values() for source in sources]
    for source in named_parts:
        if source not in by_key:
            raise UserError(
                f"the source has no mounted filesystem {source}",
                code="Disk.PartNotFound",
                hint=f"It has {', '.join(f'{key} ({piece.mount_point})' for key, piece in by_key.items())}.",
            )
        if named_parts.count(source) > 1:
            raise UserError(
                f"{by_key[source].mount_point} is named twice",
                code="Disk.PartTwice",
                hint="Name each mount point once.",
            )
    for key, piece in by_key.items():
        if not piece.is_fixed or (elsewhere.get(key, piece.disk) == piece.disk and key in elsewhere):
            continue
        if piece.disk in parts or key in elsewhere:
            how = f"moved to disk {elsewhere[key]}" if key in elsewhere else "left out"
            raise UserError(
                f"{piece.mount_point} cannot be {how}: the system needs it on disk {piece.disk}",
                code="Disk.Needed",
                hint=f"Keep {piece.mount_point} on disk {piece.disk}; data disks without such mount points"
                " can be left out.",
            )


def _fitted(
    shelves: Sequence[Shelf], wants: Mapping[str, Want], sizes: Mapping[int, int], limits: Limits
) -> Arranged:
    done = {shelf.disk.index: _sized(shelf, wants, sizes, limits) for shelf in shelves if shelf.mounts}
    short = {index for index, shelf in done.items() if needed_gib(shelf, wants) > shelf.gib}
    moves: list[tuple[Piece, Shelf, Shelf]] = []
    for index, giving in done.items():
        low, high = limits.of(index)
        offers = _offers(giving, done, short, wants) if index in short else []
        kept = _without(giving, [piece for piece, _ in offers])
        smallest = max(needed_gib(kept, wants), low)
        if smallest > high:
            raise _too_much(giving, smallest, high)
        if giving.gib < smallest:
            raise _too_small(giving, smallest)
        for piece, receiver in offers:
            if needed_gib(done[index], wants) <= giving.gib:
                break
            taking = done[receiver]
            moves.append((piece, giving, taking))
            done[index] = _without(done[index], [piece])
            done[receiver] = replace(taking, pieces=(*taking.pieces, piece))
    return Arranged(shelves=tuple(done.values()), wants=wants, moves=tuple(moves))


def _sized(shelf: Shelf, wants: Mapping[str, Want], sizes: Mapping[int, int], limits: Limits) -> Shelf:
    low, high = limits.of(shelf.disk.index)
    needed = max(needed_gib(shelf, wants), low)
    wish = sizes.get(shelf.disk.index)
    if wish is None:
        return replace(shelf, gib=min(max(_default_gib(shelf, wants), needed), high))
    if wish > high:
        raise UserError(
            f"{wish} GiB is too large for disk {shelf.disk.index} ({shelf.disk.path}):"
            f" the destination makes at most {high} GiB",
            code="Disk.TooLarge",
            hint=f"Ask for {min(needed, high)} to {high} GiB.",
        )
    return replace(shelf, gib=wish)


def _default_gib(shelf: Shelf, wants: Mapping[str, Want]) -> int:
    """The source's size; more where a wish brings something from another disk, or a larger size."""
    own = gib_rounded_up(shelf.disk.size)
    if not shelf.taken and not any(wants[piece.key].exact for piece in shelf.pieces if piece.filesystem):
        return own
    sizes = sum(shelf.whole(piece, wants[piece.key].size) for piece in shelf.pieces)
    return max(own, _enough(shelf, sizes))


def _offers(
    giving: Shelf, shelves: Mapping[int, Shelf], short: Collection[int], wants: Mapping[str, Want]
) -> list[tuple[Piece, int]]:
    """What can go, the largest first, each with the disk that then has the most room.

    The offers do not depend on the size of the disk that gives: so the smallest size that works is the one
    at which all of them are taken.
    """
    if giving.chosen:
        return []
    room = {  # less what a table takes more, where there was none, or for logical partitions
        index: shelf.gib * GIB - 4 * ALIGNMENT - shelf.lvm * GROUP_BYTES - _floors(shelf, wants)
        for index, shelf in shelves.items()
        if index not in short
    }
    offers = []
    movable = [piece for piece in giving.mounts if not piece.is_fixed]
    for piece in sorted(movable, key=lambda piece: -wants[piece.key].floor):
        receiver = max(room, key=lambda index: (room[index], index), default=-1)
        floor = shelves[receiver].whole(piece, wants[piece.key].floor) if receiver >= 0 else 0
        if receiver >= 0 and room[receiver] >= floor:
            room[receiver] -= floor + 2 * ALIGNMENT
            offers.append((piece, receiver))
    return offers


def _without(shelf: Shelf, gone: Collection[Piece]) -> Shelf:
    """A disk that is left without mount points is not made, and its swap area neither."""
    kept = tuple(piece for piece in shelf.pieces if piece not in gone)
    emptied = replace(shelf, pieces=kept)
    return emptied if emptied.mounts else replace(shelf, pieces=())


def _too_small(shelf: Shelf, smallest: int) -> UserError:
    disk = shelf.disk
    return UserError(
        f"{shelf.gib} GiB is too small for disk {disk.index} ({disk.path}, {readable_size(disk.size)}):"
        f" the smallest size that works is {smallest} GiB",
        code="Disk.TooSmall",
        hint=f"Ask for at least {smallest} GiB.",
    )


def _too_much(shelf: Shelf, smallest: int, high: int) -> UserError:
    return UserError(
        f"what {shelf.disk.path} holds needs {smallest} GiB;"
        f" the destination makes disks of at most {high} GiB",
        code="Disk.TooLarge",
        hint="Move files to another disk of the source, or choose another disk for a mount point.",
    )
