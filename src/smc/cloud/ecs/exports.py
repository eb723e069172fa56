"""Exporting images over the vendor's API: ExportImage, then DescribeTaskAttribute."""

from alibabacloud_ecs20140526 import models as ecs

from smc.base.errors import SmcError
from smc.cloud.ecs.calls import Calls
from smc.cloud.ecs.errors import is_gone
from smc.cloud.exports import Export, ExportSpec, ExportState

STATES = {"Finished": ExportState.FINISHED, "Failed": ExportState.FAILED, "Deleted": ExportState.FAILED}


class EcsExports:
    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def start(self, spec: ExportSpec) -> str:
        request = ecs.ExportImageRequest(
            region_id=self._calls.region,
            image_id=spec.image,
            image_format=spec.format.value,
            ossbucket=spec.bucket,
            ossprefix=spec.prefix or None,
            role_name=spec.role or None,
        )
        return str(self._calls.ask(self._calls.ecs.export_image_with_options, request).task_id)

    def look(self, task: str) -> Export | None:
        request = ecs.DescribeTaskAttributeRequest(region_id=self._calls.region, task_id=task)
        try:
            row = self._calls.ask(self._calls.ecs.describe_task_attribute_with_options, request)
        except SmcError as e:
            if is_gone(e.code):
                return None
            raise
        operations = row.operation_progress_set.operation_progress if row.operation_progress_set else []
        return Export(
            task=task,
            state=STATES.get(row.task_status, ExportState.RUNNING),
            percent=_percent(row.task_process),
            why=next((f"{one.error_msg} ({one.error_code})" for one in operations if one.error_code), ""),
        )


def _percent(text: str | None) -> int:
    """`57%` -> 57."""
    digits = (text or "").rstrip("%")
    return int(digits) if digits.isdecimal() else 0
