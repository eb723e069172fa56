"""`smc template`: parameters kept for jobs that make images."""

from dataclasses import dataclass
from typing import Annotated

import typer

from smc.cli.connection import AsJson, connect
from smc.cli.data_dir import DEFAULT_DATA_DIR, DataDir
from smc.cli.option_groups import grouped
from smc.cli.output import out, show_json, show_table
from smc.cli.tags import TagOption, given
from smc.cli.transfer_options import Transfer
from smc.client.api import Api, Json

app = typer.Typer(no_args_is_help=True, help="Templates: parameters kept for jobs that make images.")

TemplateId = Annotated[str, typer.Argument(help="Template id: t-...")]


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What a template keeps beside how a job transfers."""

    description: Annotated[str | None, typer.Option(help="What it is for.")] = None
    image_prefix: Annotated[str | None, typer.Option(help="Images are named PREFIX_JOBID.")] = None
    system_disk_gib: Annotated[
        int | None, typer.Option(help="Size of the target system disk in GiB, 20-2048.")
    ] = None
    vswitch: Annotated[
        str | None, typer.Option("--vswitch", help="vSwitch of the intermediate instance.")
    ] = None
    private: Annotated[
        bool | None, typer.Option("--private/--public", help="Whether data goes over private addresses.")
    ] = None
    instance_type: Annotated[str | None, typer.Option(help="Type of the intermediate instance.")] = None
    ip_mode: Annotated[str | None, typer.Option(help="dhcp, or keep the source's addresses.")] = None
    resource_group: Annotated[str | None, typer.Option(help="Resource group of the jobs.")] = None
    tag: TagOption = None

    def parameters(self) -> Json:
        """As the API takes them; what was not given is None."""
        return {
            "Description": self.description,
            "ImageNamePrefix": self.image_prefix,
            "SystemDiskSize": self.system_disk_gib,
            "VSwitchId": self.vswitch,
            "NetMode": None if self.private is None else 2 if self.private else 0,
            "InstanceType": self.instance_type,
            "IpMode": self.ip_mode,
            "ResourceGroupId": self.resource_group,
            "Tag": given(self.tag) or None,
        }


@app.command("create")
@grouped
def create(
    name: Annotated[str, typer.Argument(help="A name, unique.")],
    kept: Kept,
    transfer: Transfer,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Keep parameters under a name; `smc job create --template` takes them."""
    wanted: Json = {
        "Name": name,
        **kept.parameters(),
        "Excludes": transfer.excludes(),
        "ReplicationParameters": transfer.parameters(),
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
@grouped
def modify(
    template: TemplateId,
    *,
    name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    kept: Kept,
    transfer: Transfer,
    clear: Annotated[
        list[str] | None,
        typer.Option(metavar="PARAMETER", help="What it holds no longer, as `smc template list` names it."),
    ] = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Change a template; what is not given stays as it is. Jobs that were made with it do not change."""
    api = connect(data_dir)
    wanted: Json = {
        "TemplateId": template,
        "Name": name,
        **kept.parameters(),
        "Excludes": transfer.excludes(),
        "ReplicationParameters": transfer.parameters(_transfer_of(api, template)),
        "Clear": clear or None,
    }
    api.call("ModifyTemplate", wanted)
    out.print(f"changed {template}")


@app.command("delete")
def delete(template: TemplateId, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Forget a template; jobs that were made with it stay."""
    connect(data_dir).call("DeleteTemplate", {"TemplateId": template})
    out.print(f"deleted {template}")


def _transfer_of(api: Api, template: str) -> str:
    """Its ReplicationParameters, "" where there are none."""
    found = api.call("DescribeTemplates", {"TemplateId": [template]})["Templates"]["Template"]
    held: Json = found[0]["Parameters"] if found else {}
    return str(held.get("ReplicationParameters", ""))
