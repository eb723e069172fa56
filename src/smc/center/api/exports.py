"""Delivered images as files (ours): ExportImage, DescribeExport."""

from smc.base.errors import UserError
from smc.center.api.context import Context
from smc.center.api.words import Text
from smc.center.store.resources import IMAGE
from smc.cloud.driver import Kind
from smc.cloud.exports import ExportSpec, Format
from smc.rpc.dispatch import Actions, Caller, Reply, action
from smc.rpc.params import Request

BUCKET = "exports"


class ExportImage(Request, frozen=True, kw_only=True):
    """`oss_bucket`: of the cloud; in the local cloud a folder of DATA_DIR/cloud/exports."""

    image_id: str
    image_format: Format = Format.QCOW2
    o_s_s_bucket: Text = BUCKET
    o_s_s_prefix: Text = ""
    role_name: Text = ""


class DescribeExport(Request, frozen=True, kw_only=True):
    task_id: str


class ExportActions:
    def __init__(self, context: Context) -> None:
        self._context = context

    def actions(self) -> Actions:
        return {
            "ExportImage": action(ExportImage, self._export),
            "DescribeExport": action(DescribeExport, self._describe),
        }

    def _export(self, request: ExportImage, _caller: Caller) -> Reply:
        """Write a delivered image out as files, one a disk, named PREFIX_IMAGE_system.FORMAT and
        PREFIX_IMAGE_data_N.FORMAT; it goes on by itself, see DescribeExport.
        """
        known = self._context.store.resources.find(Kind.IMAGE, request.image_id)
        if known is None or known.purpose != IMAGE:
            raise UserError(
                f"{request.image_id} is no image that a job delivered here.",
                code="InvalidImageId.NotFound",
                hint="DescribeImages lists them.",
            )
        spec = ExportSpec(
            image=request.image_id,
            format=request.image_format,
            bucket=request.o_s_s_bucket,
            prefix=request.o_s_s_prefix,
            role=request.role_name,
        )
        return {"TaskId": self._context.driver.exports.start(spec)}

    def _describe(self, request: DescribeExport, _caller: Caller) -> Reply:
        """How far an export is: Status Processing, Finished or Failed, percent, and why it failed."""
        found = self._context.driver.exports.look(request.task_id)
        if found is None:
            raise UserError(
                f"The cloud knows no export {request.task_id}.",
                code="InvalidTaskId.NotFound",
                hint="ExportImage gives the id; clouds forget old ones.",
            )
        return {
            "TaskId": found.task,
            "Status": found.state.value,
            "Progress": found.percent,
            "Message": found.why,
        }
