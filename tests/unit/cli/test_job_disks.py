"""The command line says what comes on which target disk, and shows the plan before there is a job."""

import json

import msgspec
import pytest
from tests.conformance.test_smc_sdk_disks import plan_of, shape, source, with_boot
from tests.unit.center.running import Center
from tests.unit.cli.conftest import Smc

from smc.base.units import GIB, MIB
from smc.model.plan import Plan

PLAN = ("job", "plan")


def ok(smc: Smc, *words: str) -> str:
    status, printed, errors = smc(*words)
    assert status == 0, errors
    return printed


def created(smc: Smc, running: Center, asked: str, *options: str) -> tuple[str, Plan]:
    words = ("job", "create", asked, "--method", "create-only", *options, "--json")
    job: str = json.loads(ok(smc, *words))["JobId"]
    return job, plan_of(running, job)


def test_mount_points_are_resized_moved_and_left_out(smc: Smc, running: Center) -> None:
    asked = running.import_server(source()).source_id
    options = ("--resize", "/srv/logs=3G", "--move", "/srv/data=3", "--resize", "/srv/data/=2560M")
    made = shape(created(smc, running, asked, *options)[1])
    assert made[1] == [("/srv/logs", 3 * 1024)]
    assert [part for part in made[3] if part[0] == "/srv/data"] == [("/srv/data", 2560)]
    assert made[0][0][0] == "/"


def test_a_disk_is_not_made_when_all_of_it_goes_elsewhere(smc: Smc, running: Center) -> None:
    asked = running.import_server(source()).source_id
    _, made = created(smc, running, asked, "--leave-out", "/srv/data", "--move", "/srv/logs=0")
    assert [path for path, _ in shape(made)[0]] == ["/", "/srv/logs"]
    assert shape(made).keys() == {0, 3}


def test_a_disk_gets_logical_volumes(smc: Smc, running: Center) -> None:
    asked = running.import_server(with_boot()).source_id
    job, made = created(smc, running, asked, "--lvm", "0", "--lvm", "3")
    assert [disk.index for disk in made.disks if disk.group] == [0, 3]
    assert "GiB with LVM" in ok(smc, "job", "show", job)
    ok(smc, "job", "modify", job, "--no-lvm", "3", "--lvm", "1")
    assert [disk.index for disk in plan_of(running, job).disks if disk.group] == [0, 1]


def test_a_job_is_laid_out_anew_from_what_it_has(smc: Smc, running: Center) -> None:
    asked = running.import_server(source()).source_id
    job, _ = created(smc, running, asked, "--move", "/backup=1")
    shown = ok(smc, "job", "modify", job, "--move", "/srv/logs=0")
    assert "moves from disk 1" in shown
    assert shape(plan_of(running, job)).keys() == {0, 1}
    assert [path for path, _ in shape(plan_of(running, job))[1]] == ["/srv/data", "/backup"]
    ok(smc, "job", "modify", job, "--move", "/backup=3", "--leave-out", "/srv/logs")
    assert [path for path, _ in shape(plan_of(running, job))[3]] == ["/backup"]
    assert [path for path, _ in shape(plan_of(running, job))[0]] == ["/"]


def test_a_size_that_was_asked_for_is_kept_when_the_disk_is_changed_again(smc: Smc, running: Center) -> None:
    asked = running.import_server(source()).source_id
    job, _ = created(smc, running, asked, "--resize", "/srv/data=2560M", "--resize", "/backup=3G")
    ok(smc, "job", "modify", job, "--leave-out", "/srv/logs")
    assert shape(plan_of(running, job))[1] == [("/srv/data", 2560)]
    ok(smc, "job", "modify", job, "--move", "/backup=1")
    assert shape(plan_of(running, job))[1] == [("/srv/data", 2560), ("/backup", 3 * 1024)]
    ok(smc, "job", "modify", job, "--resize", "/backup=2G")
    assert shape(plan_of(running, job))[1] == [("/srv/data", 2560), ("/backup", 2 * 1024)]


def test_the_plan_is_shown_with_every_move_and_nothing_is_made(smc: Smc, running: Center) -> None:
    asked = running.import_server(with_boot()).source_id
    options = ("--move", "/backup=1", "--lvm", "1", "--leave-out", "/srv/logs", "--system-disk-gib", "40")
    shown = ok(smc, *PLAN, asked, *options)
    lines = {line.split()[0]: line for line in shown.splitlines() if line.strip()}
    assert "0: 40 GiB" in shown
    assert "vg1/lv2" in lines["/backup"]
    assert "moves from disk 3, onto LVM" in lines["/backup"]
    assert "left behind: /srv/logs (/dev/vdb partition 2): deselected" in shown
    assert "note: disk 1 (/dev/vdb) has the volume group vg1" in shown
    assert json.loads(ok(smc, "job", "list", "--json"))["ReplicationJobs"]["ReplicationJob"] == []


def test_the_plan_as_json_names_the_smallest_size_of_each_disk(smc: Smc, running: Center) -> None:
    asked = running.import_server(with_boot()).source_id
    told = json.loads(ok(smc, *PLAN, asked, "--lvm", "0", "--json"))
    system = told["TargetDisks"]["TargetDisk"][0]
    assert (system["LVM"], system["Table"], system["SmallestSize"]) == (True, "gpt", 20)
    root = next(part for part in system["Parts"]["Part"] if part["Path"] == "/")
    assert (root["Volume"], root["SourceDisk"], root["SourceTitle"]) == ("vg0/lv1", 0, "/dev/vda partition 2")
    for disk in told["TargetDisks"]["TargetDisk"][1:]:
        words = ("--data-disk", f"{disk['Index']}={disk['SmallestSize']}")
        assert smc(*PLAN, asked, "--lvm", "0", *words)[0] == 0, "that size does work"


def test_a_new_job_shows_its_plan_first(smc: Smc, running: Center) -> None:
    asked = running.import_server(source()).source_id
    shown = ok(smc, "job", "create", asked, "--method", "create-only", "--resize", "/=15G")
    assert shown.index("MOUNT POINT") < shown.index("created job j-")
    assert "grows by" in shown


@pytest.mark.parametrize(
    ("options", "code", "cure"),
    [
        (("--move", "/nowhere=1"), "Disk.PartNotFound", "/srv/data"),
        (("--leave-out", "/nowhere"), "Disk.PartNotFound", "/srv/data"),
        (("--resize", "/nowhere=1G"), "Disk.PartNotFound", "/srv/data"),
        (("--move", "/backup=7"), "Disk.NotFound", "There are 0, 1, 3"),
        (("--move", "/backup=first"), "InvalidParameter.Disks", "by its number"),
        (("--move", "/backup"), "InvalidParameter.Disks", "--move /srv=2"),
        (("--resize", "/backup=much"), "InvalidParameter.Disks", "500M"),
        (("--resize", "/backup=0"), "InvalidParameter.Disks", "500M"),
        (("--lvm", "2"), "Disk.NotFound", "There are 0, 1, 3"),
        (("--lvm", "0"), "UnsupportedParameter.LVM", "/boot"),
        (("--encrypt", "1"), "UnsupportedParameter.Encrypted", "CopyImage with Encrypted=true"),
        (("--encrypt", "2"), "Disk.NotFound", "There are 0, 1, 3"),
        (("--resize", "/srv/data=1M"), "Part.TooSmall", "Ask for at least"),
        (("--leave-out", "/"), "Disk.Needed", "Keep /"),
        (
            ("--leave-out", "/srv/data", "--leave-out", "/srv/logs", "--move", "/backup=1"),
            "InvalidParameter.Disks",
            "Leave a mount point of disk 1",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_a_cure(
    smc: Smc, running: Center, options: tuple[str, ...], code: str, cure: str
) -> None:
    asked = running.import_server(msgspec.structs.replace(source(), tools=("lvm2",))).source_id
    for words in (PLAN, ("job", "create")):
        status, _, errors = smc(*words, asked, *options)
        assert (status, f"[{code}]" in errors, cure in errors) == (1, True, True), errors


@pytest.mark.parametrize(
    ("written", "size"),
    [("3G", 3 * GIB), ("1.5GiB", 3 * GIB // 2), ("1800m", 1800 * MIB), ("3221225472", 3 * GIB)],
)
def test_sizes_are_written_as_people_do(smc: Smc, running: Center, written: str, size: int) -> None:
    asked = running.import_server(source()).source_id
    made = created(smc, running, asked, "--resize", f"/srv/data={written}")[1]
    assert shape(made)[1][0] == ("/srv/data", size // MIB)
