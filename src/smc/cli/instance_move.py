"""`smc instance move`: an instance of the cloud goes into another of its zones."""

import re
from typing import Annotated

import typer

from smc.base.errors import UserError
from smc.cli.connection import AsJson, connect
from smc.cli.data_dir import DEFAULT_DATA_DIR, DataDir
from smc.cli.job_life import Yes
from smc.cli.job_options import LONGEST_WAIT_SECONDS, Wait
from smc.cli.output import out, show_json
from smc.cli.progress import follow
from smc.client.api import Json

WISH = re.compile(r"(d-\S+?)=(\w+)(?::(PL[0-3]))?")


def move(
    instance: Annotated[str, typer.Argument(help="Instance id: i-...")],
    zone: Annotated[str, typer.Option(help="Where it goes (`smc target zones`).")],
    vswitch: Annotated[str, typer.Option(help="A vSwitch of its VPC there (`smc target vswitches`).")],
    instance_type: Annotated[
        str, typer.Option("--type", help="Another type of the same family; none: as it is.")
    ] = "",
    disk: Annotated[
        list[str] | None,
        typer.Option(help="DISK_ID=CATEGORY[:LEVEL]: what a disk becomes, as d-...=cloud_essd:PL1."),
    ] = None,
    resource_group: Annotated[str, typer.Option(help="Of the job and of what it makes: rg-...")] = "",
    create_only: Annotated[
        bool, typer.Option("--create-only", help="Nothing is stopped before `smc job start`.")
    ] = False,
    yes: Yes = False,
    wait: Wait = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Move an instance into another zone: it is stopped, and its like starts there.

    What cannot work is refused before anything is stopped. The old one is left, stopped: look at the new one,
    then release it.
    """
    if wait and create_only:
        raise UserError(
            "--wait and --create-only contradict each other",
            code="InvalidParameter.Wait",
            hint="Leave one of them out.",
        )
    if not create_only:
        _confirm(instance, zone, yes=yes, as_json=as_json)
    api = connect(data_dir)
    made = api.call(
        "CreateCrossZoneMigrationJob",
        {
            "RegionId": api.call("DescribeRegions")["Regions"]["Region"][0]["RegionId"],
            "InstanceId": instance,
            "TargetZoneId": zone,
            "TargetVSwitchId": vswitch,
            "TargetInstanceType": instance_type or None,
            "Disk": [_wish(text) for text in disk or []] or None,
            "ResourceGroupId": resource_group or None,
        },
    )
    job = made["JobId"]
    if not create_only:
        api.call("StartReplicationJob", {"JobId": job})
    if as_json:
        show_json(made)
    else:
        out.print(f"created job {job}" if create_only else f"{instance} is being moved by {job}")
    if wait:
        follow(api, job, seconds=LONGEST_WAIT_SECONDS, quiet=as_json)


def _confirm(instance: str, zone: str, *, yes: bool, as_json: bool) -> None:
    if yes:
        return
    if as_json:
        raise UserError(
            "--json does not ask",
            code="MissingParameter.Yes",
            hint=f"Give --yes: {instance} is stopped, and gets another id, MAC and private address.",
        )
    typer.confirm(
        f"{instance} is stopped. Its like in {zone} has another id, MAC and private address. Go on?",
        abort=True,
    )


def _wish(text: str) -> Json:
    match = WISH.fullmatch(text)
    if match is None:
        raise UserError(
            f"--disk {text}: DISK_ID=CATEGORY[:LEVEL] is wanted",
            code="InvalidParameter.Disk",
            hint="For example --disk d-bp1=cloud_essd:PL1.",
        )
    return {"DiskId": match[1], "Category": match[2], "PerformanceLevel": match[3]}
