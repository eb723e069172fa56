"""One job for a person: where it stands, when it goes on, what it keeps."""

from smc.cli.output import out, show_table
from smc.client.api import Json
from smc.client.views import Job, operator_word, parse


def print_job(told: Json) -> None:
    """`told` as DescribeReplicationJobs has it."""
    width = max(len(name) for name, _ in _lines(told))
    for name, text in _lines(told):
        out.print(f"{name:<{width}}  {text}", markup=False, soft_wrap=True)
    runs = told["ReplicationJobRuns"]["ReplicationJobRun"]
    if runs:
        out.print("")
        show_table(
            ("RUN", "BEGUN BY", "START", "END", "IMAGE"),
            (
                (number, run["Type"], run["StartTime"], run["EndTime"], run["ImageId"])
                for number, run in enumerate(runs, start=1)
            ),
        )
    if told["KeptResources"]["KeptResource"]:
        out.print("\nkept in the cloud until the job is finished or deleted:")
        print_kept(told)


def print_kept(told: Json) -> None:
    show_table(
        ("KIND", "ID", "NAME", "SINCE"),
        (
            (kept["Kind"], kept["ResourceId"], kept["Name"], kept["Since"])
            for kept in told["KeptResources"]["KeptResource"]
        ),
    )


def _lines(told: Json) -> list[tuple[str, str]]:
    """Names and what is to say of each; without what there is not."""
    planned = [told["Disks"]["System"], *told["Disks"]["Data"]["Data"]]
    rounds = ""
    if not told["RunOnce"]:
        rounds = f"every {told['Frequency']} h, {told['MaxNumberOfImageToKeep']} images are kept"
        rounds += f"; this is round {told['Round']}" if told["Round"] else ""
    lines = [
        ("job", " ".join(text for text in (told["JobId"], told["Name"]) if text)),
        ("source", told["SourceId"]),
        ("status", f"{operator_word(parse(told, Job))}, {told['Progress']:.0f} %"),
        ("remark", told["StatusInfo"]),
        ("code", told["ErrorCode"]),
        ("disks", ", ".join(f"{disk['Size']} GiB{' with LVM' * disk['LVM']}" for disk in planned)),
        ("target", _target(told)),
        ("image", " ".join(text for text in (told["ImageId"], told["ImageName"]) if text)),
        ("rounds", rounds),
        ("starts", told["NextStartTime"]),
        ("valid until", told["ValidTime"]),
    ]
    return [(name, text) for name, text in lines if text]


def _target(told: Json) -> str:
    if told["TargetZoneId"]:
        made = told["DeliveredInstanceId"] or "another instance"
        return f"{told['InstanceId']} becomes {made} in {told['TargetZoneId']}"
    return str(told["InstanceId"] or told["TargetType"])
