"""The local cloud's disk chains, with qemu-img and qemu-io as judges."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.localcloud.conftest import World

from smc.base.run import run
from smc.localcloud.api import exports, images, instances, launch, replacing
from smc.localcloud.exports import FORMATS, Exporter
from smc.localcloud.layers import of_snapshot
from smc.localcloud.things import Disk, Export, Image, ImageDisk, ImageStatus, SecurityGroup, Vpc, VSwitch
from smc.model.server import Architecture, Firmware

pytestmark = pytest.mark.kernel

KIB64 = 65536


def tool(*argv: object) -> str:
    return subprocess.run(
        [str(word) for word in argv], check=True, capture_output=True, text=True, timeout=60
    ).stdout


def write(path: Path, pattern: int, block: int) -> None:
    tool("qemu-io", "-f", "qcow2", "-c", f"write -P {pattern} {block * KIB64} {KIB64}", path)


def holds(path: Path, pattern: int, block: int) -> bool:
    out = tool("qemu-io", "-r", "-f", "qcow2", "-c", f"read -P {pattern} {block * KIB64} {KIB64}", path)
    return "verification failed" not in out


def chain(path: Path) -> list[Path]:
    found = json.loads(tool("qemu-img", "info", "--backing-chain", "--output=json", path))
    return [Path(item["filename"]) for item in found]


def check(world: World) -> None:
    for path in world.folder.glob("*/**/*.qcow2"):
        tool("qemu-img", "check", path)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "cloud", run=run)
    world.cloud.store.put(
        Vpc(id="vpc-1", cidr="10.0.0.0/8"),
        VSwitch(id="vsw-1", vpc="vpc-1", zone="local-a", cidr="10.0.0.0/24"),
        SecurityGroup(id="sg-1", vpc="vpc-1"),
    )
    base = tmp_path / "debian-0.qcow2"
    tool("qemu-img", "create", "-q", "-f", "qcow2", base, "2G")
    write(base, 1, 0)
    yield world
    world.cloud.store.close()


def start(world: World, image: str) -> str:
    request = launch.RunInstances(
        image_id=image, instance_type="ecs.l1.small", v_switch_id="vsw-1", security_group_id="sg-1"
    )
    launch.run_instances(world.cloud, request)
    world.work()
    return world.cloud.store.all(Disk)[-1].instance


def disk_of(world: World, instance: str) -> tuple[str, Path]:
    (disk,) = world.cloud.disks_of(instance)
    return disk.id, world.folder / "disks" / f"{disk.id}.qcow2"


def take(world: World, disk: str) -> str:
    answer = images.create_snapshot(world.cloud, images.CreateSnapshot(disk_id=disk))
    world.work()
    return str(answer["SnapshotId"])


def test_what_a_guest_wrote_is_in_the_snapshot_the_image_and_the_next_instance(world: World) -> None:
    first = start(world, world.register())
    disk, path = disk_of(world, first)
    assert holds(path, 1, 0)
    instances.stop_instance(world.cloud, instances.StopInstance(instance_id=first))
    world.work()
    write(path, 2, 1)
    snapshot = take(world, disk)
    write(path, 3, 1)
    frozen = world.folder / "snapshots" / f"{snapshot}.qcow2"
    assert (holds(frozen, 2, 1), holds(path, 3, 1), holds(path, 1, 0)) == (True, True, True)
    answer = images.create_image(
        world.cloud, images.CreateImage(image_name="copy", snapshot_id=snapshot, platform="Debian")
    )
    world.work()
    second = start(world, str(answer["ImageId"]))
    copy = disk_of(world, second)[1]
    assert (holds(copy, 1, 0), holds(copy, 2, 1)) == (True, True)
    assert json.loads(tool("qemu-img", "info", "--output=json", copy))["virtual-size"] == 20 << 30
    check(world)


def test_a_long_chain_is_flattened_and_reads_the_same(world: World) -> None:
    first = start(world, world.register())
    disk, path = disk_of(world, first)
    instances.stop_instance(world.cloud, instances.StopInstance(instance_id=first))
    world.work()
    for number in range(1, 8):
        write(path, number, number)
        take(world, disk)
        assert len(chain(path)) <= 6
    assert all(holds(path, number, number) for number in range(1, 8))
    assert holds(path, 1, 0)
    check(world)


def test_the_whole_folder_can_move(world: World, tmp_path: Path) -> None:
    first = start(world, world.register())
    disk, _ = disk_of(world, first)
    instances.stop_instance(world.cloud, instances.StopInstance(instance_id=first))
    world.work()
    take(world, disk)
    moved = tmp_path / "elsewhere"
    world.folder.rename(moved)
    path = moved / "disks" / f"{disk}.qcow2"
    assert holds(path, 1, 0)
    assert all(item.exists() for item in chain(path))


def test_a_reset_disk_holds_what_its_snapshot_does_and_a_replaced_one_what_the_image_does(
    world: World,
) -> None:
    instance = start(world, world.register())
    disk, path = disk_of(world, instance)
    instances.stop_instance(world.cloud, instances.StopInstance(instance_id=instance))
    world.work()
    write(path, 2, 1)
    snapshot = take(world, disk)
    write(path, 3, 1)
    write(path, 4, 2)
    replacing.reset_disk(world.cloud, replacing.ResetDisk(disk_id=disk, snapshot_id=snapshot))
    world.work()
    assert (holds(path, 1, 0), holds(path, 2, 1), holds(path, 0, 2)) == (True, True, True)
    image = images.create_image(
        world.cloud, images.CreateImage(image_name="old", snapshot_id=snapshot, platform="Debian")
    )["ImageId"]
    world.work()
    for source, patterns in ((world.register(), (1, 0)), (str(image), (1, 2))):
        replacing.replace_system_disk(
            world.cloud, replacing.ReplaceSystemDisk(instance_id=instance, image_id=source)
        )
        world.work()
        new, path = disk_of(world, instance)
        assert new != disk
        assert [holds(path, pattern, block) for block, pattern in enumerate(patterns)] == [True, True]
    assert not (world.folder / "disks" / f"{disk}.qcow2").exists()
    check(world)


@pytest.mark.parametrize("kind", FORMATS)
def test_an_exported_image_reads_the_same(world: World, kind: str) -> None:
    layer = of_snapshot("s-1")
    path = world.cloud.layers.path(layer)
    tool("qemu-img", "create", "-q", "-f", "qcow2", path, "2G")
    write(path, 7, 3)
    disk = ImageDisk(device="/dev/xvda", size_gib=2, layer=layer, snapshot="s-1")
    world.cloud.store.put(
        Image(
            id="m-1",
            status=ImageStatus.AVAILABLE,
            platform="Debian",
            architecture=Architecture.X86_64,
            firmware=Firmware.BIOS,
            disks=(disk,),
        )
    )
    wanted = {"image_format": kind, "oss_bucket": "moved", "oss_prefix": "web"}
    asked = exports.ExportImage(image_id="m-1", **wanted)  # type: ignore[arg-type]  # one of FORMATS
    task = exports.export_image(world.cloud, asked)["TaskId"]
    Exporter(world.cloud).step()
    told = exports.describe_task_attribute(world.cloud, exports.DescribeTaskAttribute(task_id=str(task)))
    assert (told["TaskStatus"], told["TaskProcess"]) == ("Finished", "100%")
    file = world.cloud.exports / "moved" / f"web_m-1_system.{kind}"
    compared = tool("qemu-img", "compare", "-f", "qcow2", "-F", FORMATS[kind], path, file)
    assert "Images are identical" in compared


def test_an_export_that_fails_says_why(world: World) -> None:
    world.cloud.store.put(Export(id="t-1", image="m-gone", format="raw", bucket="moved"))
    Exporter(world.cloud).step()
    told = exports.describe_task_attribute(world.cloud, exports.DescribeTaskAttribute(task_id="t-1"))
    assert told["TaskStatus"] == "Failed"
    assert "deleted" in str(told["OperationProgressSet"])
