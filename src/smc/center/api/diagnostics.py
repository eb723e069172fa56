"""What helps to find out why a job went wrong (ours): DescribeDiagnostics, DescribeDiagnosticBundle."""

import base64
from typing import Annotated

import msgspec

from smc.base.errors import UserError
from smc.center.api.context import Context
from smc.center.api.progress import OneJob
from smc.center.api.words import invalid, written
from smc.center.diagnostics import bundle
from smc.rpc.dispatch import Actions, Caller, Reply, action
from smc.rpc.params import Request

PART_BYTES = 512 << 10  # of the archive in one answer


class DescribeDiagnosticBundle(Request, frozen=True, kw_only=True):
    job_id: str
    sha256: Annotated[str, msgspec.Meta(max_length=64)] = ""
    part: Annotated[int, msgspec.Meta(ge=1)] = 1


class DiagnosticActions:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store

    def actions(self) -> Actions:
        return {
            "DescribeDiagnostics": action(OneJob, self._describe),
            "DescribeDiagnosticBundle": action(DescribeDiagnosticBundle, self._bundle),
        }

    def _describe(self, request: OneJob, _caller: Caller) -> Reply:
        """Logs that are kept of a job's runs: who sent them (agent, receiver, or the intermediate instance's
        console), their size in bytes, and when. The bundle has them.
        """
        job = self._context.job(request.job_id)
        return {
            "JobId": job.id,
            "UploadDiagnosticLogs": job.request.upload_diagnostic_logs,
            "Logs": {
                "Log": [
                    {
                        "Run": log.run,
                        "Sender": log.sender,
                        "Name": log.name,
                        "Size": log.size,
                        "Time": written(log.time),
                    }
                    for log in self._store.run_logs.of_job(job.id)
                ]
            },
        }

    def _bundle(self, request: DescribeDiagnosticBundle, _caller: Caller) -> Reply:
        """A tar.gz of all that is known of a job, secrets taken out, in base64 parts of 512 KiB: the first
        tells Sha256 and Parts; ask for the others with that `Sha256` within the hour.
        """
        job = self._context.job(request.job_id)
        blobs = self._context.blobs
        name = request.sha256
        if not name:
            logs = self._context.settings.data_dir / "logs"
            name = blobs.keep(bundle(self._store, blobs, job, logs))
        content = blobs.read(name)
        if not content.startswith(b"\x1f\x8b"):  # a blob of another kind is nothing to hand out
            raise UserError(
                f"There is no bundle {name} any more.",
                code="InvalidSha256.NotFound",
                hint="Ask without Sha256: a new one is made.",
            )
        parts = -(-len(content) // PART_BYTES)
        if request.part > parts:
            raise invalid("Part", f"The bundle has {parts} parts.")
        start = (request.part - 1) * PART_BYTES
        return {
            "JobId": job.id,
            "Sha256": name,
            "Size": len(content),
            "Parts": parts,
            "Part": request.part,
            "Content": base64.b64encode(content[start : start + PART_BYTES]).decode(),
        }
