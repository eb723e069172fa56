"""What the check of a converted copy found (ours): DescribeImageCheck."""

from collections.abc import Sequence

from smc.center.api.context import Context
from smc.center.api.progress import OneJob
from smc.model.report import Check, Level
from smc.rpc.dispatch import Actions, Caller, Reply, action

NOT_RUN = "NotRun"
LEVELS = {  # the word of the API, the gravest last
    Level.PASSED: "Passed",
    Level.INFORMATION: "Information",
    Level.WARNING: "Warning",
    Level.CRITICAL: "Critical",
}


class ImageCheckActions:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store

    def actions(self) -> Actions:
        return {"DescribeImageCheck": action(OneJob, self._describe)}

    def _describe(self, request: OneJob, _caller: Caller) -> Reply:
        """What was found of the image that the newest converted run made: `Status` is that of the gravest
        item (Passed, Warning, Critical), or NotRun. It never fails the job.
        """
        job = self._context.job(request.job_id)
        for run in reversed(self._store.runs.of_job(job.id)):
            report = self._store.runs.report(job.id, run.number) if run.reported else None
            if report is not None:
                checks = report.checks if job.request.image_check else ()
                return {
                    "JobId": job.id,
                    "Run": run.number,
                    "ImageId": run.image_id,
                    "Status": _status(checks),
                    "Items": {"Item": [_described(check) for check in checks]},
                }
        return {"JobId": job.id, "Run": 0, "ImageId": "", "Status": NOT_RUN, "Items": {"Item": []}}


def _status(checks: Sequence[Check]) -> str:
    if not checks:
        return NOT_RUN
    order = list(LEVELS)
    gravest = max((check.level for check in checks), key=order.index)
    return LEVELS[Level.PASSED if gravest is Level.INFORMATION else gravest]


def _described(check: Check) -> dict[str, str]:
    return {
        "Name": check.item,
        "Level": LEVELS[check.level],
        "Finding": check.finding,
        "Cure": check.cure,
    }
