"""Instances of the image that a job delivered, by the official SDK."""

from alibabacloud_smc20190601.client import Client
from tests.conformance.smc_sdk import call, refused
from tests.conformance.test_smc_sdk_jobs import create
from tests.unit.center.running import Center

from smc.center.store.resources import IMAGE
from smc.cloud.driver import DiskSpec, ImageDisk, ImageSpec, InstanceSpec, Kind
from smc.model.server import Architecture, Firmware


def test_a_delivered_image_becomes_an_instance_and_both_go_without_a_trace(
    running: Center, sdk: Client, source: str
) -> None:
    job = create(sdk, source)
    image = deliver(running, job)
    before = running.cloud.left
    told = call(sdk, "DescribeImages")["Images"]["Image"]
    assert [(one["ImageId"], one["ImageName"], one["JobId"]) for one in told] == [(image, "web", job)]
    made = call(sdk, "CreateInstanceFromImage", ImageId=image, OpenPort=["22=40022", "80"])
    instance = made["InstanceId"]
    assert running.cloud.instance(instance) is not None
    with refused("ImageUsed", match=instance):
        call(sdk, "DeleteImage", ImageId=image)
    call(sdk, "DeleteInstanceFromImage", InstanceId=instance)
    assert running.cloud.left == before
    call(sdk, "DeleteImage", ImageId=image)
    assert running.cloud.image(image) is None
    assert call(sdk, "DescribeImages")["Images"]["Image"] == []
    for wrong, code in (
        ({"ImageId": "m-none"}, "InvalidImageId.NotFound"),
        ({"ImageId": image}, "InvalidImageId.NotFound"),
    ):
        with refused(code):
            call(sdk, "CreateInstanceFromImage", **wrong)


def test_an_instance_of_an_image_is_in_the_group_and_of_the_launch_template_of_its_job(
    running: Center, sdk: Client, source: str
) -> None:
    job = create(
        sdk, source, resource_group_id="rg-1", launch_template_id="lt-1", launch_template_version="3"
    )
    image = deliver(running, job)
    made = call(sdk, "CreateInstanceFromImage", ImageId=image)["InstanceId"]
    seen, spec = running.cloud.instance(made), running.cloud.launched_as(made)
    assert seen
    assert seen.resource_group == "rg-1"
    assert (spec.launch_template, spec.launch_template_version, spec.instance_type) == ("lt-1", "3", "")
    other = call(sdk, "CreateInstanceFromImage", ImageId=image, LaunchTemplateId="lt-2")["InstanceId"]
    spec = running.cloud.launched_as(other)
    assert (spec.launch_template, spec.launch_template_version) == ("lt-2", "")
    other = call(sdk, "CreateInstanceFromImage", ImageId=image, LaunchTemplateVersion="4")["InstanceId"]
    spec = running.cloud.launched_as(other)
    assert (spec.launch_template, spec.launch_template_version) == ("lt-1", "4")


def test_another_launch_template_of_a_job_has_no_version_of_the_one_before(
    running: Center, sdk: Client, source: str
) -> None:
    job = create(sdk, source, launch_template_id="lt-1", launch_template_version="3")
    for changes, kept in (
        ({"LaunchTemplateVersion": "4"}, ("lt-1", "4")),
        ({"LaunchTemplateId": "lt-2"}, ("lt-2", "")),
        ({"LaunchTemplateId": "lt-3", "LaunchTemplateVersion": "5"}, ("lt-3", "5")),
    ):
        call(sdk, "ModifyReplicationJobAttribute", JobId=job, **changes)
        made = running.parts.store.jobs.find(job)
        assert made
        assert (made.request.launch_template_id, made.request.launch_template_version) == kept


def test_a_version_of_no_launch_template_is_refused(running: Center, sdk: Client, source: str) -> None:
    image = deliver(running, create(sdk, source))
    with refused("MissingParameter.LaunchTemplateId"):
        call(sdk, "CreateInstanceFromImage", ImageId=image, LaunchTemplateVersion="3")


def deliver(running: Center, job: str) -> str:
    """An image as a run delivers it."""
    cloud = running.cloud
    vpc = cloud.create_vpc("n", "10.0.0.0/16", {}, "t1")
    while not cloud.vpc_ready(vpc):
        pass
    vswitch = cloud.create_vswitch(vpc, cloud.zones()[0], "n", "10.0.0.0/24", {}, "t2")
    while not cloud.vswitch_ready(vswitch):
        pass
    group = cloud.create_security_group(vpc, "n", {}, "t3")
    spec = InstanceSpec(
        name="n",
        zone=cloud.zones()[0],
        vswitch=vswitch,
        security_group=group,
        data_disks=(DiskSpec(name="d", size_gib=30),),
    )
    instance = cloud.launch(spec, {}, "t4")
    for _ in range(5):
        cloud.instance(instance)
    snapshot = cloud.create_snapshot(cloud.disks(instance)[1].id, "s", {}, "t5")
    while (seen := cloud.snapshot(snapshot)) and not seen.ready:
        pass
    disks = (ImageDisk(snapshot=snapshot, size_gib=30),)
    image_spec = ImageSpec(
        name="web",
        description="",
        platform="Debian",
        architecture=Architecture.X86_64,
        firmware=Firmware.BIOS,
        disks=disks,
    )
    image = cloud.create_image(image_spec, {}, "t6")
    for _ in range(5):
        cloud.image(image)
    running.parts.store.resources.record(Kind.IMAGE, image, name="web", job=job, run=1, purpose=IMAGE)
    return image
