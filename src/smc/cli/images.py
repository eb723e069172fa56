"""`smc image` and `smc instance`: what was delivered, and trying it."""

from typing import Annotated

import typer

from smc.cli.connection import AsJson, connect
from smc.cli.data_dir import DEFAULT_DATA_DIR, DataDir
from smc.cli.output import out, show_json, show_table

app = typer.Typer(no_args_is_help=True, help="Delivered images.")
instances = typer.Typer(no_args_is_help=True, help="Instances made from delivered images.")

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


@instances.command("create")
def create(
    image: ImageId,
    name: Annotated[str, typer.Option(help="Name of the instance.")] = "",
    open_port: Annotated[
        list[str] | None,
        typer.Option(help="TCP port to open; local cloud: GUEST=HOST names the port on this machine."),
    ] = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Boot an instance from an image."""
    made = connect(data_dir).call(
        "CreateInstanceFromImage",
        {"ImageId": image, "InstanceName": name or None, "OpenPort": open_port or None},
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
