"""Drills (ours): DescribeDrillReports, EstimateMigration, RetryDrill."""

from smc.base.errors import UserError
from smc.center.api.context import Context
from smc.center.api.cross_zone import require_server_job
from smc.center.api.start_job import begin
from smc.center.api.words import written
from smc.center.drill.estimate import Estimate, speed_of
from smc.center.store.job_filter import JobFilter
from smc.model.drill import DrillReport
from smc.model.job import JobStatus, RunAim, RunType
from smc.model.report import Level
from smc.model.server import mounted
from smc.rpc.dispatch import Actions, Caller, Reply, action
from smc.rpc.params import Request

TESTABLE = (JobStatus.READY, JobStatus.STOPPED, JobStatus.IN_ERROR)
LEVELS = {  # of the report -> of the API (service-facts 4)
    Level.PASSED: "Passed",
    Level.INFORMATION: "Passed",
    Level.WARNING: "Warning",
    Level.CRITICAL: "Critical",
}


class OneJob(Request, frozen=True, kw_only=True):
    job_id: str


class EstimateMigration(Request, frozen=True, kw_only=True):
    """`bandwidth` is Mbit/s of the line, for a source of which nothing was measured."""

    source_id: str
    bandwidth: float = 0.0


class DrillActions:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store

    def actions(self) -> Actions:
        return {
            "DescribeDrillReports": action(OneJob, self._describe),
            "EstimateMigration": action(EstimateMigration, self._estimate),
            "RetryDrill": action(OneJob, self._retry),
        }

    def _describe(self, request: OneJob, _caller: Caller) -> Reply:
        """The reports of the job's migration tests, newest first: volume in bytes, speed measured in bytes a
        second before compression, estimated seconds by stage, items with level Passed, Warning or Critical.
        """
        job = self._context.job(request.job_id)
        reports = [told(report) for report in self._store.drills.of_job(job.id)]
        return {"JobId": job.id, "DrillReports": {"DrillReport": reports}}

    def _estimate(self, request: EstimateMigration, _caller: Caller) -> Reply:
        """How long a migration of the source will take, by stage, in seconds. The speed is that of its newest
        drill or run; of a source that never moved a byte, that of `Bandwidth`.
        """
        source = self._context.source(request.source_id)
        size = sum(filesystem.used for filesystem in mounted(source.server))
        measured = self._measured(source.id)
        speed = measured or speed_of(request.bandwidth)
        if speed <= 0:
            raise UserError(
                "Nothing was measured of this source yet.",
                code="MissingParameter.Bandwidth",
                hint="Give Bandwidth, in Mbit/s, or run a migration test.",
            )
        estimate = Estimate(size=size, speed=speed)
        return {
            "SourceId": source.id,
            "DataVolume": size,
            "Speed": round(speed, 1),
            "Measured": bool(measured),
            "Stages": {
                "Stage": [{"Name": name, "Seconds": seconds} for name, seconds in estimate.seconds.items()]
            },
            "TotalSeconds": estimate.total,
        }

    def _retry(self, request: OneJob, _caller: Caller) -> Reply:
        """Test the migration once more, or for the first time, whatever the job's ExecutionMethod is; only
        before it has moved anything for good.
        """
        job = self._context.job(request.job_id)
        require_server_job(job.moved_instance, "A migration test")
        if any(run.aim is not RunAim.DRILL for run in self._store.runs.of_job(job.id)):
            raise UserError(
                f"The migration of {job.id} has begun: there is nothing to test any more.",
                code="ReplicationJob.AlreadyRun",
                hint="Create another job to test it.",
            )
        begin(self._context, job, RunType.MANUAL, TESTABLE, aim=RunAim.DRILL)
        return {}

    def _measured(self, source: str) -> float:
        """Bytes a second, 0 where no drill of the source has moved data."""
        _, jobs = self._store.jobs.page(JobFilter(source_ids=(source,)), offset=0, limit=20)
        speeds = (report.speed for job in jobs for report in self._store.drills.of_job(job.id))
        return next((speed for speed in speeds if speed > 0), 0.0)


def told(report: DrillReport) -> dict[str, object]:
    return {
        "Run": report.run,
        "Status": report.status.value,
        "StartTime": written(report.started),
        "EndTime": written(report.ended or None),
        "DataVolume": report.size,
        "Speed": report.speed,
        "Stages": {"Stage": [{"Name": name, "Seconds": value} for name, value in report.seconds.items()]},
        "Items": {
            "Item": [
                {
                    "Group": item.group.value,
                    "Name": item.name,
                    "Level": LEVELS[item.level],
                    "Description": item.finding,
                    "Solution": item.cure,
                }
                for item in report.items
            ]
        },
        "Screenshot": report.screenshot,
        "Console": report.console,
    }
