"""Placing a source's disks on an instance's: if there is a way it is found, else what to do is said."""

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from smc.center.target.place import place_disks
from smc.cloud.driver import CloudDisk

SIZES = st.lists(st.integers(1, 9), max_size=4)


def disk(name: str, size: int, *, system: bool = False) -> CloudDisk:
    return CloudDisk(id=name, name=name, size_gib=size, serial=name, system=system)


def disks(sizes: list[int]) -> list[CloudDisk]:
    return [disk("d-sys", 20, system=True), *(disk(f"d-{at}", size) for at, size in enumerate(sizes))]


@given(SIZES, SIZES)
def test_a_way_is_found_exactly_where_there_is_one(needs: list[int], sizes: list[int]) -> None:
    wanted = {0: 20, **dict(enumerate(needs, 1))}
    placed = place_disks("i-1", wanted, disks(sizes), {})
    possible = any(
        all(size >= need for need, size in zip(needs, order, strict=False))
        for order in permutations(sizes, len(needs))
    )
    assert (not placed.reasons) == possible
    if possible:
        assert sorted(placed.disks) == list(range(1, len(needs) + 1))
        assert len({found.id for found in placed.disks.values()}) == len(needs)
        assert all(found.size_gib >= wanted[index] for index, found in placed.disks.items())


@given(SIZES, SIZES)
def test_what_a_reason_asks_for_is_enough(needs: list[int], sizes: list[int]) -> None:
    wanted = {0: 20, **dict(enumerate(needs, 1))}
    there = disks(sizes)
    for _ in range(2):  # attaching first may show which to resize
        for reason in place_disks("i-1", wanted, there, {}).reasons:
            words = reason.cure.split()
            if reason.code == "TargetInstance.DisksMissing":
                wished = [int(word) for word in words[words.index("least") + 1 :] if word.isdigit()]
                there += [disk(f"d-new{len(there) + at}", size) for at, size in enumerate(wished)]
            else:
                name, size = words[words.index("disk") + 1], int(words[-2])
                there = [disk(one.id, size) if one.id == name else one for one in there]
    assert place_disks("i-1", wanted, there, {}).reasons == ()


def test_a_chosen_disk_is_taken_and_no_other_gets_it() -> None:
    placed = place_disks("i-1", {0: 20, 1: 2, 2: 2}, disks([9, 2]), {1: "d-0"})
    assert {index: found.id for index, found in placed.disks.items()} == {1: "d-0", 2: "d-1"}


def test_a_chosen_disk_that_is_not_there_or_too_small_or_chosen_twice_is_refused() -> None:
    for chosen, code in (
        ({1: "d-7"}, "TargetInstance.DiskUnknown"),
        ({1: "d-sys"}, "TargetInstance.DiskUnknown"),
        ({1: "d-1"}, "TargetInstance.DiskTooSmall"),
        ({1: "d-0", 2: "d-0"}, "TargetInstance.DiskUnknown"),
    ):
        placed = place_disks("i-1", {0: 20, 1: 5, 2: 2}, disks([9, 2]), chosen)
        assert code in [reason.code for reason in placed.reasons], chosen
        assert placed.disks == {}


def test_a_small_system_disk_is_a_reason_of_its_own() -> None:
    (reason,) = place_disks("i-1", {0: 31}, disks([]), {}).reasons
    assert reason.code == "TargetInstance.SystemDiskTooSmall"
    assert reason.cure == "Resize the system disk d-sys to at least 31 GiB."
