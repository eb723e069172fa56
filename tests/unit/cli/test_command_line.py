"""The command line against a running center: readable output, JSON, and refusals with their cure."""

import json
from pathlib import Path

import pytest
from tests.unit.center.running import Center
from tests.unit.center.servers import server
from tests.unit.center.targets import network, target
from tests.unit.cli.conftest import Smc

from smc.cli.progress import describe, details
from smc.client.views import Job, operator_word
from smc.client.watch import DisksView, DiskView, Moment, ProgressView, SettingsView
from smc.wire.orders import Ssl, TransferSettings


@pytest.mark.parametrize(("host", "told"), [("127.0.0.1", True), ("localhost", True), ("192.0.2.7", False)])
def test_a_line_that_works_on_this_machine_alone_is_called_so(smc: Smc, host: str, *, told: bool) -> None:
    _, printed, _ = smc("token", "create", "--host", host)
    assert (f"No other machine reaches the center at {host}." in printed) is told
    assert ("--public-host ADDRESS" in printed) is told


def test_a_token_is_made_with_the_line_to_run_and_can_be_disabled_and_deleted(smc: Smc) -> None:
    status, printed, _ = smc("token", "create", "--name", "batch-1", "--host", "192.0.2.7", "--json")
    made = json.loads(printed)
    assert status == 0
    assert "https://192.0.2.7:" in made["LinuxCommand"]
    assert made["AccessTokenCode"] in made["LinuxCommand"]
    token = made["AccessTokenId"]
    assert "activated" in smc("token", "list")[1]
    assert smc("token", "disable", token) == (0, f"disabled {token}\n", "")
    assert "unactivated" in smc("token", "list")[1]
    assert smc("token", "delete", token)[0] == 0
    assert token not in smc("token", "list")[1]


def test_a_source_is_listed_renamed_and_deleted(smc: Smc, running: Center) -> None:
    source = running.import_server().source_id
    listed = smc("source", "list")[1]
    assert source in listed
    assert "web-1" in listed
    assert "Online" in listed
    assert smc("source", "rename", source, "shop")[1] == f"{source} is now shop\n"
    assert smc("source", "delete", source)[0] == 0
    assert source not in smc("source", "list")[1]


def test_a_job_is_created_shown_started_stopped_and_listed(smc: Smc, running: Center) -> None:
    source = running.import_server().source_id
    status, printed, _ = smc(
        "job", "create", source, "--name", "move", "--data-disk", "1=8", "--method", "create-only", "--json"
    )
    assert status == 0
    job = json.loads(printed)["JobId"]
    shown = json.loads(smc("job", "show", job, "--json")[1])
    assert (shown["Name"], shown["Status"], shown["SystemDiskSize"]) == ("move", "Ready", 20)
    assert shown["DataDisks"]["DataDisk"][0]["Size"] == 8
    assert smc("job", "start", job) == (0, f"started {job}\n", "")
    assert running.jobs.calls == [("start", job)]
    assert "Preparing" in smc("job", "progress", job)[1]
    assert "move" in smc("job", "list")[1]
    assert json.loads(smc("job", "report", job, "--json")[1])["Reports"] == {"Report": []}


def test_the_destination_is_listed_with_reasons_and_cures(smc: Smc, running: Center) -> None:
    source = running.import_server().source_id
    instance = target(running.cloud)
    vpc, vswitch = network(running.cloud)
    shown = smc("target", "instances", source)[1]
    assert f"{instance}: {instance} has too few data disks for the source's. Attach 1 disk" in shown
    found = json.loads(smc("target", "instances", source, "--json")[1])
    assert found["TargetInstances"]["TargetInstance"][0]["Eligible"] is False
    assert "10.7.0.0/16" in smc("target", "vpcs")[1]
    assert vswitch in smc("target", "vswitches", "--vpc", vpc)[1]
    assert vpc in smc("target", "groups")[1]
    assert "mem.arm" in smc("target", "types", "--architecture", "arm64")[1]
    assert "mem.small" not in smc("target", "types", "--architecture", "arm64")[1]


def test_a_job_onto_an_instance_is_confirmed_by_its_id(smc: Smc, running: Center) -> None:
    source = running.import_server().source_id
    instance = target(running.cloud, 9, 4)
    _, first, second = [disk.id for disk in running.cloud.disks(instance)]
    words = ("job", "create", source, "--target-instance", instance)
    status, _, said = smc(*words)
    assert status == 1
    assert "[ConfirmErase.Missing]" in said
    assert second in said
    assert f"--yes-erase {instance}" in said
    more = ("--yes-erase", instance, "--target-disk", f"1={first}", "--private-ip", "10.7.1.50", "--json")
    status, printed, said = smc(*words, *more)
    assert status == 0, said
    stored = running.parts.store.jobs.find(json.loads(printed)["JobId"])
    assert stored
    assert (stored.request.instance_id, stored.request.target_disks) == (instance, {1: first})
    assert stored.request.private_ip_address == "10.7.1.50"
    assert instance in smc("job", "list")[1]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--yes-erase", "i-1"), "MissingParameter.InstanceId"),
        (("--target-instance", "i-1", "--target-disk", "first"), "InvalidParameter.DiskId"),
        (("--target-instance", "i-1", "--target-disk", "7=d-1"), "ReplicationJobDataDiskIndex.Invalid"),
        (("--target-instance", "i-1"), "InvalidInstanceId.NotFound"),
    ],
)
def test_options_of_an_instance_are_checked(
    smc: Smc, running: Center, words: tuple[str, ...], code: str
) -> None:
    status, _, said = smc("job", "create", running.import_server().source_id, *words)
    assert status == 1
    assert f"[{code}]" in said


def test_a_refusal_says_what_to_do_and_ends_with_one(smc: Smc, running: Center) -> None:
    source = running.import_server(server(used=40 << 30)).source_id
    status, printed, said = smc("job", "create", source, "--system-disk-gib", "20")
    assert (status, printed) == (1, "")
    assert said.startswith("refused [")
    assert "->" in said
    assert " GiB" in said


def test_a_malformed_disk_size_is_refused_before_the_center_is_asked(smc: Smc) -> None:
    status, _, said = smc("job", "create", "s-1", "--data-disk", "big")
    assert status == 1
    assert "[InvalidParameter.DataDisk]" in said
    assert "--data-disk 1=40" in said


def test_what_does_not_exist_is_named(smc: Smc) -> None:
    for words in (
        ("job", "start", "j-none"),
        ("job", "stop", "j-none"),
        ("job", "delete", "j-none"),
        ("job", "watch", "j-none"),
        ("token", "delete", "at-none"),
        ("source", "delete", "s-none"),
        ("image", "delete", "m-none"),
        ("instance", "create", "m-none"),
        ("instance", "delete", "i-none"),
    ):
        status, _, said = smc(*words)
        assert status == 1, words
        assert "NotFound]" in said, words


def test_a_center_that_is_away_is_said_to_be_so(
    smc: Smc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = tmp_path / "away.json"
    away.write_text('{"endpoint": "http://127.0.0.1:9", "access_key_id": "a", "access_key_secret": "b"}')
    monkeypatch.setenv("SMC_LOGIN", str(away))
    status, _, said = smc("job", "list")
    assert status == 1
    assert "[Center.Unreachable]" in said
    assert "Is `smc serve` running there?" in said


@pytest.mark.parametrize(
    "verb", ["serve", "token", "source", "job", "image", "instance", "appliance", "cloud"]
)
def test_every_verb_has_help(smc: Smc, verb: str) -> None:
    status, printed, _ = smc(verb, "--help")
    assert status == 0
    assert "Usage: smc" in printed


def test_progress_reads_as_a_sentence() -> None:
    job = Job(job_id="j-1", status="Running", business_status="Syncing")
    progress = ProgressView(
        bytes_total=1 << 30,
        bytes_done=1 << 28,
        files_total=24811,
        files_done=9120,
        speed=1 << 25,
        wire_speed=1 << 23,
        seconds_left=24.0,
        wire_bytes=1 << 26,
        resent_bytes=3 << 20,
        compress_level=3,
        agent_note="pass 1: 7 changes",
        settings=SettingsView(bandwidth_limit=100),
        disks=DisksView(
            disk=[
                DiskView(index=0, bytes_total=1 << 30, bytes_done=1 << 28),
                DiskView(index=1, bytes_total=8, bytes_done=4, files_total=2, files_done=1),
            ]
        ),
    )
    assert describe(Moment(job=job, progress=progress)) == (
        "Synchronizing: 256.0 MiB of 1.0 GiB, 9,120 of 24,811 files, "
        "32.0 MiB/s (8.0 MiB/s on the wire), 0:24 left"
    )
    assert details(progress) == [
        "on the wire: 64.0 MiB, sent again: 3.0 MiB",
        "compression level: 7 wanted, 3 now; limit: 100 Mbit/s; checksum: off; ssl: auto",
        "disk 0: 256.0 MiB of 1.0 GiB",
        "disk 1: 4 B of 8 B, 1 of 2 files",
        "agent: pass 1: 7 changes",
    ]


def test_how_a_job_transfers_is_chosen_and_changed(smc: Smc, running: Center) -> None:
    source = running.import_server().source_id
    words = ("--bandwidth-limit", "100", "--compress-level", "3", "--disk-exclude", "1=/cache/")
    job = json.loads(smc("job", "create", source, *words, "--method", "create-only", "--json")[1])["JobId"]
    status, printed, _ = smc("job", "modify", job, "--checksum", "--ssl", "off")
    assert (status, printed.splitlines()[0]) == (0, f"changed {job}")
    found = running.parts.store.jobs.find(job)
    assert found is not None
    assert found.request.settings == TransferSettings(
        bandwidth_limit_mbit=100, compress_level=3, checksum=True, ssl=Ssl.OFF
    ), "what is not given stays"
    assert found.plan.disks[1].excludes == ("/cache/",)
    assert "RequestId" in json.loads(smc("job", "modify", job, "--no-checksum", "--json")[1])
    assert json.loads(smc("job", "progress", job, "--json")[1])["Settings"]["Checksum"] is False
    smc("job", "modify", job, "--exclude", "/opt/x")
    found = running.parts.store.jobs.find(job)
    assert found is not None
    assert (found.plan.excludes, found.plan.disks[1].excludes) == (("/opt/x",), ())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "MissingParameter.ReplicationParameters"),
        (("--ssl", "maybe"), "one of auto, on, off"),
        (("--exclude", "+ /keep"), "only excluding is possible"),
        (("--disk-exclude", "/cache"), "DISK=PATTERN is wanted"),
        (("--disk-exclude", "7=/cache"), "of which nothing is copied"),
    ],
)
def test_a_change_that_cannot_be_is_refused_with_its_cure(
    smc: Smc, running: Center, words: tuple[str, ...], told: str
) -> None:
    job = json.loads(
        smc("job", "create", running.import_server().source_id, "--method", "create-only", "--json")[1]
    )["JobId"]
    status, _, said = smc("job", "modify", job, *words)
    assert status == 1
    assert told in said
    assert "->" in said


@pytest.mark.parametrize(
    ("status", "business", "word"),
    [
        ("Running", "Syncing", "Synchronizing"),
        ("Running", "Processing", "Processing"),
        ("Finished", "", "Completed"),
        ("InError", "", "Error"),
        ("Stopped", "", "Stopped"),
    ],
)
def test_an_operator_sees_the_words_of_the_contract(status: str, business: str, word: str) -> None:
    assert operator_word(Job(job_id="j-1", status=status, business_status=business)) == word
