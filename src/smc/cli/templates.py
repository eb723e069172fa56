"""`smc template`: parameters kept for jobs that make images."""

from typing import Annotated

import typer

from smc.cli.connection import AsJson, connect
from smc.cli.data_dir import DEFAULT_DATA_DIR, DataDir
from smc.cli.output import out, show_json, show_table
from smc.cli.tags import TagOption, given
from smc.cli.transfer_options import (
    BandwidthLimit,
    Checksum,
    CompressLevel,
    DiskExclude,
    Exclude,
    Ssl,
    excludes,
    parameters,
)
from smc.client.api import Api, Json

app = typer.Typer(no_args_is_help=True, help="Templates: parameters kept for jobs that make images.")

TemplateId = Annotated[str, typer.Argument(help="Template id: t-...")]
Description = Annotated[str | None, typer.Option(help="What it is for.")]
ImagePrefix = Annotated[str | None, typer.Option(help="Images are named PREFIX_JOBID.")]
SystemDisk = Annotated[int | None, typer.Option(help="Size of the target system disk in GiB, 20-2048.")]
VSwitch = Annotated[str | None, typer.Option("--vswitch", help="vSwitch of the intermediate instance.")]
Private = Annotated[
    bool | None, typer.Option("--private/--public", help="Whether data goes over private addresses.")
]
InstanceType = Annotated[str | None, typer.Option(help="Type of the intermediate instance.")]
IpMode = Annotated[str | None, typer.Option(help="dhcp, or keep the source's addresses.")]
ResourceGroup = Annotated[str | None, typer.Option(help="Resource group of the jobs.")]


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="A name, unique.")],
    description: Description = None,
    image_prefix: ImagePrefix = None,
    system_disk_gib: SystemDisk = None,
    vswitch: VSwitch = None,
    private: Private = None,
    instance_type: InstanceType = None,
    ip_mode: IpMode = None,
    resource_group: ResourceGroup = None,
    tag: TagOption = None,
    exclude: Exclude = None,
    disk_exclude: DiskExclude = None,
    bandwidth_limit: BandwidthLimit = None,
    compress_level: CompressLevel = None,
    checksum: Checksum = None,
    ssl: Ssl = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Keep parameters under a name; `smc job create --template` takes them."""
    transfer = parameters(
        "", bandwidth_limit=bandwidth_limit, compress_level=compress_level, checksum=checksum, ssl=ssl
    )
    wanted: Json = {
        "Name": name,
        "Description": description,
        "ImageNamePrefix": image_prefix,
        "SystemDiskSize": system_disk_gib,
        **_network(vswitch, instance_type, private=private),
        "IpMode": ip_mode,
        "ResourceGroupId": resource_group,
        "Tag": given(tag) or None,
        "Excludes": excludes(exclude, disk_exclude),
        "ReplicationParameters": transfer,
    }
    made = connect(data_dir).call("CreateTemplate", wanted)
    if as_json:
        show_json(made)
    else:
        out.print(f"created template {made['TemplateId']}")


@app.command("list")
def list_(data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False) -> None:
    """All templates with what they hold."""
    answer = connect(data_dir).call("DescribeTemplates", {"PageSize": 50})
    if as_json:
        show_json(answer)
        return
    show_table(
        ("ID", "NAME", "PARAMETERS", "DESCRIPTION"),
        (
            (
                template["TemplateId"],
                template["Name"],
                ", ".join(f"{name}={value}" for name, value in template["Parameters"].items()),
                template["Description"],
            )
            for template in answer["Templates"]["Template"]
        ),
    )


@app.command("modify")
def modify(
    template: TemplateId,
    name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    description: Description = None,
    image_prefix: ImagePrefix = None,
    system_disk_gib: SystemDisk = None,
    vswitch: VSwitch = None,
    private: Private = None,
    instance_type: InstanceType = None,
    ip_mode: IpMode = None,
    resource_group: ResourceGroup = None,
    tag: TagOption = None,
    exclude: Exclude = None,
    disk_exclude: DiskExclude = None,
    bandwidth_limit: BandwidthLimit = None,
    compress_level: CompressLevel = None,
    checksum: Checksum = None,
    ssl: Ssl = None,
    clear: Annotated[
        list[str] | None,
        typer.Option(metavar="PARAMETER", help="What it holds no longer, as `smc template list` names it."),
    ] = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Change a template; what is not given stays as it is. Jobs that were made with it do not change."""
    api = connect(data_dir)
    transfer = parameters(
        _transfer_of(api, template),
        bandwidth_limit=bandwidth_limit,
        compress_level=compress_level,
        checksum=checksum,
        ssl=ssl,
    )
    wanted: Json = {
        "TemplateId": template,
        "Name": name,
        "Description": description,
        "ImageNamePrefix": image_prefix,
        "SystemDiskSize": system_disk_gib,
        **_network(vswitch, instance_type, private=private),
        "IpMode": ip_mode,
        "ResourceGroupId": resource_group,
        "Tag": given(tag) or None,
        "Excludes": excludes(exclude, disk_exclude),
        "ReplicationParameters": transfer,
        "Clear": clear or None,
    }
    api.call("ModifyTemplate", wanted)
    out.print(f"changed {template}")


@app.command("delete")
def delete(template: TemplateId, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Forget a template; jobs that were made with it stay."""
    connect(data_dir).call("DeleteTemplate", {"TemplateId": template})
    out.print(f"deleted {template}")


def _network(vswitch: str | None, instance_type: str | None, *, private: bool | None) -> Json:
    net_mode = None if private is None else 2 if private else 0
    return {"VSwitchId": vswitch, "InstanceType": instance_type, "NetMode": net_mode}


def _transfer_of(api: Api, template: str) -> str:
    """Its ReplicationParameters, "" where there are none."""
    found = api.call("DescribeTemplates", {"TemplateId": [template]})["Templates"]["Template"]
    held: Json = found[0]["Parameters"] if found else {}
    return str(held.get("ReplicationParameters", ""))
