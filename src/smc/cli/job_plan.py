"""`smc job plan`: how the target disks would be laid out, before there is a job."""

from typing import Annotated

import typer

from smc.cli.connection import AsJson, connect
from smc.cli.data_dir import DEFAULT_DATA_DIR, DataDir
from smc.cli.disk_options import Edits, Encrypt, LeaveOut, Lvm, Move, Resize, disks, of_source
from smc.cli.job_options import DataDisks, SystemDiskGib, sized
from smc.cli.output import show_json
from smc.cli.plan_shown import print_plan


def plan(
    source: Annotated[str, typer.Argument(help="Source id: s-...")],
    system_disk_gib: SystemDiskGib = 0,
    data_disk: DataDisks = None,
    resize: Resize = None,
    move: Move = None,
    leave_out: LeaveOut = None,
    lvm: Lvm = None,
    encrypt: Encrypt = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Show how the target disks would be laid out by these options of `smc job create`; nothing is made."""
    api = connect(data_dir)
    edits = Edits(
        resize=resize or (), move=move or (), leave_out=leave_out or (), lvm=lvm or (), encrypt=encrypt or ()
    )
    told = api.call(
        "DescribePlan",
        {
            "SourceId": source,
            "SystemDiskSize": system_disk_gib or None,
            "DataDisk": sized(data_disk or []) or None,
            "Disks": disks(of_source(api, source), edits),
        },
    )
    if as_json:
        show_json(told)
    else:
        print_plan(told)
