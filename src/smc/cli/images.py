"""`smc image` and `smc instance`: what was delivered, and trying it."""

import time
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from smc.base.errors import Broken
from smc.cli.connection import AsJson, connect
from smc.cli.data_dir import DEFAULT_DATA_DIR, DataDir
from smc.cli.output import out, show_json, show_table
from smc.client.api import Api, Json

app = typer.Typer(no_args_is_help=True, help="Delivered images.")
instances = typer.Typer(
    no_args_is_help=True, help="Instances: made from delivered images, or moved into another zone."
)

EXPORT_SECONDS = 1.0  # between two looks
ImageId = Annotated[str, typer.Argument(help="Image id: m-...")]


@app.command("list")
def list_(data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False) -> None:
    """Images that jobs delivered."""
    answer = connect(data_dir).call("DescribeImages")
    if as_json:
        show_json(answer)
        return
    rows = answer["Images"]["Image"]
    show_table(
        ("ID", "NAME", "STATUS", "JOB"),
        ((r["ImageId"], r["ImageName"], r["Status"], r["JobId"]) for r in rows),
    )


@app.command("delete")
def delete(image: ImageId, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Delete an image together with the snapshots behind it."""
    connect(data_dir).call("DeleteImage", {"ImageId": image})
    out.print(f"deleted {image}")


@app.command("export")
def export(
    image: ImageId,
    image_format: Annotated[str, typer.Option("--format", help="qcow2, raw, vhd or vmdk.")] = "qcow2",
    bucket: Annotated[
        str,
        typer.Option(help="The bucket for the files; local cloud: a folder of DATA_DIR/cloud/exports."),
    ] = "",
    prefix: Annotated[str, typer.Option(help="What the names of the files begin with.")] = "",
    role: Annotated[str, typer.Option(help="Real cloud: the role that may write into the bucket.")] = "",
    wait: Annotated[bool, typer.Option("--wait", help="Until it is done; exit 1 when it fails.")] = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Write an image out as files, one a disk."""
    api = connect(data_dir)
    made = api.call(
        "ExportImage",
        {
            "ImageId": image,
            "ImageFormat": image_format,
            "OSSBucket": bucket or None,
            "OSSPrefix": prefix or None,
            "RoleName": role or None,
        },
    )
    told = _exported(api, made["TaskId"]) if wait else made
    if as_json:
        show_json(told)
    elif not wait:
        out.print(f"export {made['TaskId']} has begun")
    if wait and told["Status"] != "Finished":
        raise Broken(f"the image could not be exported: {told['Message']}", code="Export.Failed")
    if wait and not as_json:
        out.print(f"exported {image}; local cloud: see {data_dir / 'cloud' / 'exports'}", markup=False)


def _exported(api: Api, task: str) -> Json:
    """The last word about the export."""
    with Progress(console=Console(stderr=True), transient=True) as bar:
        shown = bar.add_task(f"export {task}", total=100)
        while True:
            told = api.call("DescribeExport", {"TaskId": task})
            bar.update(shown, completed=told["Progress"])
            if told["Status"] != "Processing":
                return told
            time.sleep(EXPORT_SECONDS)


@instances.command("create")
def create(
    image: ImageId,
    name: Annotated[str, typer.Option(help="Name of the instance.")] = "",
    open_port: Annotated[
        list[str] | None,
        typer.Option(help="TCP port to open; local cloud: GUEST=HOST names the port on this machine."),
    ] = None,
    launch_template: Annotated[
        str, typer.Option(help="Launch template (lt-...) for what is not said; none: the job's.")
    ] = "",
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Boot an instance from an image."""
    made = connect(data_dir).call(
        "CreateInstanceFromImage",
        {
            "ImageId": image,
            "InstanceName": name or None,
            "OpenPort": open_port or None,
            "LaunchTemplateId": launch_template or None,
        },
    )
    if as_json:
        show_json(made)
        return
    out.print(f"instance {made['InstanceId']} is starting")


@instances.command("delete")
def delete_instance(
    instance: Annotated[str, typer.Argument(help="Instance id: i-...")], data_dir: DataDir = DEFAULT_DATA_DIR
) -> None:
    """Release an instance that `smc instance create` made, with what was made for it."""
    connect(data_dir).call("DeleteInstanceFromImage", {"InstanceId": instance})
    out.print(f"released {instance}")
