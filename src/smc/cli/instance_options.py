"""Options of `smc job create` for an existing instance as destination."""

import re
from typing import Annotated

import typer

from smc.base.errors import UserError
from smc.client.api import Api, Json

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


def onto(
    api: Api, source: str, instance: str, *, yes_erase: str, disks: list[str], private_ip: str, private: bool
) -> Json:
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
        "Disks": {"Data": _chosen(api, source, disks)} if disks else None,
    }


def _chosen(api: Api, source: str, texts: list[str]) -> list[Json]:
    """`Disks.Data` names the source's data disks in their order; one without a choice is sent as it is."""
    chosen: dict[int, str] = {}
    for text in texts:
        match = CHOSEN.fullmatch(text)
        if match is None:
            raise UserError(
                f"--target-disk {text}: INDEX=DISK_ID is wanted",
                code="InvalidParameter.DiskId",
                hint="For example --target-disk 1=d-bp1; `smc target instances` shows the disks.",
            )
        chosen[int(match[1])] = match[2]
    answer = api.call("DescribeSourceServers", {"SourceId": [source]})
    found = answer["SourceServers"]["SourceServer"]
    indexes = [disk["Index"] for disk in found[0]["DataDisks"]["DataDisk"]] if found else []
    unknown = sorted(set(chosen) - set(indexes))
    if unknown:
        raise UserError(
            f"--target-disk: the source has no data disk {unknown[0]}",
            code="ReplicationJobDataDiskIndex.Invalid",
            hint=f"Its data disks are: {', '.join(map(str, indexes)) or 'none'}.",
        )
    return [{"DiskId": chosen[index]} if index in chosen else {"LVM": False} for index in indexes]
