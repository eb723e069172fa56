"""Partitions that are resized, moved, left out, or placed where there is room."""

import msgspec
import pytest
from tests.unit.model.sources import data_disk, filesystem, partition, server, system_disk
from tests.unit.model.test_planner import refusal, the_plan

from smc.base.units import GIB, MIB
from smc.model.disk import Disk, Filesystem, Role, Table
from smc.model.plan import Plan
from smc.model.planner import smallest_gib
from smc.model.server import Server
from smc.model.wishes import Limits, PartWish, Wishes


def parts(*wished: str | tuple[str, int]) -> tuple[PartWish, ...]:
    pairs = [(wish, 0) if isinstance(wish, str) else wish for wish in wished]
    return tuple(PartWish(source=source, size=size) for source, size in pairs)


def two_mounts(*, size: int = 20 * GIB) -> Disk:
    """A data disk with /srv (4 GiB used), /opt/data (1 GiB used) and swap."""
    half = size // 2 - 600 * MIB
    swap = Filesystem(type="swap", uuid="11111111-2222-4333-8444-555555555556")
    return Disk(
        index=1,
        path="/dev/vdb",
        size=size,
        table=Table.GPT,
        partitions=(
            partition(1, MIB, half, filesystem("/srv", half * 98 // 100, 4 * GIB)),
            partition(2, MIB + half, half, filesystem("/opt/data", half * 98 // 100, GIB)),
            partition(3, MIB + 2 * half, GIB, swap, role=Role.SWAP),
        ),
    )


def source() -> Server:
    return server(system_disk(), two_mounts(), data_disk(2, "/backup"))


def shape(made: Plan) -> dict[int, list[str]]:
    return {
        disk.index: [part.mount_point or part.role.value for part in disk.partitions] for disk in made.disks
    }


def test_partitions_grow_and_shrink_and_the_order_is_that_of_the_wish() -> None:
    made = the_plan(source(), parts={1: parts(("1_2", 12 * GIB), ("1_1", 7 * GIB))}, sizes_gib={1: 30})
    disk = made.disks[1]
    assert shape(made)[1] == ["/opt/data", "/srv", "swap"]
    assert [part.size for part in disk.partitions] == [12 * GIB, 7 * GIB, GIB], "the rest stays free"
    assert [part.number for part in disk.partitions] == [1, 2, 3]


def test_a_size_that_is_not_whole_mib_is_rounded_up() -> None:
    made = the_plan(source(), parts={1: parts(("1_1", 7 * GIB + 1), "1_2")})
    assert made.disks[1].partitions[0].size == 7 * GIB + MIB


def test_a_partition_that_cannot_hold_its_files_names_the_bytes_that_do() -> None:
    error = refusal(source(), parts={1: parts(("1_1", 3 * GIB), "1_2")})
    assert error.code == "Part.TooSmall"
    least = int(error.message.split("works is ")[1].split(" bytes")[0])
    assert 4 * GIB < least < 5 * GIB
    assert the_plan(source(), parts={1: parts(("1_1", least), "1_2")}).disks[1].partitions[0].size == least
    assert refusal(source(), parts={1: parts(("1_1", least - MIB), "1_2")}).code == "Part.TooSmall"


def test_wished_partitions_make_a_disk_without_a_size_large_enough() -> None:
    made = the_plan(source(), parts={1: parts(("1_1", 40 * GIB), "1_2")})
    assert made.disks[1].size >= 50 * GIB
    error = refusal(source(), parts={1: parts(("1_1", 40 * GIB), "1_2")}, sizes_gib={1: 40})
    assert error.code == "Disk.TooSmall"


def test_sizes_as_the_source_has_them_fit_a_disk_as_the_source_has_it() -> None:
    """They are what DescribeSourceServers shows, and come back as they are."""
    original = source()
    sent = {
        disk.index: parts(
            *(
                (f"{disk.index}_{part.number}", part.size)
                for part in disk.partitions
                if part.filesystem and part.filesystem.mount_point
            )
        )
        for disk in original.disks
    }
    made = the_plan(original, parts=sent, sizes_gib={0: 30, 1: 20, 2: 10})
    assert made == the_plan(original)


def test_a_mount_point_that_is_left_out_is_named_with_the_reason() -> None:
    made = the_plan(source(), parts={1: parts("1_2")})
    assert shape(made)[1] == ["/opt/data", "swap"]
    (left,) = made.left_behind
    assert (left.what, left.why) == ("/srv (/dev/vdb partition 1)", "deselected")


def test_a_disk_of_which_everything_is_left_out_is_not_made() -> None:
    made = the_plan(source(), parts={1: ()})
    assert shape(made).keys() == {0, 2}
    assert [(left.what, left.why) for left in made.left_behind] == [("/dev/vdb", "deselected")]


def test_a_mount_point_moves_to_another_disk_which_grows_for_it() -> None:
    made = the_plan(source(), parts={2: parts("2_1", "1_1")})
    assert shape(made) == {
        0: ["bios_boot", "/boot", "/", "swap"],
        1: ["/opt/data", "swap"],
        2: ["/backup", "/srv"],
    }
    assert made.disks[2].size == 20 * GIB
    assert made.disks[2].partitions[1].source == "1_1"
    assert not made.left_behind


def test_a_disk_whose_mount_points_all_went_elsewhere_is_not_made() -> None:
    made = the_plan(source(), parts={2: parts("1_2", "2_1", "1_1")})
    assert shape(made).keys() == {0, 2}
    (left,) = made.left_behind
    assert (left.what, left.why) == ("/dev/vdb", "what is mounted of it comes on other disks")


@pytest.mark.parametrize(
    "wish",
    [
        {0: parts("0_1")},
        {0: parts("0_2")},
        {1: parts("1_1", "1_2", "0_1")},
        {0: ()},
    ],
    ids=["no root", "no boot", "boot elsewhere", "nothing"],
)
def test_what_the_system_needs_can_neither_be_moved_nor_left_out(
    wish: dict[int, tuple[PartWish, ...]],
) -> None:
    assert refusal(source(), parts=wish).code == "Disk.Needed"


def test_what_a_data_disk_has_of_the_system_stays_there() -> None:
    original = server(system_disk(), data_disk(1, "/var"), data_disk(2, "/srv"))
    assert refusal(original, parts={1: ()}).code == "Disk.Needed"
    assert refusal(original, parts={2: parts("2_1", "1_1")}).code == "Disk.Needed"
    assert refusal(original, leave_out=frozenset({1})).code == "Disk.Needed"


def test_wishes_for_what_is_not_there_are_refused() -> None:
    assert refusal(source(), parts={1: parts("1_9")}).code == "Disk.PartNotFound"
    assert refusal(source(), parts={1: parts("1_3")}).code == "Disk.PartNotFound", "swap is no mount point"
    assert refusal(source(), parts={1: parts("1_1", "1_1")}).code == "Disk.PartTwice"
    assert refusal(source(), parts={4: parts("1_1")}).code == "Disk.NotFound"


def test_what_does_not_fit_any_more_comes_on_a_disk_with_room_and_a_warning_says_so() -> None:
    made = the_plan(source(), sizes_gib={1: 4})
    assert shape(made)[1] == ["/opt/data", "swap"]
    assert shape(made)[0] == ["bios_boot", "/boot", "/", "swap", "/srv"]
    (warning,) = made.warnings
    assert warning == "/srv does not fit on disk 1 (4 GiB) any more, and comes on disk 0 (30 GiB)"
    assert not made.left_behind


def test_a_disk_that_gave_everything_away_is_not_made() -> None:
    made = the_plan(server(system_disk(size=60 * GIB), two_mounts()), sizes_gib={1: 1})
    assert shape(made) == {0: ["bios_boot", "/boot", "/", "swap", "/srv", "/opt/data"]}
    assert len(made.warnings) == 2
    assert made.left_behind[0].what == "/dev/vdb"


def test_what_was_placed_by_a_wish_is_not_moved() -> None:
    error = refusal(source(), sizes_gib={1: 4}, parts={1: parts("1_1", "1_2")})
    assert error.code == "Disk.TooSmall"


def test_the_smallest_sizes_are_those_of_what_was_wished() -> None:
    plain = smallest_gib(source(), Limits(), Wishes())
    moved = smallest_gib(
        source(), Limits(), msgspec.structs.replace(Wishes(), parts={2: parts("2_1", "1_1")})
    )
    assert moved[1] < plain[1]
    assert moved[2] > plain[2]
    assert moved[0] == plain[0] == 20
