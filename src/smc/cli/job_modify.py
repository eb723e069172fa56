"""`smc job modify`: what may change of a job that is there."""

import time
from typing import Annotated

import typer

from smc.base.errors import UserError
from smc.cli.connection import AsJson, connect
from smc.cli.data_dir import DEFAULT_DATA_DIR, DataDir
from smc.cli.disk_options import Edits, Encrypt, LeaveOut, Lvm, Move, NoLvm, Resize, disks, of_job
from smc.cli.job_options import (
    SOONEST_SECONDS,
    At,
    DataDisks,
    Every,
    JobId,
    Keep,
    job_as_told,
    moment,
    sized,
)
from smc.cli.option_groups import grouped
from smc.cli.output import out, show_json
from smc.cli.plan_shown import print_plan
from smc.cli.transfer_options import Transfer
from smc.client.api import Json


@grouped
def modify(
    job: JobId,
    *,
    name: Annotated[str, typer.Option(help="Another name, at any time.")] = "",
    description: Annotated[str, typer.Option(help="Another description, at any time.")] = "",
    valid_until: Annotated[
        str, typer.Option(metavar="TIME", help="Until when it is valid: a time, or +30d from now.")
    ] = "",
    every: Every = None,
    keep: Keep = None,
    at: At = "",
    image_name: Annotated[str, typer.Option(help="Name of the image to make.")] = "",
    system_disk_gib: Annotated[int, typer.Option(help="Size of the target system disk, 20-2048.")] = 0,
    data_disk: DataDisks = None,
    resize: Resize = None,
    move: Move = None,
    leave_out: LeaveOut = None,
    lvm: Lvm = None,
    no_lvm: NoLvm = None,
    encrypt: Encrypt = None,
    ip_mode: Annotated[str | None, typer.Option(help="dhcp, or keep the source's addresses.")] = None,
    transfer: Transfer,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Change a job: how it transfers also while it does, its rounds in between them, the rest before it ran.

    What is not given stays as it is; patterns replace all those before.
    """
    now = time.time()
    starts = moment(at, now, parameter="ScheduledStartTime", soonest=SOONEST_SECONDS)
    valid = moment(valid_until, now, parameter="ValidTime")
    api = connect(data_dir)
    told = job_as_told(api, job)
    edits = Edits(
        resize=resize or (),
        move=move or (),
        leave_out=leave_out or (),
        lvm=lvm or (),
        no_lvm=no_lvm or (),
        encrypt=encrypt or (),
    )
    layout: Json = {
        "SystemDiskSize": system_disk_gib or None,
        "DataDisk": sized(data_disk or []) or None,
        "Disks": disks(of_job(api, told), edits) if edits else None,
    }
    parameters = transfer.parameters(told["ReplicationParameters"])
    wanted = {
        "Name": name or None,
        "Description": description or None,
        "ValidTime": valid or None,
        "Frequency": every,
        "MaxNumberOfImageToKeep": keep,
        "ScheduledStartTime": starts or None,
        "ImageName": image_name or None,
        **layout,
        "IpMode": ip_mode,
        "ReplicationParameters": parameters,
        "Excludes": transfer.excludes(),
    }
    if all(value is None for value in wanted.values()):
        raise UserError(
            "nothing is to be changed",
            code="MissingParameter.ReplicationParameters",
            hint="`smc job modify --help` shows what can be.",
        )
    if edits and not as_json and not told["InstanceId"]:
        print_plan(api.call("DescribePlan", {"JobId": job, **layout}))
    answer = api.call("ModifyReplicationJobAttribute", {"JobId": job, **wanted})
    if as_json:
        show_json(answer)
        return
    out.print(f"changed {job}")
    if parameters is not None:
        out.print(f"  transfer settings: {parameters}", markup=False)
