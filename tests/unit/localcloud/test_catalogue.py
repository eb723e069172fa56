"""Public images: registered once, replaced when their files change, independent of the originals."""

from pathlib import Path

from alibabacloud_ecs20140526 import models
from alibabacloud_ecs20140526.client import Client
from alibabacloud_tea_openapi.exceptions import ClientException
from pytest import raises
from tests.unit.localcloud.conftest import Launch, World

from smc.localcloud.catalogue import SystemImage, register
from smc.localcloud.things import Disk, Image


def make(world: World, folder: Path, name: str, text: str, family: str = "") -> str:
    path = folder / f"{name}.qcow2"
    path.unlink(missing_ok=True)
    path.write_text(text)
    image = SystemImage(name=name, files=(path,), platform="Debian", family=family)
    return register(world.cloud.store, world.cloud.layers, image, world.clock, run=world.run)


def test_an_image_is_described_as_the_vendor_does(world: World, ecs: Client) -> None:
    name = world.register("debian")
    request = models.DescribeImagesRequest(region_id="local", image_owner_alias="system", ostype="linux")
    (image,) = ecs.describe_images(request).body.images.image
    assert (image.image_id, image.platform, image.architecture, image.boot_mode, image.size) == (
        name,
        "Debian",
        "x86_64",
        "BIOS",
        3,
    )
    with raises(ClientException) as caught:
        ecs.delete_image(models.DeleteImageRequest(region_id="local", image_id=name, force=True))
    assert caught.value.code == "OperationDenied.SystemImage"


def test_other_files_replace_an_image_and_its_instances_keep_their_disks(
    world: World, launch: Launch, tmp_path: Path
) -> None:
    first = make(world, tmp_path, "debian", "one")
    launch(image_id=first)
    world.work()
    second = make(world, tmp_path, "debian", "two, longer")
    world.work()
    assert [image.id for image in world.cloud.store.all(Image)] == [second]
    (disk,) = world.cloud.store.all(Disk)
    assert (world.folder / disk.base).read_text() == "one"


def test_a_successor_in_the_family_replaces_an_image_that_nobody_uses(world: World, tmp_path: Path) -> None:
    first = make(world, tmp_path, "debian_1", "one", family="smc_debian")
    second = make(world, tmp_path, "debian_2", "two", family="smc_debian")
    world.work()
    assert [image.id for image in world.cloud.store.all(Image)] == [second]
    assert not (world.folder / "images" / first / "0.qcow2").exists()
