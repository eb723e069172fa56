"""`smc job verify`, `verifications`, `evidence`, `check`: whether a delivered image is good."""

import base64
import contextlib
import time
from pathlib import Path
from typing import Annotated

import typer

from smc.base.errors import UserError
from smc.cli.connection import AsJson, connect
from smc.cli.data_dir import DEFAULT_DATA_DIR, DataDir
from smc.cli.output import out, save, show_json, show_table
from smc.client.api import Api, Json

LOOK_SECONDS = 2.0
PATIENCE_SECONDS = 60.0  # with a center that restarts
WORDS = {"Verified": "Verified", "NotVerified": "Not Verified", "NotRun": "not run", "Running": "running"}

JobId = Annotated[str, typer.Argument(help="Job id: j-...")]


def verify(
    job: JobId,
    port: Annotated[
        list[int] | None, typer.Option(help="TCP port that has to answer, 22 if none; may be given again.")
    ] = None,
    instance_type: Annotated[str, typer.Option(help="Of the instance; the cheapest in stock if none.")] = "",
    vswitch: Annotated[str, typer.Option(help="Where it is booted; in a network of its own if none.")] = "",
    timeout: Annotated[int, typer.Option(help="Seconds it may take, 60-7200.")] = 900,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the instance; `smc image list` shows it.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Until it has ended; exit 1 unless verified.")] = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Boot an instance of the delivered image, isolated, and see whether it answers."""
    api = connect(data_dir)
    made = api.call(
        "VerifyMigrationResult",
        {
            "JobId": job,
            "Port": port or None,
            "InstanceType": instance_type or None,
            "VSwitchId": vswitch or None,
            "Timeout": timeout,
            "Keep": keep,
        },
    )
    verification = made["VerificationId"]
    if not wait:
        show_json(made) if as_json else out.print(f"verifying: {verification}")
        return
    found = _ended(api, verification)
    show_json(found) if as_json else _print(found)
    if found["Status"] != "Verified":
        raise typer.Exit(1)


def verifications(job: JobId, data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False) -> None:
    """All verifications of a job, newest first."""
    answer = connect(data_dir).call("DescribeVerifications", {"JobId": [job], "PageSize": 50})
    if as_json:
        show_json(answer)
        return
    show_table(
        ("ID", "IMAGE", "RESULT", "CAUSE", "WHEN", "WHAT"),
        (
            (
                v["VerificationId"],
                v["ImageId"],
                WORDS[v["Status"]],
                v["Code"],
                v["CreationTime"],
                v["Message"],
            )
            for v in answer["Verifications"]["Verification"]
        ),
    )


def evidence(
    verification: Annotated[str, typer.Argument(help="Verification id: v-...")],
    into: Annotated[Path, typer.Option(help="Folder for console.txt and screen.jpg.")] = Path(),
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Write what the console said and the screen showed when a verification was decided."""
    answer = connect(data_dir).call("DescribeVerificationEvidence", {"VerificationId": verification})
    with contextlib.suppress(OSError):  # writing into it tells
        into.mkdir(parents=True, exist_ok=True)
    for name, content in (
        ("console.txt", answer["Console"].encode()),
        ("screen.jpg", base64.b64decode(answer["Screenshot"])),
    ):
        if content:
            save(into / name, content)
            out.print(f"{into / name}: {len(content)} bytes")
        else:
            out.print(f"there is no {name}")


def check(job: JobId, data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False) -> None:
    """What the check of the image found, and what to do about it."""
    answer = connect(data_dir).call("DescribeImageCheck", {"JobId": job})
    if as_json:
        show_json(answer)
        return
    out.print(f"[bold]{answer['Status']}[/] {answer['ImageId']}")
    items = answer["Items"]["Item"]
    show_table(
        ("CHECK", "LEVEL", "FINDING", "CURE"),
        ((i["Name"], i["Level"], i["Finding"], i["Cure"]) for i in items),
    )


def _ended(api: Api, verification: str) -> Json:
    """Raises `UserError` when it has vanished."""
    wanted = {"VerificationId": [verification]}
    while True:
        answer = api.call_until_reached("DescribeVerifications", wanted, seconds=PATIENCE_SECONDS)
        found = answer["Verifications"]["Verification"]
        if not found:
            raise UserError(f"there is no verification {verification}", code="InvalidVerificationId.NotFound")
        if found[0]["Status"] != "Running":
            described: Json = found[0]
            return described
        time.sleep(LOOK_SECONDS)


def _print(found: Json) -> None:
    out.print(f"[bold]{WORDS[found['Status']]}[/] after {found['Seconds']:.0f} s", end=" ")
    out.print(f"({found['Code']})" if found["Code"] else "", markup=False)
    out.print(f"  {found['Message']}", markup=False, soft_wrap=True)
    if found["Hint"]:
        out.print(f"  -> {found['Hint']}", markup=False, soft_wrap=True)
