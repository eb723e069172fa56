"""What is known of a job in one archive, by the official SDK's generic call and by the command line."""

import base64
import hashlib
import io
import json
import os
import tarfile
import time

import pytest
from alibabacloud_smc20190601.client import Client
from tests.conformance.smc_sdk import call, refused
from tests.conformance.test_smc_sdk_jobs import create
from tests.unit.center.running import Center

from smc.center.api.diagnostics import PART_BYTES
from smc.center.diagnostics import scrub
from smc.center.trust.run_ca import new_authority
from smc.model.job import JobStatus, RunType
from smc.model.progress import Failure
from smc.model.report import Report


@pytest.fixture
def job(running: Center, sdk: Client) -> str:
    """Failed, with everything that a bundle has."""
    made = create(sdk, running.import_server().source_id)
    store, blobs = running.parts.store, running.parts.blobs
    run = store.jobs.begin_run(made, RunType.MANUAL, new_authority())
    store.runs.record_report(made, run.number, Report(run=run.id))
    content = f"proxy http://ann:pa55word@proxy:3128\nkey {running.admin.access_key_secret}\nreal line\n"
    store.run_logs.keep(made, 1, "agent", "agent.log", blobs.keep(content.encode()), len(content))
    store.run_logs.keep(made, 1, "instance", "console.txt", blobs.keep(b"login:"), 6)
    store.log.add(made, "It went wrong.")
    failure = Failure(kind="Broken", code="Disk.Full", message="full")
    assert store.jobs.end(run, JobStatus.IN_ERROR, failure=failure)
    logs = running.parts.settings.data_dir / "logs"
    logs.mkdir(exist_ok=True)
    (logs / "center.log").write_text(f"a line of another\nrun {made}.1 failed\n")
    return made


def fetched(sdk: Client, job: str) -> bytes:
    answer = call(sdk, "DescribeDiagnosticBundle", JobId=job)
    content = base64.b64decode(answer["Content"])
    for part in range(2, answer["Parts"] + 1):
        more = call(sdk, "DescribeDiagnosticBundle", JobId=job, Sha256=answer["Sha256"], Part=part)
        content += base64.b64decode(more["Content"])
    assert (len(content), hashlib.sha256(content).hexdigest()) == (answer["Size"], answer["Sha256"])
    return content


def unpacked(content: bytes) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as tar:
        found = {member.name: tar.extractfile(member) for member in tar.getmembers()}
        return {name.split("/", 1)[1]: file.read().decode() for name, file in found.items() if file}


def test_a_bundle_has_all_of_a_job_and_no_secret(running: Center, sdk: Client, job: str) -> None:
    listed = call(sdk, "DescribeDiagnostics", JobId=job)
    assert [(log["Run"], log["Sender"], log["Name"]) for log in listed["Logs"]["Log"]] == [
        (1, "agent", "agent.log"),
        (1, "instance", "console.txt"),
    ]
    files = unpacked(fetched(sdk, job))
    assert set(files) >= {
        "job.json",
        "source.json",
        "runs.json",
        "runs/1/report.json",
        "log.jsonl",
        "events.jsonl",
        "runs/1/agent/agent.log",
        "runs/1/instance/console.txt",
        "center.log",
    }
    assert files["runs/1/agent/agent.log"] == "proxy http://***@proxy:3128\nkey ***\nreal line\n"
    assert files["center.log"] == f"run {job}.1 failed"
    assert json.loads(files["job.json"])["failure"]["code"] == "Disk.Full"
    assert "It went wrong." in files["log.jsonl"]
    kinds = [json.loads(line)["kind"] for line in files["events.jsonl"].splitlines()]
    assert {"Job.Created", "Job.Started", "Job.InError"} <= set(kinds)
    everything = "".join(files.values())
    assert "PRIVATE KEY" not in everything
    assert running.admin.access_key_secret not in everything


def test_a_large_bundle_comes_in_parts_that_are_of_one_archive(
    running: Center, sdk: Client, job: str
) -> None:
    store, blobs = running.parts.store, running.parts.blobs
    noise = base64.b32encode(os.urandom(PART_BYTES * 2))
    store.run_logs.keep(job, 1, "agent", "replicate.log", blobs.keep(noise), len(noise))
    first = call(sdk, "DescribeDiagnosticBundle", JobId=job)
    assert first["Parts"] > 2
    assert unpacked(fetched(sdk, job))["runs/1/agent/replicate.log"] == noise.decode()
    with refused("InvalidParameter.Part"):
        call(sdk, "DescribeDiagnosticBundle", JobId=job, Sha256=first["Sha256"], Part=first["Parts"] + 1)
    with refused("InvalidSha256.NotFound"):
        call(sdk, "DescribeDiagnosticBundle", JobId=job, Sha256="0" * 64)
    with refused("InvalidSha256.NotFound"):
        call(sdk, "DescribeDiagnosticBundle", JobId=job, Sha256=blobs.keep(b"no archive"))


def test_whether_logs_are_sent_is_chosen_also_while_it_runs(running: Center, sdk: Client, job: str) -> None:
    assert call(sdk, "DescribeDiagnostics", JobId=job)["UploadDiagnosticLogs"] is True
    call(sdk, "ModifyReplicationJobAttribute", JobId=job, UploadDiagnosticLogs=False)
    assert call(sdk, "DescribeDiagnostics", JobId=job)["UploadDiagnosticLogs"] is False
    with refused("InvalidJobId.NotFound"):
        call(sdk, "DescribeDiagnostics", JobId="j-none")


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Authorization: Bearer abcDEF123456", "Authorization: Bearer ***"),
        ("smc-agent import --token-id at-1 --token-code s3cr3tcode", None),
        ("https://user:pw@host/x", "https://***@host/x"),
        ('{"password": "hunter22"}', None),
        ("-----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY-----\nafter", "***\nafter"),
        ("credential Zz9" + "aB3" * 12 + "x", None),
        ("sha256 " + "0a" * 32, "sha256 " + "0a" * 32),
        ("run j-lcl7k2p8d9s0a1b2c3d4.1: 12 files", "run j-lcl7k2p8d9s0a1b2c3d4.1: 12 files"),
    ],
)
def test_what_looks_like_a_secret_is_taken_out_and_the_rest_stays(text: str, clean: str | None) -> None:
    found = scrub(text)
    if clean is not None:
        assert found == clean
    for secret in ("s3cr3tcode", "hunter22", "aB3aB3"):
        assert secret not in found


def test_a_private_key_that_was_cut_off_is_taken_out_too_and_many_beginnings_hold_up_nobody() -> None:
    assert scrub("a\n-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE") == "a\n***"
    began = time.process_time()
    assert scrub("-----BEGIN PRIVATE KEY-----" * 30_000) == "***" * 30_000
    assert time.process_time() - began < 5.0
