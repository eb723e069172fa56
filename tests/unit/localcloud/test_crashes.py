"""A cloud that is killed between writing and doing goes on where it was; a token makes nothing twice."""

from typing import Any

import pytest
from alibabacloud_ecs20140526 import models
from alibabacloud_ecs20140526.client import Client
from alibabacloud_tea_openapi.exceptions import ClientException
from tests.unit.localcloud.conftest import Launch, World, encoded

from smc.base.errors import UserError
from smc.localcloud.api.instances import StartInstance, start_instance
from smc.localcloud.main import running
from smc.localcloud.memory import FakeHypervisor
from smc.localcloud.things import (
    Disk,
    DiskStatus,
    Image,
    Instance,
    InstanceStatus,
    Layer,
    Snapshot,
    SnapshotStatus,
)


class Killed(BaseException):
    """kill -9: nothing after it happens."""


def killed(*_: object, **__: object) -> None:
    raise Killed


def stopped_with_snapshot(world: World, ecs: Client, launch: Launch) -> tuple[str, str]:
    """An instance's disk, and a snapshot of it that is asked for."""
    name = launch()
    world.work()
    ecs.stop_instance(models.StopInstanceRequest(instance_id=name))
    world.work()
    (disk,) = world.cloud.store.all(Disk)
    answer = ecs.create_snapshot(models.CreateSnapshotRequest(disk_id=disk.id))
    return disk.id, str(answer.body.snapshot_id)


def check_chain(world: World, disk: str, snapshot: str) -> None:
    """The disk stands on the snapshot, the snapshot on the image, and the files say the same."""
    taken = world.cloud.store.get(Snapshot, snapshot)
    assert taken is not None
    assert taken.status is SnapshotStatus.ACCOMPLISHED
    (image,) = world.cloud.store.all(Image)
    layers = {layer.id: layer.parent for layer in world.cloud.store.all(Layer)}
    assert layers[f"disks/{disk}.qcow2"] == f"snapshots/{snapshot}.qcow2"
    assert layers[f"snapshots/{snapshot}.qcow2"] == image.disks[0].layer
    assert f"../snapshots/{snapshot}.qcow2" in (world.folder / "disks" / f"{disk}.qcow2").read_text()
    assert image.disks[0].layer in (world.folder / "snapshots" / f"{snapshot}.qcow2").read_text()
    assert not list(world.folder.glob("**/*.new"))


def test_a_snapshot_survives_a_kill_before_anything_was_done(
    world: World, ecs: Client, launch: Launch
) -> None:
    disk, snapshot = stopped_with_snapshot(world, ecs, launch)
    world.restart()
    world.work()
    check_chain(world, disk, snapshot)


@pytest.mark.parametrize("moment", ["create", "rename", "replace", "put"])
def test_a_snapshot_survives_a_kill_at_each_moment(
    world: World, ecs: Client, launch: Launch, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    disk, snapshot = stopped_with_snapshot(world, ecs, launch)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        match moment:
            case "create":
                patch.setattr(world.cloud.layers, "_run", killed)
            case "rename":
                patch.setattr("pathlib.Path.rename", killed)
            case "replace":
                patch.setattr("pathlib.Path.replace", killed)
            case "put":
                patch.setattr(world.cloud.store, "put", killed)
        world.storage.step()
    world.restart()
    world.work()
    check_chain(world, disk, snapshot)


def test_a_full_filesystem_fails_the_snapshot_and_leaves_the_disk(
    world: World, ecs: Client, launch: Launch
) -> None:
    disk, snapshot = stopped_with_snapshot(world, ecs, launch)
    world.qemu_img.fail = "create"
    world.work()
    taken = world.cloud.store.get(Snapshot, snapshot)
    assert taken is not None
    assert taken.status is SnapshotStatus.FAILED
    assert (world.folder / "disks" / f"{disk}.qcow2").exists()
    (instance,) = world.cloud.store.all(Instance)
    ecs.start_instance(models.StartInstanceRequest(instance_id=instance.id))
    world.work()
    assert world.hypervisor.machine(instance.id).alive


def test_a_disk_that_cannot_be_made_is_made_later(world: World, launch: Launch) -> None:
    world.qemu_img.fail = "create"
    name = launch()
    world.work()
    (disk,) = world.cloud.store.all(Disk)
    assert disk.status is DiskStatus.CREATING
    world.qemu_img.fail = ""
    world.clock += 20
    world.work()
    assert world.hypervisor.machine(name).alive


def test_machines_run_on_when_the_cloud_is_killed_and_are_found_again(world: World, launch: Launch) -> None:
    name = launch()
    world.work()
    world.restart()
    world.work()
    (instance,) = world.cloud.store.all(Instance)
    assert instance.status is InstanceStatus.RUNNING
    assert len(world.hypervisor.machines) == 1
    world.hypervisor.machine(name).alive = False
    world.restart()
    world.work()
    (instance,) = world.cloud.store.all(Instance)
    assert instance.status is InstanceStatus.STOPPED


def test_a_machine_started_just_before_the_kill_is_not_started_twice(
    world: World, launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = launch()
    world.storage.step()
    world.power.step()
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(world.cloud.store, "put", killed)
        world.power.step()
    assert world.hypervisor.machine(name).alive
    world.restart()
    world.work()
    (instance,) = world.cloud.store.all(Instance)
    assert instance.status is InstanceStatus.RUNNING
    assert len(world.hypervisor.machines) == 1


def test_a_machine_that_was_released_while_nobody_looked_is_ended(
    world: World, ecs: Client, launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = launch()
    world.storage.step()
    world.power.step()
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(world.cloud.store, "put", killed)
        world.power.step()
    ecs.delete_instance(models.DeleteInstanceRequest(instance_id=name, force=True))
    world.work()
    assert not world.hypervisor.machine(name).alive
    assert world.cloud.store.all(Instance) == []


def test_a_token_gives_the_same_instance_again(world: World, ecs: Client, launch: Launch) -> None:
    image = world.register()
    first = launch(image_id=image, client_token="t-1")
    world.work()
    assert launch(image_id=image, client_token="t-1") == first
    assert launch(image_id=image, client_token="t-2") != first
    with pytest.raises(ClientException) as caught:
        launch(image_id=image, client_token="t-1", instance_name="another")
    assert (caught.value.code, caught.value.status_code) == ("IdempotentParameterMismatch", 400)
    assert len(world.cloud.store.all(Instance)) == 2


def test_a_refused_request_does_not_use_its_token_up(world: World, ecs: Client) -> None:
    request = models.CreateSnapshotRequest(disk_id="d-0", client_token="t-1")
    for _ in range(2):
        with pytest.raises(ClientException) as caught:
            ecs.create_snapshot(request)
        assert caught.value.code == "InvalidDiskId.NotFound"


def test_one_process_runs_a_folder(world: World, tmp_path: Any) -> None:  # Any: pytest's own path type
    folder, runtime = tmp_path / "other", tmp_path / "run"
    with (
        running(folder, FakeHypervisor(), runtime=runtime),
        pytest.raises(UserError, match="Another process"),
        running(folder, FakeHypervisor(), runtime=runtime),
    ):
        pass
    with running(folder, FakeHypervisor(), runtime=runtime) as cloud:
        assert cloud.store.all(Instance) == []


@pytest.mark.parametrize("moment", ["create", "replace", "put"])
def test_a_reset_survives_a_kill_at_each_moment(
    world: World, ecs: Client, launch: Launch, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    disk, snapshot = stopped_with_snapshot(world, ecs, launch)
    world.work()
    file = world.folder / "disks" / f"{disk}.qcow2"
    file.write_text("written later")
    ecs.reset_disk(models.ResetDiskRequest(disk_id=disk, snapshot_id=snapshot))
    with monkeypatch.context() as patch, pytest.raises(Killed):
        match moment:
            case "create":
                patch.setattr(world.cloud.layers, "_run", killed)
            case "replace":
                patch.setattr("pathlib.Path.replace", killed)
            case "put":
                patch.setattr(world.cloud.store, "put", killed)
        world.work()
    world.restart()
    instance = world.cloud.store.all(Instance)[0].id
    start_instance(world.cloud, StartInstance(instance_id=instance))
    world.power.step()
    assert world.hypervisor.machine(instance).alive is False, "it waits for its disk"
    world.work()
    assert world.hypervisor.machine(instance).alive
    check_chain(world, disk, snapshot)


def test_an_instance_waits_for_its_new_system_disk(world: World, ecs: Client, launch: Launch) -> None:
    instance = launch()
    world.work()
    ecs.stop_instance(models.StopInstanceRequest(instance_id=instance))
    world.work()
    ecs.replace_system_disk(models.ReplaceSystemDiskRequest(instance_id=instance, image_id=world.register()))
    ecs.start_instance(models.StartInstanceRequest(instance_id=instance))
    world.power.step()
    assert not world.hypervisor.machine(instance).alive
    world.work()
    (disk,) = world.cloud.store.all(Disk)
    assert world.hypervisor.machine(instance).spec.disks[0].serial == disk.serial


def test_user_data_that_says_nothing_makes_no_seed_disk(world: World, ecs: Client, launch: Launch) -> None:
    instance = launch(user_data=encoded("#!/bin/sh\necho first\n"))
    world.work()
    assert world.hypervisor.machine(instance).spec.seed
    ecs.stop_instance(models.StopInstanceRequest(instance_id=instance))
    world.work()
    nothing = models.ModifyInstanceAttributeRequest(
        instance_id=instance, user_data=encoded("#cloud-config\n{}\n")
    )
    ecs.modify_instance_attribute(nothing)
    ecs.start_instance(models.StartInstanceRequest(instance_id=instance))
    world.work()
    assert world.hypervisor.machine(instance).spec.seed is None
