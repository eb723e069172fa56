"""The agent's reading of real disks, judged by lsblk, blkid, dumpe2fs and df."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kernel.loop_disks import loop_disk, tool

from smc.agent.disks import describe
from smc.agent.mounts import parse
from smc.agent.network import read_addresses
from smc.base.units import MIB
from smc.model.disk import Disk, Role

pytestmark = pytest.mark.kernel

SIZE = 128 * MIB
TABLES = {
    "gpt": """label: gpt
        start=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649
        start=4096, size=102400, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, name=\"system\"
        start=106496, size=20480, type=0657FD6D-A4AB-43C4-84E5-0933C84B4F4F
        start=126976, size=102400, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4
        """,
    "dos": """label: dos
        start=2048, size=2048, type=da
        start=4096, size=102400, type=83, bootable
        start=106496, size=20480, type=82
        start=126976, size=102400, type=83
        """,
}


@pytest.fixture(params=TABLES)
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """ext4 in partition 2 (mounted, with a file in it), swap in 3, ext3 in 4."""
    with loop_disk(tmp_path / "disk.img", SIZE) as device:
        script = "\n".join(line.strip() for line in TABLES[request.param].splitlines())
        subprocess.run(["sfdisk", "-q", "--no-reread", device], input=script, text=True, check=True)
        tool("partx", "--update", device)
        system, swap, data = (Path(f"{device}p{number}") for number in (2, 3, 4))
        tool("mkfs.ext4", "-q", "-L", "system", system)
        tool("mkswap", "-L", "swap", swap)
        tool("mkfs.ext3", "-q", "-b", "1024", data)
        place = tmp_path / "mounted here"
        place.mkdir()
        tool("mount", "-o", "noatime", system, place)
        (place / "file").write_bytes(bytes(5 * MIB))
        tool("sync", "-f", place)
        try:
            yield device
        finally:
            tool("umount", place)


def described(device: Path) -> Disk:
    return describe(device.name, parse(Path("/proc/self/mountinfo").read_text()))


def test_partitions_are_those_that_lsblk_shows(disk: Path) -> None:
    found = described(disk)
    columns = "NAME,SIZE,START,PARTUUID,PARTTYPE,PARTLABEL,PTUUID,PTTYPE,UUID,LABEL,FSTYPE,MOUNTPOINT"
    told = json.loads(tool("lsblk", "--json", "--bytes", "--output", columns, disk))["blockdevices"][0]
    assert len(found.partitions) == len(told["children"]) == 4
    for mine, theirs in zip(found.partitions, told["children"], strict=True):
        low = json.loads(tool("lsblk", "-Jb", "-o", "START", f"/dev/{theirs['name']}"))["blockdevices"][0]
        probed = blkid(Path(f"/dev/{theirs['name']}"))
        assert (mine.size, mine.start) == (theirs["size"], low["start"] * 512)
        assert mine.part_uuid == probed["PART_ENTRY_UUID"]
        assert mine.type_code == probed["PART_ENTRY_TYPE"]
        assert mine.part_label == probed.get("PART_ENTRY_NAME", "")
        filesystem = mine.filesystem
        assert (filesystem.type if filesystem else None) == probed.get("TYPE")
        assert (filesystem.uuid if filesystem else None) == probed.get("UUID")
        assert (filesystem.label if filesystem else "") == probed.get("LABEL", "")
        assert (filesystem.mount_point if filesystem else "") == (theirs["mountpoint"] or "")
    assert found.table.value == {"gpt": "gpt", "dos": "mbr"}[blkid(disk)["PTTYPE"]]
    assert found.table_uuid == blkid(disk)["PTUUID"]
    assert found.size == SIZE


def test_an_ext_filesystem_is_what_dumpe2fs_and_df_say(disk: Path) -> None:
    for number in (2, 4):
        part = described(disk).partitions[number - 1]
        facts = {
            name: value.strip()
            for name, _, value in (
                line.partition(":") for line in tool("dumpe2fs", "-h", f"{disk}p{number}").splitlines()
            )
        }
        filesystem = part.filesystem
        assert filesystem
        assert part.role is Role.FILESYSTEM
        assert set(filesystem.features) == set(facts["Filesystem features"].split())
        assert filesystem.block_size == int(facts["Block size"])
        assert filesystem.inode_size == int(facts["Inode size"])
    mounted = described(disk).partitions[1].filesystem
    assert mounted
    size, used, inodes = tool("df", "-B1", "--output=size,used,itotal", mounted.mount_point).split()[-3:]
    assert (mounted.size, mounted.used, mounted.inodes) == (int(size), int(used), int(inodes))
    assert mounted.used > 5 * MIB


def test_addresses_are_those_that_the_kernel_lists() -> None:
    words = [line.split() for line in Path("/proc/net/if_inet6").read_text().splitlines()]
    wide = {int(index, 16) for _, index, _, scope, *_ in words if scope == "00"}
    found = read_addresses()
    assert "127.0.0.1/8" in found[1]
    assert wide <= {index for index, addresses in found.items() if any(":" in one for one in addresses)}


def blkid(device: Path) -> dict[str, str]:
    """Of a device: what lies on it and where it is in its table."""
    lines = tool("blkid", "--probe", "--output", "export", device).splitlines()
    return dict(line.replace("\\ ", " ").split("=", 1) for line in lines)
