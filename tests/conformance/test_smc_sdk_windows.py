"""A Windows is described and planned through the official SDK; a job for it is refused with another way."""

import pytest
from alibabacloud_smc20190601.client import Client
from tests.conformance.smc_sdk import call, refused
from tests.unit.center.running import Center
from tests.unit.model.test_windows_plan import windows


def test_it_is_shown_with_its_letters_and_planned_as_it_is(running: Center, sdk: Client) -> None:
    source = running.import_server(windows()).source_id
    (shown,) = call(sdk, "DescribeSourceServers", SourceId=[source])["SourceServers"]["SourceServer"]
    assert shown["Platform"] == "Windows Server 2019"
    assert [part["Path"] for part in shown["SystemDiskParts"]["SystemDiskPart"]] == ["C:"]
    assert [disk["Path"] for disk in shown["DataDisks"]["DataDisk"]] == ["D:"]
    told = call(sdk, "DescribePlan", SourceId=source, SystemDiskSize=80)
    disks = told["TargetDisks"]["TargetDisk"]
    assert [(disk["Size"], disk["SmallestSize"], disk["Table"]) for disk in disks] == [
        (80, 60, "gpt"),
        (10, 10, "mbr"),
    ]
    assert [part["Role"] for part in disks[0]["Parts"]["Part"]] == ["esp", "other", "filesystem", "other"]
    assert [part["SizeBytes"] for part in disks[0]["Parts"]["Part"]] == [
        part["SourceSizeBytes"] for part in disks[0]["Parts"]["Part"]
    ]


def test_what_cannot_be_done_is_said_when_it_is_imported(running: Center, sdk: Client) -> None:
    source = running.import_server(windows()).source_id
    (event,) = call(sdk, "DescribeEvents", SourceId=[source], Kind=["Source.Imported"])["Events"]["Event"]
    assert "was imported, but there is no program yet that sends" in event["Message"]


@pytest.mark.parametrize(
    ("disks", "code"),
    [
        ({}, "Source.WindowsUnsupported"),
        ({"System": {"Size": 80}}, "Source.WindowsUnsupported"),
        ({"System": {"Part": [{"Path": "C:", "Block": True}]}}, "Source.WindowsUnsupported"),
        ({"System": {"LVM": True}}, "UnsupportedParameter.LVM"),
        ({"System": {"Part": [{"Path": "C:", "Block": False}]}}, "UnsupportedParameter.Block"),
        ({"System": {"Part": [{"Path": "C:", "SizeBytes": 30 << 30}]}}, "UnsupportedParameter.SizeBytes"),
        ({"System": {"Size": 40}}, "Disk.TooSmall"),
    ],
)
def test_a_job_for_it_is_refused(running: Center, sdk: Client, disks: dict[str, object], code: str) -> None:
    source = running.import_server(windows()).source_id
    with refused(code):
        call(sdk, "CreateReplicationJob", RegionId="local", SourceId=source, Disks=disks)
    assert call(sdk, "DescribeReplicationJobs")["TotalCount"] == 0
