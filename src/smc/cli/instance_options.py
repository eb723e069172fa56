"""Options of `smc job create` for an existing instance as destination."""

import re
from typing import Annotated

import typer

from smc.base.errors import UserError
from smc.cli.disk_options import Layout
from smc.client.api import Json

CHOSEN = re.compile(r"(\d{1,2})=(d-\S+)")

TargetInstance = Annotated[
    str, typer.Option(help="Move onto this instance instead (`smc target instances` lists them): i-...")
]
YesErase = Annotated[
    str, typer.Option(metavar="INSTANCE_ID", help="Confirm that what this instance holds is erased.")
]
TargetDisk = Annotated[
    list[str] | None,
    typer.Option(help="INDEX=DISK_ID: which disk of the instance takes data disk INDEX of the source."),
]
PrivateIp = Annotated[str, typer.Option(help="Private address of the instance afterwards; none: unchanged.")]
Private = Annotated[
    bool, typer.Option("--private", help="The source reaches the instance by its private address.")
]


def onto(instance: str, *, yes_erase: str, disks: list[str], private_ip: str, private: bool) -> Json:
    """The parameters; none when no instance is given, and then the other options must not be either."""
    if not instance:
        if yes_erase or disks or private_ip or private:
            raise UserError(
                "--yes-erase, --target-disk, --private-ip and --private are for --target-instance",
                code="MissingParameter.InstanceId",
                hint="Give --target-instance as well.",
            )
        return {}
    return {
        "TargetType": "TargetInstance",
        "InstanceId": instance,
        "ConfirmErase": yes_erase or None,
        "PrivateIpAddress": private_ip or None,
        "NetMode": 2 if private else None,
    }


def chosen(layout: Layout, texts: list[str]) -> dict[int, str]:
    """`1=d-...` -> disk of the instance by data disk. Raises `UserError`."""
    found: dict[int, str] = {}
    for text in texts:
        match = CHOSEN.fullmatch(text)
        if match is None:
            raise UserError(
                f"--target-disk {text}: INDEX=DISK_ID is wanted",
                code="InvalidParameter.DiskId",
                hint="For example --target-disk 1=d-bp1; `smc target instances` shows the disks.",
            )
        found[int(match[1])] = match[2]
    indexes = sorted(set(layout.mounts) - {0})
    unknown = sorted(set(found) - set(indexes))
    if unknown:
        raise UserError(
            f"--target-disk: the source has no data disk {unknown[0]}",
            code="ReplicationJobDataDiskIndex.Invalid",
            hint=f"Its data disks are: {', '.join(map(str, indexes)) or 'none'}.",
        )
    return found
