"""`smc target`: where a source can be moved to, and what the destination has to choose from."""

from collections.abc import Sequence
from typing import Annotated

import typer

from smc.cli.connection import AsJson, connect
from smc.cli.data_dir import DEFAULT_DATA_DIR, DataDir
from smc.cli.output import out, show_json, show_table
from smc.client.api import Api, Json

app = typer.Typer(no_args_is_help=True, help="The destination: its networks, groups, types and instances.")

Vpc = Annotated[str, typer.Option(help="Of this VPC alone: vpc-...")]
Zone = Annotated[str, typer.Option(help="Of this zone alone.")]


@app.command("instances")
def instances(
    source: Annotated[str, typer.Argument(help="Source id: s-...")],
    private: Annotated[
        bool, typer.Option("--private", help="The source reaches them by their private addresses.")
    ] = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Instances that the source can be moved onto; for the others why not, and what would help."""
    asked = {"SourceId": source, "NetMode": 2 if private else 0}
    answer = _ask(data_dir, "DescribeTargetInstances", asked)
    if as_json:
        show_json(answer)
        return
    rows = answer["TargetInstances"]["TargetInstance"]
    show_table(
        ("ID", "NAME", "STATUS", "ADDRESS", "DISKS GIB", "ELIGIBLE"),
        (
            (
                row["InstanceId"],
                row["InstanceName"],
                row["Status"],
                row["PublicIpAddress"] or row["PrivateIpAddress"],
                ", ".join(str(disk["Size"]) for disk in row["Disks"]["Disk"]),
                "yes" if row["Eligible"] else "no",
            )
            for row in rows
        ),
    )
    for row in rows:
        for reason in row["Reasons"]["Reason"]:
            out.print(f"  {row['InstanceId']}: {reason['Message']} {reason['Cure']}", markup=False)


@app.command("regions")
def regions(data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False) -> None:
    """Regions that a source can be moved to."""
    answer = connect(data_dir).call("DescribeRegions")
    _show(answer, answer["Regions"]["Region"], as_json, RegionId="ID")


@app.command("zones")
def zones(data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False) -> None:
    """Zones, those first in which an intermediate instance is in stock."""
    answer = _ask(data_dir, "DescribeZones", {})
    _show(answer, answer["Zones"]["Zone"], as_json, ZoneId="ID")


@app.command("vpcs")
def vpcs(data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False) -> None:
    """VPCs with their ranges."""
    answer = _ask(data_dir, "DescribeVpcs", {})
    _show(answer, answer["Vpcs"]["Vpc"], as_json, VpcId="ID", VpcName="NAME", CidrBlock="RANGE")


@app.command("vswitches")
def vswitches(
    vpc: Vpc = "", zone: Zone = "", data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False
) -> None:
    """vSwitches with their ranges and free addresses."""
    answer = _ask(data_dir, "DescribeVSwitches", {"VpcId": vpc or None, "ZoneId": zone or None})
    _show(
        answer,
        answer["VSwitches"]["VSwitch"],
        as_json,
        VSwitchId="ID",
        VSwitchName="NAME",
        VpcId="VPC",
        ZoneId="ZONE",
        CidrBlock="RANGE",
        AvailableIpAddressCount="FREE",
    )


@app.command("groups")
def groups(vpc: Vpc = "", data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False) -> None:
    """Security groups."""
    answer = _ask(data_dir, "DescribeSecurityGroups", {"VpcId": vpc or None})
    found = answer["SecurityGroups"]["SecurityGroup"]
    _show(answer, found, as_json, SecurityGroupId="ID", SecurityGroupName="NAME", VpcId="VPC")


@app.command("types")
def types(
    zone: Zone = "",
    architecture: Annotated[str, typer.Option(help="x86_64, i386 or arm64 alone.")] = "",
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Instance types, and where they are in stock now."""
    asked = {"ZoneId": zone or None, "Architecture": architecture or None}
    answer = _ask(data_dir, "DescribeInstanceTypes", asked)
    if as_json:
        show_json(answer)
        return
    show_table(
        ("ID", "VCPUS", "MEMORY GIB", "ARCHITECTURE", "IN STOCK IN"),
        (
            (
                row["InstanceTypeId"],
                str(row["Cpu"]),
                f"{row['MemoryGiB']:g}",
                row["Architecture"],
                ", ".join(row["Zones"]["ZoneId"]) or "-",
            )
            for row in answer["InstanceTypes"]["InstanceType"]
        ),
    )


def region_of(api: Api) -> str:
    region: str = api.call("DescribeRegions")["Regions"]["Region"][0]["RegionId"]
    return region


def _ask(data_dir: DataDir, action: str, parameters: Json) -> Json:
    api = connect(data_dir)
    answer: Json = api.call(action, {"RegionId": region_of(api), **parameters})
    return answer


def _show(answer: Json, rows: Sequence[Json], as_json: bool, **columns: str) -> None:
    if as_json:
        show_json(answer)
    else:
        show_table(tuple(columns.values()), (tuple(str(row[name]) for name in columns) for row in rows))
