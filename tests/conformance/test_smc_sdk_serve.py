"""A center that is started, asked by the official SDK, told to stop, and started again."""

import json
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alibabacloud_smc20190601 import models
from alibabacloud_smc20190601.client import Client
from alibabacloud_tea_openapi.models import Config

from smc.base.process import start_time
from smc.client.api import Api, read_login

ROOT = Path(__file__).parents[2]
Served = subprocess.Popen[str]
START_SECONDS = 20.0  # 5 s on a machine of its own; this one may be busy with other tests


@contextmanager
def served(
    data_dir: Path, listen: str = "127.0.0.1:0"
) -> Iterator[tuple["subprocess.Popen[str]", list[str]]]:
    """The process and the words of its first line."""
    command = [sys.executable, "-m", "tests.conformance.smc_served", str(data_dir), listen]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            begun = time.monotonic()
            words = process.stdout.readline().split()
            assert words, "it ended without a word"
            assert time.monotonic() - begun < START_SECONDS
            yield process, words
        finally:
            process.kill()


def client_of(data_dir: Path) -> Client:
    login = json.loads((data_dir / "admin-key.json").read_text())
    return Client(
        Config(
            access_key_id=login["access_key_id"],
            access_key_secret=login["access_key_secret"],
            endpoint=login["endpoint"].removeprefix("http://"),
            protocol="HTTP",
        )
    )


def test_a_center_keeps_its_key_and_its_data_over_a_restart(tmp_path: Path) -> None:
    with served(tmp_path) as (process, words):
        assert words[0] == "new"
        file = tmp_path / "admin-key.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert json.loads(file.read_text())["access_key_id"] == words[2]
        client_of(tmp_path).create_access_token(models.CreateAccessTokenRequest(name="kept"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
    fingerprint = (tmp_path / "pki" / "ca.pem").read_bytes()
    with served(tmp_path) as (process, again):
        assert again[0] == "known"
        assert again[2] == words[2]
        answer = client_of(tmp_path).list_access_tokens(models.ListAccessTokensRequest()).body
        assert [token.name for token in answer.access_tokens.access_token] == ["kept"]
        process.kill()
    assert (tmp_path / "pki" / "ca.pem").read_bytes() == fingerprint
    secret = [path.name for path in tmp_path.rglob("*key*") if stat.S_IMODE(path.stat().st_mode) & 0o077]
    assert secret == []
    assert stat.S_IMODE((tmp_path / "center.db").stat().st_mode) == 0o600


def test_a_center_that_other_machines_reach_speaks_https_only(tmp_path: Path) -> None:
    with served(tmp_path, "0.0.0.0:0") as (_, words):
        assert words[1].startswith("https://127.0.0.1:")
        login = read_login(tmp_path / "admin-key.json")
        assert login.ca_file == str((tmp_path / "pki" / "ca.pem").resolve())
        assert Api(login).call("DescribeRegions")["Regions"]["Region"] == [{"RegionId": "local"}]


def test_a_center_says_which_address_is_taken(tmp_path: Path) -> None:
    with served(tmp_path / "one") as (_, words):
        taken = words[1].removeprefix("http://")
        command = [sys.executable, "-m", "tests.conformance.smc_served", str(tmp_path / "two"), taken]
        second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode != 0
    assert f"cannot listen on {taken}" in second.stderr


def test_a_folder_has_one_center_and_the_embedded_cloud_ends_with_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "smc.cli.main", "serve", "--data-dir", str(tmp_path / "data")]
    command += ["--agent-file", str(agent_file(tmp_path)), "--listen", "127.0.0.1:0"]
    command += ["--agent-listen", "127.0.0.1:0"]
    begun = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
        try:
            assert first.stdout
            assert first.stdout.readline().startswith("serving at ")
            assert time.monotonic() - begun < START_SECONDS
            cloud = json.loads((tmp_path / "data" / "cloud" / "login.json").read_text())
            assert start_time(cloud["pid"]) == cloud["start_time"]
            second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            assert second.returncode == 1
            assert "Center.InUse" in second.stderr
            assert start_time(cloud["pid"]) == cloud["start_time"]
            first.send_signal(signal.SIGTERM)
            assert first.wait(30) == 0
            assert start_time(cloud["pid"]) != cloud["start_time"]
        finally:
            first.kill()


def agent_file(folder: Path) -> Path:
    file = folder / "smc-agent"
    file.write_bytes(b"#!/bin/sh\n")
    return file
