"""The life of an instance and what becomes of its disks, as the official SDKs see it."""

import base64
import json
from typing import Any

import pytest
from alibabacloud_ecs20140526 import models
from alibabacloud_ecs20140526.client import Client
from alibabacloud_tea_openapi.exceptions import ClientException
from tests.unit.localcloud.conftest import Launch, World, encoded

from smc.localcloud.memory import PICTURE


def instance(ecs: Client, name: str) -> Any:  # Any: the SDK's model
    found = ecs.describe_instances(
        models.DescribeInstancesRequest(region_id="local", instance_ids=json.dumps([name]))
    ).body.instances.instance
    return found[0] if found else None


def disks(ecs: Client, name: str) -> list[Any]:  # Any: the SDK's models
    request = models.DescribeDisksRequest(region_id="local", instance_id=name)
    return list(ecs.describe_disks(request).body.disks.disk)


def snapshot(ecs: Client, name: str) -> Any:  # Any: the SDK's model
    request = models.DescribeSnapshotsRequest(region_id="local", snapshot_ids=json.dumps([name]))
    return ecs.describe_snapshots(request).body.snapshots.snapshot[0]


def image(ecs: Client, name: str) -> Any:  # Any: the SDK's model
    request = models.DescribeImagesRequest(region_id="local", image_id=name, status="Creating,Available")
    found = ecs.describe_images(request).body.images.image
    return found[0] if found else None


def stop(world: World, ecs: Client, name: str) -> None:
    ecs.stop_instance(models.StopInstanceRequest(instance_id=name))
    world.work()


def take(world: World, ecs: Client, disk: str) -> str:
    taken = ecs.create_snapshot(models.CreateSnapshotRequest(disk_id=disk)).body.snapshot_id
    world.work()
    return str(taken)


def refusal(call: Any, request: Any) -> tuple[str, int]:  # Any: a method of the SDK and its request
    with pytest.raises(ClientException) as caught:
        call(request)
    return caught.value.code, caught.value.status_code


def test_an_instance_starts_with_its_disks_address_and_user_data(
    world: World, ecs: Client, launch: Launch
) -> None:
    name = launch(
        instance_name="No_Delete_SMC_Transition_Instance",
        host_name="host",
        user_data=encoded("#!/bin/sh\n"),
        system_disk=models.RunInstancesRequestSystemDisk(size="40", disk_name="root"),
        data_disk=[
            models.RunInstancesRequestDataDisk(size=20, disk_name="smc-j-1-1"),
            models.RunInstancesRequestDataDisk(size=5, disk_name="smc-j-1-2", delete_with_instance=False),
        ],
        tag=[models.RunInstancesRequestTag(key="smc:job", value="j-1")],
    )
    assert instance(ecs, name).status == "Pending"
    world.work()
    found = instance(ecs, name)
    assert found.status == "Running"
    assert found.instance_name == "No_Delete_SMC_Transition_Instance"
    assert found.public_ip_address.ip_address == ["127.0.0.1"]
    assert found.vpc_attributes.private_ip_address.ip_address == ["10.1.2.10"]
    assert [(tag.tag_key, tag.tag_value) for tag in found.tags.tag] == [("smc:job", "j-1")]
    seen = disks(ecs, name)
    assert [(d.disk_name, d.size, d.type, d.status, d.device) for d in seen] == [
        ("root", 40, "system", "In_use", "/dev/xvda"),
        ("smc-j-1-1", 20, "data", "In_use", "/dev/xvdb"),
        ("smc-j-1-2", 5, "data", "In_use", "/dev/xvdc"),
    ]
    spec = world.hypervisor.machine(name).spec
    assert [disk.serial for disk in spec.disks] == [d.serial_number for d in seen]
    assert len({disk.serial for disk in spec.disks}) == 3
    assert all(len(disk.serial) == 20 for disk in spec.disks)
    assert (spec.network.cidr, spec.network.gateway, spec.network.address) == (
        "10.1.2.0/24",
        "10.1.2.253",
        "10.1.2.10",
    )
    assert spec.seed is not None
    assert world.seeds == {name: b"#!/bin/sh\n"}


def test_without_user_data_there_is_no_seed_disk(world: World, launch: Launch) -> None:
    name = launch()
    world.work()
    assert world.hypervisor.machine(name).spec.seed is None


def test_console_and_screen_can_be_read(world: World, ecs: Client, launch: Launch) -> None:
    name = launch()
    world.work()
    console = ecs.get_instance_console_output(
        models.GetInstanceConsoleOutputRequest(region_id="local", instance_id=name)
    )
    assert base64.b64decode(console.body.console_output).decode() == f"{name} login: "
    screen = ecs.get_instance_screenshot(
        models.GetInstanceScreenshotRequest(region_id="local", instance_id=name)
    )
    assert base64.b64decode(screen.body.screenshot) == PICTURE


def test_stopping_presses_the_button_and_starting_uses_the_same_disks(
    world: World, ecs: Client, launch: Launch
) -> None:
    name = launch()
    world.work()
    before = world.hypervisor.machine(name).spec.disks
    stop(world, ecs, name)
    assert instance(ecs, name).status == "Stopped"
    assert world.hypervisor.machine(name).presses == 1
    ecs.start_instance(models.StartInstanceRequest(instance_id=name))
    world.work()
    assert instance(ecs, name).status == "Running"
    assert world.hypervisor.machine(name).spec.disks == before


def test_a_deaf_guest_is_pressed_again_and_at_last_unplugged(
    world: World, ecs: Client, launch: Launch
) -> None:
    name = launch()
    world.work()
    world.hypervisor.deaf = True
    stop(world, ecs, name)
    assert instance(ecs, name).status == "Stopping"
    world.clock += 20
    world.work()
    assert world.hypervisor.machine(name).presses == 2
    world.clock += 200
    world.work()
    assert instance(ecs, name).status == "Stopped"


def test_a_forced_stop_pulls_the_plug(world: World, ecs: Client, launch: Launch) -> None:
    name = launch()
    world.work()
    world.hypervisor.deaf = True
    ecs.stop_instance(models.StopInstanceRequest(instance_id=name, force_stop=True))
    world.work()
    assert instance(ecs, name).status == "Stopped"
    assert world.hypervisor.machine(name).presses == 0


def test_a_reboot_ends_running(world: World, ecs: Client, launch: Launch) -> None:
    name = launch()
    world.work()
    ecs.reboot_instance(models.RebootInstanceRequest(instance_id=name))
    world.work()
    assert instance(ecs, name).status == "Running"
    assert len(world.hypervisor.machines) == 2


def test_a_guest_that_powers_off_is_stopped(world: World, ecs: Client, launch: Launch) -> None:
    name = launch()
    world.work()
    world.hypervisor.machine(name).alive = False
    world.work()
    assert instance(ecs, name).status == "Stopped"


def test_a_machine_that_does_not_start_is_stopped_with_the_cause(
    world: World, ecs: Client, launch: Launch, caplog: pytest.LogCaptureFixture
) -> None:
    world.hypervisor.broken = True
    name = launch()
    world.work()
    assert instance(ecs, name).status == "Stopped"
    assert "did not start" in caplog.text
    request = models.GetInstanceConsoleOutputRequest(region_id="local", instance_id=name)
    console = base64.b64decode(ecs.get_instance_console_output(request).body.console_output)
    assert b"[local cloud] the machine did not start" in console


def test_releasing_takes_the_disks_that_go_with_it(world: World, ecs: Client, launch: Launch) -> None:
    name = launch(
        data_disk=[
            models.RunInstancesRequestDataDisk(size=5),
            models.RunInstancesRequestDataDisk(size=6, delete_with_instance=False),
        ]
    )
    world.work()
    assert refusal(ecs.delete_instance, models.DeleteInstanceRequest(instance_id=name)) == (
        "IncorrectInstanceStatus",
        403,
    )
    ecs.delete_instance(models.DeleteInstanceRequest(instance_id=name, force=True))
    world.work()
    assert instance(ecs, name) is None
    assert not (world.folder / "instances" / name).exists()
    (left,) = ecs.describe_disks(models.DescribeDisksRequest(region_id="local")).body.disks.disk
    assert (left.size, left.status) == (6, "Available")
    assert [path.name for path in (world.folder / "disks").iterdir()] == [f"{left.disk_id}.qcow2"]
    ecs.delete_disk(models.DeleteDiskRequest(disk_id=left.disk_id))
    world.work()
    assert list((world.folder / "disks").iterdir()) == []


def test_from_a_running_instance_to_an_instance_of_its_image(
    world: World, ecs: Client, launch: Launch
) -> None:
    name = launch(data_disk=[models.RunInstancesRequestDataDisk(size=7)])
    world.work()
    system, data = disks(ecs, name)
    assert refusal(ecs.create_snapshot, models.CreateSnapshotRequest(disk_id=data.disk_id)) == (
        "IncorrectInstanceStatus",
        403,
    )
    stop(world, ecs, name)
    asked = ecs.create_snapshot(
        models.CreateSnapshotRequest(disk_id=data.disk_id, snapshot_name="of data")
    ).body.snapshot_id
    assert (snapshot(ecs, asked).status, snapshot(ecs, asked).progress) == ("progressing", "0%")
    world.work()
    assert (snapshot(ecs, asked).status, snapshot(ecs, asked).progress) == ("accomplished", "100%")
    other = take(world, ecs, system.disk_id)
    made = ecs.create_image(
        models.CreateImageRequest(
            region_id="local",
            image_name="copy",
            platform="Debian",
            architecture="x86_64",
            boot_mode="UEFI",
            disk_device_mapping=[
                models.CreateImageRequestDiskDeviceMapping(snapshot_id=other, disk_type="data"),
                models.CreateImageRequestDiskDeviceMapping(snapshot_id=asked, disk_type="system"),
            ],
        )
    ).body.image_id
    assert (image(ecs, made).status, image(ecs, made).progress) == ("Creating", "0%")
    world.work()
    found = image(ecs, made)
    assert (found.status, found.progress, found.boot_mode) == ("Available", "100%", "UEFI")
    assert [(d.type, d.snapshot_id) for d in found.disk_device_mappings.disk_device_mapping] == [
        ("system", asked),
        ("data", other),
    ]
    copy = launch(image_id=made)
    world.work()
    assert instance(ecs, copy).status == "Running"
    assert [(d.size, d.type) for d in disks(ecs, copy)] == [(20, "system"), (20, "data")]
    spec = world.hypervisor.machine(copy).spec
    assert spec.firmware.value == "uefi"
    assert f"-b ../snapshots/{asked}.qcow2" in spec.disks[0].path.read_text()


def test_files_go_when_nothing_stands_on_them_and_not_before(
    world: World, ecs: Client, launch: Launch
) -> None:
    name = launch()
    world.work()
    stop(world, ecs, name)
    taken = take(world, ecs, disks(ecs, name)[0].disk_id)
    made = ecs.create_image(
        models.CreateImageRequest(region_id="local", image_name="copy", snapshot_id=taken)
    ).body.image_id
    world.work()
    assert refusal(ecs.delete_snapshot, models.DeleteSnapshotRequest(snapshot_id=taken)) == (
        "SnapshotCreatedImage",
        403,
    )
    copy = launch(image_id=made)
    world.work()
    frozen = world.folder / "snapshots" / f"{taken}.qcow2"
    request = models.DeleteImageRequest(region_id="local", image_id=made)
    assert refusal(ecs.delete_image, request) == ("ImageUsingByInstance", 403)
    request.force = True
    ecs.delete_image(request)
    ecs.delete_snapshot(models.DeleteSnapshotRequest(snapshot_id=taken))
    ecs.delete_instance(models.DeleteInstanceRequest(instance_id=name, force=True))
    world.work()
    assert image(ecs, made) is None
    assert frozen.exists()
    ecs.delete_instance(models.DeleteInstanceRequest(instance_id=copy, force=True))
    world.work()
    assert not frozen.exists()
    assert (world.folder / "images").exists()


def test_a_long_chain_is_flattened(world: World, ecs: Client, launch: Launch) -> None:
    name = launch()
    world.work()
    stop(world, ecs, name)
    (disk,) = disks(ecs, name)
    for _ in range(6):
        taken = take(world, ecs, disk.disk_id)
    converted = [call for call in world.qemu_img.calls if call[1] == "convert"]
    assert len(converted) == 1  # the fifth, which is six files with the image of the system
    assert snapshot(ecs, taken).status == "accomplished"


def test_disks_move_between_stopped_instances(world: World, ecs: Client, launch: Launch) -> None:
    first, second = launch(data_disk=[models.RunInstancesRequestDataDisk(size=5)]), launch()
    world.work()
    data = disks(ecs, first)[1].disk_id
    request = models.DetachDiskRequest(instance_id=first, disk_id=data)
    assert refusal(ecs.detach_disk, request) == ("IncorrectInstanceStatus", 403)
    stop(world, ecs, first)
    stop(world, ecs, second)
    ecs.detach_disk(request)
    ecs.attach_disk(models.AttachDiskRequest(instance_id=second, disk_id=data))
    assert [d.disk_id for d in disks(ecs, second) if d.type == "data"] == [data]
    assert refusal(ecs.delete_disk, models.DeleteDiskRequest(disk_id=data)) == ("IncorrectDiskStatus", 403)


def test_an_image_of_several_disks_runs_with_all_of_them(world: World, ecs: Client, launch: Launch) -> None:
    registered = world.register("sample", count=2)
    assert world.register("sample", count=2) == registered
    name = launch(image_id=registered)
    world.work()
    assert [(d.type, d.size) for d in disks(ecs, name)] == [("system", 20), ("data", 3)]
    paths = [disk.path.read_text() for disk in world.hypervisor.machine(name).spec.disks]
    assert [f"../images/{registered}/{index}.qcow2" in text for index, text in enumerate(paths)] == [
        True,
        True,
    ]


def test_a_new_disk_has_no_snapshot_before_it_was_attached(world: World, ecs: Client, launch: Launch) -> None:
    made = ecs.create_disk(
        models.CreateDiskRequest(
            region_id="local", zone_id="local-a", size=5, disk_name="new", client_token="t"
        )
    ).body.disk_id
    world.work()
    request = models.CreateSnapshotRequest(disk_id=made)
    assert refusal(ecs.create_snapshot, request) == ("IncorrectDiskStatus.NeverAttached", 403)
    name = launch()
    world.work()
    stop(world, ecs, name)
    ecs.attach_disk(models.AttachDiskRequest(instance_id=name, disk_id=made))
    ecs.create_snapshot(request)
    assert refusal(ecs.create_snapshot, request) == ("IncorrectDiskStatus.CreatingSnapshot", 403)
    ecs.start_instance(models.StartInstanceRequest(instance_id=name))
    world.power.step()
    assert instance(ecs, name).status == "Starting", "nobody writes to a disk whose file moves"
    world.work()
    assert instance(ecs, name).status == "Running"


def test_a_disk_of_a_snapshot_holds_what_was_taken(world: World, ecs: Client, launch: Launch) -> None:
    name = launch(data_disk=[models.RunInstancesRequestDataDisk(size=7)])
    world.work()
    stop(world, ecs, name)
    taken = take(world, ecs, disks(ecs, name)[1].disk_id)
    small = models.CreateDiskRequest(region_id="local", zone_id="local-a", size=6, snapshot_id=taken)
    assert refusal(ecs.create_disk, small) == ("InvalidDiskSize.TooSmall", 400)
    made = ecs.create_disk(
        models.CreateDiskRequest(region_id="local", zone_id="local-a", snapshot_id=taken)
    ).body.disk_id
    world.work()
    assert f"../snapshots/{taken}.qcow2" in (world.folder / "disks" / f"{made}.qcow2").read_text()


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"user_data": "%%%"}, "InvalidUserData.Base64FormatInvalid"),
        ({"user_data": encoded("x" * (16385))}, "InvalidUserData.SizeExceeded"),
        ({"instance_type": "ecs.none"}, "InvalidInstanceType.ValueNotSupported"),
        ({"instance_type": "ecs.l1a.small"}, "InvalidParameter.NotMatch"),
        ({"image_id": "m-0"}, "InvalidImageId.NotFound"),
        ({"v_switch_id": "vsw-0"}, "InvalidVSwitchId.NotFound"),
        ({"security_group_id": "sg-0"}, "InvalidSecurityGroupId.NotFound"),
        (
            {"data_disk": [models.RunInstancesRequestDataDisk(disk_name="x")]},
            "MissingParameter.DataDisk.1.Size",
        ),
        (
            {"system_disk": models.RunInstancesRequestSystemDisk(size="19")},
            "InvalidParameter.SystemDisk.Size",
        ),
    ],
)
def test_a_bad_request_makes_nothing(
    world: World,
    ecs: Client,
    launch: Launch,
    more: dict[str, Any],
    code: str,  # Any: fields of the SDK
) -> None:
    with pytest.raises(ClientException) as caught:
        launch(**more)
    assert caught.value.code == code
    assert ecs.describe_disks(models.DescribeDisksRequest(region_id="local")).body.total_count == 0
