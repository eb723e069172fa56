"""The partitions of a job as the official SDK sends them, in both generations of parameters."""

import msgspec
import pytest
from alibabacloud_smc20190601 import models
from alibabacloud_smc20190601.client import Client
from tests.conformance.smc_sdk import call, refused
from tests.conformance.test_smc_sdk_jobs import create, described
from tests.unit.center.running import Center
from tests.unit.center.servers import GIB, MIB, server

from smc.model.disk import Disk, Partition, Role, Table
from smc.model.plan import Plan
from smc.model.server import Server

Disks = models.CreateReplicationJobRequestDisks
System = models.CreateReplicationJobRequestDisksSystem
SystemPart = models.CreateReplicationJobRequestDisksSystemPart
Data = models.CreateReplicationJobRequestDisksData
Part = models.CreateReplicationJobRequestDisksDataPart


def source() -> Server:
    """`/`; /srv/data and /srv/logs on disk 1; a disk that is not mounted; /backup on disk 3."""
    system, data = server().disks
    (part,) = data.partitions
    assert part.filesystem

    def mount(number: int, path: str) -> Partition:
        assert part.filesystem
        filesystem = msgspec.structs.replace(part.filesystem, mount_point=path, uuid=f"u-{path}")
        at = MIB + (number - 1) * part.size
        return msgspec.structs.replace(part, number=number, start=at, filesystem=filesystem)

    two = msgspec.structs.replace(
        data, size=9 * GIB, partitions=(mount(1, "/srv/data"), mount(2, "/srv/logs"))
    )
    blank = Disk(
        index=2,
        path="/dev/vdc",
        size=GIB,
        table=Table.GPT,
        partitions=(Partition(number=1, start=MIB, size=100 * MIB, role=Role.OTHER),),
    )
    backup = msgspec.structs.replace(data, index=3, path="/dev/vdd", partitions=(mount(1, "/backup"),))
    return msgspec.structs.replace(server(), disks=(system, two, blank, backup))


def plan_of(running: Center, job: str) -> Plan:
    found = running.parts.store.jobs.find(job)
    assert found
    return found.plan


def shape(plan: Plan) -> dict[int, list[tuple[str, int]]]:
    return {
        disk.index: [(part.mount_point, part.size // MIB) for part in disk.partitions if part.mount_point]
        for disk in plan.disks
    }


def test_mount_points_are_resized_reordered_and_moved(running: Center, sdk: Client) -> None:
    disks = Disks(
        system=System(size=40, part=[SystemPart(path="/", size_bytes=20 * GIB, block=False)]),
        data=[
            Data(size=12, part=[Part(path="/srv/logs/", size_bytes=5 * GIB)]),
            Data(size=30, part=[Part(path="/backup"), Part(path="/srv/data", size_bytes=6 * GIB)]),
        ],
    )
    job = create(sdk, running.import_server(source()).source_id, system_disk_size=40, disks=disks)
    assert shape(plan_of(running, job)) == {
        0: [("/", 20 * 1024)],
        1: [("/srv/logs", 5 * 1024)],
        3: [("/backup", 30 * 1024 - 2 - 6 * 1024), ("/srv/data", 6 * 1024)],
    }
    found = described(sdk, job)
    assert [disk.size for disk in found.disks.data.data] == [12, 30]
    assert [part.path for part in found.disks.data.data[1].parts.part] == ["/backup", "/srv/data"]
    assert [part.device for part in found.data_disks.data_disk[1].parts.part] == ["3_1", "1_1"]


def test_what_no_list_names_is_left_out_and_told_with_the_reason(running: Center, sdk: Client) -> None:
    asked = running.import_server(source()).source_id
    answer = call(
        sdk,
        "CreateReplicationJob",
        RegionId="local",
        SourceId=asked,
        Disks={"Data": [{"Part": [{"Path": "/srv/logs"}]}]},
    )
    assert shape(plan_of(running, str(answer["JobId"]))).keys() == {0, 1}
    assert answer["LeftBehind"] == [
        {"What": "/srv/data (/dev/vdb partition 1)", "Why": "deselected"},
        {"What": "/dev/vdc", "Why": "no filesystem on it is mounted"},
        {"What": "/dev/vdd", "Why": "deselected"},
    ]


def test_an_empty_path_says_that_a_disk_shall_have_no_mount_point(running: Center, sdk: Client) -> None:
    job = create(
        sdk, running.import_server(source()).source_id, disks=Disks(data=[Data(part=[Part(path="")])])
    )
    assert shape(plan_of(running, job)).keys() == {0}


def test_a_data_disk_is_left_as_it_is_when_only_the_system_disk_is_described(
    running: Center, sdk: Client
) -> None:
    disks = Disks(system=System(part=[SystemPart(path="/", size_bytes=12 * GIB)]))
    job = create(sdk, running.import_server(source()).source_id, disks=disks)
    assert shape(plan_of(running, job)).keys() == {0, 1, 3}


def test_the_older_generation_names_partitions_by_device(running: Center, sdk: Client) -> None:
    part = models.CreateReplicationJobRequestDataDiskPart
    disk = models.CreateReplicationJobRequestDataDisk(
        index=1,
        size=10,
        part=[part(device="1_2", size_bytes=4 * GIB), part(device="1_1", size_bytes=3 * GIB)],
    )
    system = models.CreateReplicationJobRequestSystemDiskPart(device="0_2", size_bytes=18 * GIB, block=False)
    asked = running.import_server(source()).source_id
    job = create(sdk, asked, system_disk_part=[system], data_disk=[disk])
    made = shape(plan_of(running, job))
    assert made[0] == [("/", 18 * 1024)]
    assert made[1] == [("/srv/logs", 4 * 1024), ("/srv/data", 3 * 1024)]
    assert 3 in made


def test_what_describe_shows_is_taken_back_as_it_is(running: Center, sdk: Client) -> None:
    asked = running.import_server(source()).source_id
    (shown,) = sdk.describe_source_servers(
        models.DescribeSourceServersRequest(source_id=[asked])
    ).body.source_servers.source_server
    disks = Disks(
        system=System(
            size=20,
            part=[SystemPart(path=p.path, size_bytes=p.size_bytes) for p in shown.disks.system.parts.part],
        ),
        data=[
            Data(size=disk.size, part=[Part(path=p.path, size_bytes=p.size_bytes) for p in disk.parts.part])
            for disk in shown.disks.data.data
        ],
    )
    job = create(sdk, asked, system_disk_size=20, disks=disks)
    made = shape(plan_of(running, job))
    assert [[path for path, _ in parts] for parts in made.values()] == [
        ["/"],
        ["/srv/data", "/srv/logs"],
        ["/backup"],
    ]


def test_a_job_is_laid_out_anew_and_keeps_the_sizes_that_were_asked_for(running: Center, sdk: Client) -> None:
    job = create(sdk, running.import_server(source()).source_id, system_disk_size=40)
    call(
        sdk,
        "ModifyReplicationJobAttribute",
        JobId=job,
        Disks={"Data": [{"Part": [{"Path": "/backup"}, {"Path": "/srv/data"}, {"Path": "/srv/logs"}]}]},
    )
    plan = plan_of(running, job)
    assert shape(plan).keys() == {0, 3}
    assert plan.disks[0].size == 40 * GIB
    assert plan.disks[1].size >= 12 * GIB, "nobody asked for 4 GiB"
    call(sdk, "ModifyReplicationJobAttribute", JobId=job, SystemDiskSize=50)
    after = plan_of(running, job)
    assert shape(after).keys() == {0, 3}
    assert after.disks[1] == plan.disks[1]


def test_the_smallest_size_that_a_refusal_names_works(running: Center, sdk: Client) -> None:
    asked = running.import_server(source()).source_id
    for path, code in (("/srv/data", "Part.TooSmall"), ("/", "Part.TooSmall")):
        part = {"Path": path, "SizeBytes": 100 * MIB}
        others = [{"Path": other} for other in ("/srv/data", "/srv/logs", "/backup") if other != path]
        parts = [part, *others] if path != "/" else others
        disks = {"System": {"Part": [{"Path": "/"} if path != "/" else part]}, "Data": [{"Part": parts}]}
        with refused(code, match="the smallest size that works is"):
            call(sdk, "CreateReplicationJob", RegionId="local", SourceId=asked, Disks=disks)


def test_one_disk_is_described_in_one_generation(running: Center, sdk: Client) -> None:
    part = {"Device": "0_2", "SizeBytes": 10 * GIB}
    with refused("InvalidParameter.Disks"):
        call(
            sdk,
            "CreateReplicationJob",
            RegionId="local",
            SourceId=running.import_server(source()).source_id,
            SystemDiskPart=[part],
            Disks={"System": {"Part": [{"Path": "/"}]}},
        )


def with_boot(*, tools: tuple[str, ...] = ("lvm2",)) -> Server:
    """With lvm2, and /boot on the system disk."""
    made = source()
    system, *data = made.disks
    root = system.partitions[-1]
    assert root.filesystem
    files = msgspec.structs.replace(root.filesystem, mount_point="/boot", uuid="u-boot", used=100 * MIB)
    boot = msgspec.structs.replace(root, number=9, start=root.start + root.size, size=GIB, filesystem=files)
    larger = msgspec.structs.replace(system, size=system.size + GIB, partitions=(*system.partitions, boot))
    return msgspec.structs.replace(made, disks=(larger, *data), tools=tools)


def test_a_disk_gets_lvm_where_it_is_asked_for_and_modify_takes_it_back(running: Center, sdk: Client) -> None:
    asked = running.import_server(with_boot()).source_id
    job = create(sdk, asked, disks=Disks(system=System(lvm=True), data=[Data(size=9), Data(lvm=True)]))
    found = described(sdk, job).disks
    assert (found.system.lvm, [disk.lvm for disk in found.data.data]) == (True, [False, True])
    assert [p.logical for p in plan_of(running, job).disks[2].partitions] == ["vg3/lv1"]
    disks = {"System": {"LVM": False}, "Data": [{"LVM": True}]}
    call(sdk, "ModifyReplicationJobAttribute", JobId=job, Disks=disks)
    found = described(sdk, job).disks
    assert (found.system.lvm, [disk.lvm for disk in found.data.data]) == (False, [True, True])


def test_lvm_is_without_effect_where_the_source_has_no_lvm2_and_says_so(running: Center, sdk: Client) -> None:
    asked = running.import_server(with_boot(tools=())).source_id
    disks = {"System": {"LVM": True}}
    made = call(sdk, "CreateReplicationJob", RegionId="local", SourceId=asked, Disks=disks)
    assert "gets plain partitions instead of LVM: lvm2 is not installed" in str(made["Warnings"])
    assert described(sdk, str(made["JobId"])).disks.system.lvm is False


def test_lvm_is_refused_for_a_system_disk_without_boot_partition(running: Center, sdk: Client) -> None:
    asked = running.import_server(source()).source_id
    with refused("UnsupportedParameter.LVM", match="no boot partition"):
        create(sdk, asked, disks=Disks(system=System(lvm=True)))


@pytest.mark.parametrize(
    "disks",
    [
        {"System": {"Encrypted": True}},
        {"Data": [{}, {"Encrypted": True}]},
        {"Data": [{"KMSKeyId": "0e478b7a-4262-4802-b8cb-00d3fb408***"}]},
    ],
)
def test_an_encrypted_target_is_refused_with_another_way_to_it(
    running: Center, sdk: Client, disks: dict[str, object]
) -> None:
    asked = running.import_server(with_boot()).source_id
    with refused("UnsupportedParameter.Encrypted", match="LUKS"):
        call(sdk, "CreateReplicationJob", RegionId="local", SourceId=asked, Disks=disks)
    job = create(sdk, asked, disks=Disks(system=System(lvm=True)))
    with refused("UnsupportedParameter.Encrypted", match="are not encrypted here"):
        call(sdk, "ModifyReplicationJobAttribute", JobId=job, Disks=disks)
    call(sdk, "ModifyReplicationJobAttribute", JobId=job, Disks={"System": {"Encrypted": False}})


def test_a_plan_is_shown_without_a_job_and_refused_as_one(running: Center, sdk: Client) -> None:
    asked = running.import_server(with_boot()).source_id
    disks = {"Data": [{"LVM": True, "Part": [{"Path": "/srv/data"}, {"Path": "/backup"}]}]}
    told = call(sdk, "DescribePlan", SourceId=asked, SystemDiskSize=40, Disks=disks)
    shown = told["TargetDisks"]["TargetDisk"]
    assert [(disk["Index"], disk["LVM"]) for disk in shown] == [(0, False), (1, True)]
    assert [part["SourceDisk"] for part in shown[1]["Parts"]["Part"]] == [1, 3]
    assert {left["What"] for left in told["LeftBehind"]} >= {"/srv/logs (/dev/vdb partition 2)"}
    small = {"Data": [{"Part": [{"Path": "/srv/data", "SizeBytes": 1}]}]}
    with refused("Part.TooSmall"):
        call(sdk, "DescribePlan", SourceId=asked, Disks=small)
    with refused("MissingParameter.SourceId"):
        call(sdk, "DescribePlan")


def test_the_plan_of_a_change_begins_with_what_the_job_has(running: Center, sdk: Client) -> None:
    job = create(sdk, running.import_server(with_boot()).source_id, disks=Disks(data=[Data(lvm=True)]))
    before = plan_of(running, job)
    told = call(sdk, "DescribePlan", JobId=job, SystemDiskSize=50)
    assert [(disk["Size"], disk["LVM"]) for disk in told["TargetDisks"]["TargetDisk"]][:2] == [
        (50, False),
        (before.disks[1].size // GIB, True),
    ]
    assert plan_of(running, job) == before
