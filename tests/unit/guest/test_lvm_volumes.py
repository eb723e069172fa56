"""LVM's metadata in the bytes of a disk: where volumes lie, and nothing believed that cannot be."""

import io

import pytest
from tests.unit.guest.fake_lvm import AREA_SIZE, SECTOR, group, linear, member, volume

from smc.guest.lvm_text import Damaged
from smc.guest.lvm_volumes import Logical, Span, volumes_of

KIB = 1 << 10
FIRST = 64 * KIB  # of the extents, each as large


def found(disk: bytes, *, before: int = 0) -> list[Logical]:
    image = io.BytesIO(bytes(before) + disk)
    return volumes_of(image, [Span(before, len(disk))])


def test_a_volume_is_one_span_where_its_segments_follow_one_another() -> None:
    text = group(volume("root", linear(0, 2), linear(2, 1)) + volume("var", linear(5, 1), linear(3, 2)))
    assert found(member(text), before=4096) == [
        Logical("vg", "root", (Span(4096 + FIRST, 3 * FIRST),)),
        Logical("vg", "var", (Span(4096 + 6 * FIRST, FIRST), Span(4096 + 4 * FIRST, 2 * FIRST))),
    ]


def test_the_text_may_go_on_at_the_start_of_its_area() -> None:
    text = group(volume("root", linear(0, 2)))
    (made,) = found(member(text, at=AREA_SIZE - SECTOR // 2))
    assert made.title == "vg/root"


def test_what_no_system_sees_is_no_volume() -> None:
    hidden = volume("root_rimage_0", linear(0, 2), status='["READ", "WRITE"]')
    assert found(member(group(hidden))) == []


@pytest.mark.parametrize(
    ("segment", "why"),
    [
        ('type = "thin" thin_pool = "pool"', "thin, of which only plain ones are read here"),
        ('type = "raid1" device_count = 2', "raid1, of which only plain ones are read here"),
        ('type = "striped" stripe_count = 2 stripes = ["pv0", 0, "pv1", 0]', "striped, of which only plain"),
        (linear(0, 1, on="pv1"), "partly on a disk that is not in the image"),
    ],
)
def test_what_is_not_read_is_told_as_what_it_is(segment: str, why: str) -> None:
    (made,) = found(member(group(volume("root", linear(0, 1), segment))))
    assert made.spans == ()
    assert made.why.startswith(why)


def test_the_newest_text_of_a_group_counts() -> None:
    older = group(volume("root", linear(0, 1))).replace("seqno = 2", "seqno = 1")
    newer = group(volume("root", linear(4, 1)))
    for order in ((older, newer), (newer, older)):
        disk = io.BytesIO(b"".join(member(text) for text in order))
        (made,) = volumes_of(disk, [Span(0, 1 << 20), Span(1 << 20, 1 << 20)])
        assert made.spans[0].start % (1 << 20) == 5 * FIRST


@pytest.mark.parametrize(
    ("disk", "sentence"),
    [
        (bytes(1 << 20), "no label"),
        (member(group(""), crc=1), "checksum"),
        (member(group("")).replace(b" LVM2 x[", b" LVM2 y["), "head"),
        (member(group(""))[:4700], "beyond the disk"),
        (member(group(volume("root", linear(0, 1000)))), "beyond the disk"),
        (member(group(volume("root", linear(1 << 50, 1)))), "beyond the disk"),
        (member(group(volume("root", linear(-1, 1)))), "no physical volume"),
        (member(group(volume("root", *[linear(0, 15)] * 2))), "beyond the disk"),
        (member(group(volume("root", linear(0, 1, on="pv9")))), "no physical volume"),
        (member(group("root = 1")), "where a section is to be"),
        (member(group("", more='extent_size = "8"')), "without extent_size"),
        (member("version = 1"), "without a volume group"),
        (member("a { } b { }"), "without a volume group"),
        (member("a { b = [ 1, 2 "), "not closed"),
        (member("a { b = @ }"), "LVM's metadata at"),
        (member("a" + " { a" * 9), "nested too deeply"),
        (member("a { b = c }"), "a value"),
        (member("}"), "LVM's metadata at"),
    ],
)
def test_damage_is_an_exception(disk: bytes, sentence: str) -> None:
    with pytest.raises(Damaged, match=sentence):
        found(disk)


def test_no_more_volumes_than_a_system_has_are_believed() -> None:
    text = group("".join(volume(f"v{n}", linear(0, 1)) for n in range(300)))
    with pytest.raises(Damaged, match="300 logical volumes"):
        found(member(text, area=1 << 16))


def test_volumes_that_share_their_extents_are_not_believed() -> None:
    """Each is put together in a file: the disk of who looks would be filled."""
    same = "".join(volume(f"v{number}", linear(0, 8), linear(1, 7)) for number in range(20))
    with pytest.raises(Damaged, match="together"):
        found(member(group(same)))
