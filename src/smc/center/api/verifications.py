"""Whether what a job delivered comes up (ours): VerifyMigrationResult, DescribeVerifications,
DescribeVerificationEvidence."""

import base64
from typing import Annotated

import msgspec

from smc.base.errors import UserError
from smc.center.api.context import Context
from smc.center.api.words import PageNumber, PageSize, Short, check_ids, invalid, offset, page, written
from smc.center.store.verifications import Verification, Wish
from smc.rpc.dispatch import Actions, Caller, Reply, action
from smc.rpc.params import Request

SSH = 22
MOST_PORTS = 16
LARGEST_CONSOLE = 256 << 10  # bytes of its end: an answer stays small
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Timeout = Annotated[int, msgspec.Meta(ge=60, le=7200)]


class VerifyMigrationResult(Request, frozen=True, kw_only=True):
    job_id: str
    port: tuple[Port, ...] = ()
    instance_type: Short = ""
    v_switch_id: Short = ""
    timeout: Timeout = 900
    keep: bool = False


class DescribeVerifications(Request, frozen=True, kw_only=True):
    verification_id: tuple[str, ...] = ()
    job_id: tuple[str, ...] = ()
    page_number: PageNumber = 1
    page_size: PageSize = 10


class OneVerification(Request, frozen=True, kw_only=True):
    verification_id: str


class VerificationActions:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store

    def actions(self) -> Actions:
        return {
            "VerifyMigrationResult": action(VerifyMigrationResult, self._verify),
            "DescribeVerifications": action(DescribeVerifications, self._describe),
            "DescribeVerificationEvidence": action(OneVerification, self._evidence),
        }

    def _verify(self, request: VerifyMigrationResult, _caller: Caller) -> Reply:
        """Boot an instance of the image that a job delivered, where only this center reaches it and it
        reaches nothing, and wait until each `Port` (22) answers with bytes; then release it, unless `Keep`.
        `Timeout` in seconds, 60-7200, from now. DescribeVerifications tells how it went.
        """
        job = self._context.job(request.job_id)
        if not job.image_id:
            raise UserError(
                f"The job {job.id} has not delivered an image.",
                code="ReplicationJob.NoImage",
                hint="Wait until it is Finished; what was written onto an instance is tried there.",
            )
        ports = tuple(dict.fromkeys(request.port)) or (SSH,)
        if len(ports) > MOST_PORTS:
            raise invalid("Port", f"{len(ports)} ports; {MOST_PORTS} are allowed.")
        if self._context.driver.image(job.image_id) is None:
            raise UserError(
                f"The image {job.image_id} of the job {job.id} is gone.",
                code="InvalidImageId.NotFound",
                hint="DescribeImages lists the images that are there.",
            )
        if request.v_switch_id:
            self._context.driver.vpc_of(request.v_switch_id)
        made = self._store.verifications.create(
            job=job.id,
            source=job.source_id,
            image=job.image_id,
            wish=Wish(
                ports=ports,
                timeout=float(request.timeout),
                instance_type=request.instance_type,
                vswitch=request.v_switch_id,
                keep=request.keep,
            ),
        )
        self._context.jobs.verify(made)
        return {"VerificationId": made}

    def _describe(self, request: DescribeVerifications, _caller: Caller) -> Reply:
        """Verifications, newest first, also of jobs that are deleted. `Status`: Running; Verified;
        NotVerified, with the cause as its console tells it; NotRun, when no instance could be booted.
        """
        total, found = self._store.verifications.page(
            ids=check_ids(request.verification_id, "VerificationId"),
            jobs=check_ids(request.job_id, "JobId"),
            offset=offset(request.page_number, request.page_size),
            limit=request.page_size,
        )
        return {
            **page(request.page_number, request.page_size, total),
            "Verifications": {"Verification": [_described(one) for one in found]},
        }

    def _evidence(self, request: OneVerification, _caller: Caller) -> Reply:
        """The console's text (the last 256 KiB) and the picture of the screen (JPEG in base64), as they were
        when it was decided.
        """
        one = self._store.verifications.find(request.verification_id)
        if one is None:
            raise UserError(
                f"There is no verification {request.verification_id}.",
                code="InvalidVerificationId.NotFound",
                hint="DescribeVerifications lists them.",
            )
        console = self._context.blobs.read(one.console)[-LARGEST_CONSOLE:]
        screenshot = self._context.blobs.read(one.screenshot)
        return {
            "VerificationId": one.id,
            "Console": console.decode(errors="replace"),
            "Screenshot": base64.b64encode(screenshot).decode(),
        }


def _described(one: Verification) -> dict[str, object]:
    outcome = one.outcome
    return {
        "VerificationId": one.id,
        "JobId": one.job,
        "SourceId": one.source,
        "ImageId": one.image,
        "Status": one.state.value,
        "InstanceId": one.instance,
        "Keep": one.wish.keep,
        "Timeout": int(one.wish.timeout),
        "CreationTime": written(one.created),
        "EndTime": written(one.ended),
        "Code": outcome.code if outcome else "",
        "Message": outcome.message if outcome else "",
        "Hint": outcome.hint if outcome else "",
        "PoweredOn": outcome.powered_on if outcome else False,
        "NetworkUp": outcome.network_up if outcome else False,
        "Seconds": outcome.seconds if outcome else 0.0,
        "Ports": {
            "Port": [
                {"Port": port.port, "State": port.state, "Banner": port.banner}
                for port in (outcome.ports if outcome else ())
            ]
        },
    }
