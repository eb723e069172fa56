"""Exports of the memory cloud: each is finished when it was looked at twice."""

from smc.base.errors import UserError
from smc.cloud.driver import Kind
from smc.cloud.exports import Export, ExportSpec, ExportState
from smc.cloud.memory_desk import Desk


class MemoryExports:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._looks: dict[str, int] = {}

    def start(self, spec: ExportSpec) -> str:
        self._desk.look(Kind.IMAGE, spec.image)
        if not spec.bucket:
            raise UserError("OSSBucket is missing", code="MissingParameter.OSSBucket")
        with self._desk.call("export"):
            task = f"t-{len(self._looks) + 1}"
            self._looks[task] = 0
        return task

    def look(self, task: str) -> Export | None:
        if task not in self._looks:
            return None
        self._looks[task] += 1
        done = self._looks[task] > 1
        state = ExportState.FINISHED if done else ExportState.RUNNING
        return Export(task=task, state=state, percent=100 if done else 50)
