"""Images written out as files (API ECS 2014-05-26). A bucket is a folder of `exports` here."""

import re
from typing import Annotated, Literal

import msgspec

from smc.base.errors import UserError
from smc.localcloud.api.asking import Regional, get
from smc.localcloud.cloud import Cloud
from smc.localcloud.things import Export, ExportStatus, Image, ImageStatus, new_id, stamp
from smc.rpc.dispatch import Reply

BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")  # OSS: 3 to 63 characters
PREFIX = re.compile(r"[A-Za-z0-9_-]{0,30}")


class ExportImage(Regional, frozen=True, kw_only=True):
    image_id: str
    image_format: Literal["raw", "qcow2", "vhd", "vmdk"] = "raw"
    oss_bucket: Annotated[str, msgspec.Meta(max_length=63)] = msgspec.field(name="OSSBucket", default="")
    oss_prefix: str = msgspec.field(name="OSSPrefix", default="")
    role_name: str = ""


def export_image(cloud: Cloud, request: ExportImage) -> Reply:
    if not request.oss_bucket:
        raise UserError("The parameter OSSBucket is missing.", code="MissingParameter.OSSBucket")
    if not BUCKET.fullmatch(request.oss_bucket):
        raise UserError(
            f"{request.oss_bucket!r} is not the name of a bucket.",
            code="InvalidOSSBucket.NotFound",
            hint="3 to 63 small letters, digits and -, beginning and ending with a letter or digit.",
        )
    if not PREFIX.fullmatch(request.oss_prefix):
        raise UserError(
            f"{request.oss_prefix!r} cannot begin the names of files.",
            code="InvalidOSSPrefix.MalFormed",
            hint="At most 30 letters, digits, _ and -.",
        )
    with cloud.store.transaction():
        image = get(cloud, Image, request.image_id)
        if image.public:
            raise UserError(f"Image {image.id} is a system image.", code="InvalidImageType.NotSupported")
        if image.status is not ImageStatus.AVAILABLE:
            raise UserError(
                f"Image {image.id} is {image.status.value}.", code="InvalidImageId.NotReady", hint="Wait."
            )
        export = Export(
            id=new_id("t"),
            created=stamp(cloud.now()),
            image=image.id,
            format=request.image_format,
            bucket=request.oss_bucket,
            prefix=request.oss_prefix,
        )
        cloud.store.put(export)
    cloud.stir()
    return {"TaskId": export.id, "RegionId": cloud.region}


class DescribeTaskAttribute(Regional, frozen=True, kw_only=True):
    task_id: str


def describe_task_attribute(cloud: Cloud, request: DescribeTaskAttribute) -> Reply:
    export = get(cloud, Export, request.task_id)
    failed = export.status is ExportStatus.FAILED
    operations = [
        {
            "OperationStatus": "Failed" if failed else "Success",
            "ErrorCode": "ExportFailed" if failed else "",
            "ErrorMsg": export.why,
            "RelatedItemSet": {"RelatedItem": [{"Name": "ImageId", "Value": export.image}]},
        }
    ]
    return {
        "TaskId": export.id,
        "RegionId": cloud.region,
        "TaskAction": "ExportImage",
        "TaskStatus": export.status.value,
        "TaskProcess": f"{export.percent}%",
        "CreationTime": export.created,
        "SupportCancel": "false",
        "OperationProgressSet": {"OperationProgress": operations},
    }
