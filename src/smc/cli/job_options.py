"""What the verbs of `smc job` share: their arguments, and how sizes and times are written."""

import re
from datetime import UTC, datetime
from typing import Annotated

import typer

from smc.base.errors import UserError
from smc.client.api import Api, Json
from smc.client.watch import job_named

JobId = Annotated[str, typer.Argument(help="Job id: j-...")]
Wait = Annotated[
    bool, typer.Option("--wait", help="Show progress until it has ended or waits; exit 1 when it failed.")
]
At = Annotated[
    str,
    typer.Option(
        metavar="TIME", help="Start by itself then: 2026-11-22T10:00:00Z, or +90m, +2h, +1d from now."
    ),
]
Every = Annotated[
    int | None, typer.Option(metavar="HOURS", help="Go round after round: hours from one to the next, 1-168.")
]
Keep = Annotated[int | None, typer.Option(help="With --every: how many images are kept, 1-10.")]
SystemDiskGib = Annotated[
    int, typer.Option(help="Size of the target system disk, 20-2048; 0: the source's, at least 20.")
]
DataDisks = Annotated[
    list[str] | None, typer.Option(help="INDEX=GIB for each data disk whose size is to change.")
]
LONGEST_WAIT_SECONDS = 90 * 24 * 3600.0  # a job is valid for so long at most
SOONEST_SECONDS = 600.0  # as in the vendor's console: less than that is `--start`

_SIZED_DISK = re.compile(r"(\d{1,2})=(\d{1,5})")
_AHEAD = re.compile(r"\+(\d{1,5})([mhd])")
_SECONDS = {"m": 60.0, "h": 3600.0, "d": 86400.0}
_TIME = "%Y-%m-%dT%H:%M:%SZ"


def job_as_told(api: Api, job: str) -> Json:
    """All that DescribeReplicationJobs has of it. Raises `UserError` (`InvalidJobId.NotFound`)."""
    found = api.call("DescribeReplicationJobs", {"JobId": [job_named(api, job).job_id]})
    described: Json = found["ReplicationJobs"]["ReplicationJob"][0]
    return described


def sized(texts: list[str]) -> list[Json]:
    """`1=40` -> DataDisk with Index 1 and Size 40. Raises `UserError` on anything else."""
    disks: list[Json] = []
    for text in texts:
        match = _SIZED_DISK.fullmatch(text)
        if match is None:
            raise UserError(
                f"--data-disk {text}: INDEX=GIB is wanted",
                code="InvalidParameter.DataDisk",
                hint="For example --data-disk 1=40 makes the first data disk 40 GiB.",
            )
        disks.append({"Index": int(match[1]), "Size": int(match[2])})
    return disks


def moment(text: str, now: float, *, parameter: str, soonest: float = 0.0) -> str:
    """As the API writes it; "" stays "". Raises `UserError` (`InvalidParameter.<parameter>`)."""
    if not text:
        return ""
    ahead = _AHEAD.fullmatch(text)
    try:
        seconds = (
            now + int(ahead[1]) * _SECONDS[ahead[2]]
            if ahead
            else datetime.strptime(text, _TIME).replace(tzinfo=UTC).timestamp()
        )
    except ValueError as e:
        raise UserError(
            f"{text!r} is not a time",
            code=f"InvalidParameter.{parameter}",
            hint="Give 2026-11-22T10:00:00Z (UTC), or +90m, +2h, +1d from now.",
        ) from e
    if seconds < now + soonest:
        raise UserError(
            f"{text} is too soon: at least {soonest / 60:.0f} minutes from now are wanted",
            code=f"InvalidParameter.{parameter}",
            hint="To start now give --start.",
        )
    return datetime.fromtimestamp(seconds, UTC).strftime(_TIME)
