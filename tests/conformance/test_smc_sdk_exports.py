"""Exporting delivered images, by the SDK's generic call."""

from alibabacloud_smc20190601.client import Client
from tests.conformance.smc_sdk import call, refused
from tests.conformance.test_smc_sdk_delivered import deliver
from tests.conformance.test_smc_sdk_jobs import create
from tests.unit.center.running import Center


def test_a_delivered_image_is_exported(running: Center, sdk: Client) -> None:
    job = create(sdk, running.import_server().source_id)
    image = deliver(running, job)
    task = call(sdk, "ExportImage", ImageId=image, ImageFormat="vmdk", OSSBucket="moved")["TaskId"]
    told = call(sdk, "DescribeExport", TaskId=task)
    assert (told["Status"], told["Progress"], told["Message"]) == ("Processing", 50, "")
    assert call(sdk, "DescribeExport", TaskId=task)["Status"] == "Finished"


def test_what_was_not_delivered_here_is_not_exported(sdk: Client) -> None:
    with refused("InvalidImageId.NotFound"):
        call(sdk, "ExportImage", ImageId="m-none")
    with refused("InvalidTaskId.NotFound"):
        call(sdk, "DescribeExport", TaskId="t-none")
    with refused("InvalidParameter.ImageFormat"):
        call(sdk, "ExportImage", ImageId="m-none", ImageFormat="floppy")
