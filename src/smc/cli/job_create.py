"""`smc job create`: the migration of one source, planned."""

import time
from dataclasses import replace
from enum import Enum
from typing import Annotated

import typer

from smc.base.errors import UserError
from smc.cli.connection import AsJson, connect
from smc.cli.container_option import Container, target
from smc.cli.data_dir import DEFAULT_DATA_DIR, DataDir
from smc.cli.disk_options import Edits, Encrypt, LeaveOut, Lvm, Move, Resize, disks, of_source
from smc.cli.instance_options import (
    Private,
    PrivateIp,
    TargetDisk,
    TargetInstance,
    YesErase,
    chosen,
    onto,
)
from smc.cli.job_options import (
    LONGEST_WAIT_SECONDS,
    SOONEST_SECONDS,
    At,
    DataDisks,
    Every,
    Keep,
    SystemDiskGib,
    Wait,
    moment,
    sized,
)
from smc.cli.option_groups import grouped
from smc.cli.output import out, show_json
from smc.cli.plan_shown import print_plan
from smc.cli.progress import follow
from smc.cli.tags import TagOption, given
from smc.cli.transfer_options import Transfer
from smc.client.api import Api, Json


class Method(Enum):
    """How a job begins; its value is the word of the command line."""

    CREATE = "create-only"
    NOW = "now"
    SCHEDULE = "schedule"
    TEST = "test-only"
    TEST_AND_MIGRATE = "test-and-migrate"


API_WORDS = {
    Method.CREATE: "CreateOnly",
    Method.NOW: "MigrateNow",
    Method.SCHEDULE: "Schedule",
    Method.TEST: "TestOnly",
    Method.TEST_AND_MIGRATE: "TestAndMigrate",
}
MethodOption = Annotated[Method | None, typer.Option(help="How it begins; schedule needs --at.")]


@grouped
def create(
    source: Annotated[str, typer.Argument(help="Source id: s-...")],
    *,
    name: Annotated[str, typer.Option(help="A name for the job, unique.")] = "",
    image_name: Annotated[str, typer.Option(help="Name of the image to make.")] = "",
    system_disk_gib: SystemDiskGib = 0,
    data_disk: DataDisks = None,
    resize: Resize = None,
    move: Move = None,
    leave_out: LeaveOut = None,
    lvm: Lvm = None,
    encrypt: Encrypt = None,
    transfer: Transfer,
    ip_mode: Annotated[
        str | None, typer.Option(help="dhcp, or keep the source's addresses; dhcp if never given.")
    ] = None,
    template: Annotated[str, typer.Option(help="Template (t-...) for what is not given here.")] = "",
    description: Annotated[str, typer.Option(help="2-128 characters, as of a name.")] = "",
    tag: TagOption = None,
    resource_group: Annotated[str, typer.Option(help="Its resource group: rg-...")] = "",
    byol: Annotated[
        bool, typer.Option("--byol", help="The licence of Windows, RHEL or SUSE is brought along.")
    ] = False,
    launch_template: Annotated[
        str,
        typer.Option(
            help="Launch template (lt-...) for instances made here from the image; it is not changed."
        ),
    ] = "",
    container: Container = "",
    target_instance: TargetInstance = "",
    yes_erase: YesErase = "",
    target_disk: TargetDisk = None,
    private_ip: PrivateIp = "",
    private: Private = False,
    start: Annotated[bool, typer.Option("--start", help="Start it at once: --method now.")] = False,
    method: MethodOption = None,
    at: At = "",
    every: Every = None,
    keep: Keep = None,
    wait: Wait = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Plan the migration of a source to an image, a container image, or onto an instance.

    What cannot work is refused here. Without --start, --at or --method the migration is tested at once, and
    goes on by itself when nothing critical was found.
    """
    scheduled = moment(at, time.time(), parameter="ScheduledStartTime", soonest=SOONEST_SECONDS)
    api = connect(data_dir)
    instance = onto(
        target_instance,
        yes_erase=yes_erase,
        disks=target_disk or [],
        private_ip=private_ip,
        private=private,
    )
    edits = Edits(
        resize=resize or (), move=move or (), leave_out=leave_out or (), lvm=lvm or (), encrypt=encrypt or ()
    )
    wanted: Json = {
        "SystemDiskSize": system_disk_gib or None,
        "DataDisk": sized(data_disk or []) or None,
        "Disks": _disks(api, source, edits, target_disk or []),
    }
    if edits and not as_json and not target_instance:
        print_plan(api.call("DescribePlan", {"SourceId": source, **wanted}))
    asked = _method(method, start=start, at=at, template=template)
    made = api.call(
        "CreateReplicationJob",
        {
            "SourceId": source,
            **target(container),
            **instance,
            "RegionId": _region(api.call("DescribeRegions")),
            "Name": name or None,
            "ImageName": image_name or None,
            **wanted,
            "Excludes": transfer.excludes(),
            "ReplicationParameters": transfer.parameters(),
            "IpMode": ip_mode,
            "ExecutionMethod": asked,
            "ScheduledStartTime": scheduled or None,
            "RunOnce": None if every is None and keep is None else False,
            "Frequency": every,
            "MaxNumberOfImageToKeep": keep,
            "TemplateId": template or None,
            "Description": description or None,
            "Tag": given(tag) or None,
            "ResourceGroupId": resource_group or None,
            "LicenseType": "BYOL" if byol else None,
            "LaunchTemplateId": launch_template or None,
        },
    )
    if as_json:
        show_json(made)
    else:
        out.print(f"created job {made['JobId']}{_begun(asked, scheduled)}")
    if wait:
        follow(api, made["JobId"], seconds=LONGEST_WAIT_SECONDS, quiet=as_json)


def _disks(api: Api, source: str, edits: Edits, target_disks: list[str]) -> Json | None:
    if not edits and not target_disks:
        return None
    layout = of_source(api, source)
    return disks(layout, replace(edits, disk_ids=chosen(layout, target_disks)))


def _method(method: Method | None, *, start: bool, at: str, template: str) -> str | None:
    """None leaves it to the template, or to the API: a time means Schedule."""
    if start and method not in (None, Method.NOW):
        raise UserError(
            "--start and --method contradict each other",
            code="InvalidParameter.ExecutionMethod",
            hint="Leave one of them out.",
        )
    if start or method is Method.NOW:
        return API_WORDS[Method.NOW]
    if method is not None:
        return API_WORDS[method]
    return None if at or template else API_WORDS[Method.TEST_AND_MIGRATE]


def _begun(asked: str | None, scheduled: str) -> str:
    if scheduled:
        return f", starts at {scheduled}"
    words = {
        API_WORDS[Method.NOW]: ", started",
        API_WORDS[Method.TEST]: ", its test has begun",
        API_WORDS[Method.TEST_AND_MIGRATE]: ", its test has begun; the migration follows",
    }
    return words.get(asked or "", "")


def _region(answer: Json) -> str:
    region: str = answer["Regions"]["Region"][0]["RegionId"]
    return region
