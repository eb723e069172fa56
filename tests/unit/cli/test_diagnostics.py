"""The command line writes the archive of a job."""

import stat
import tarfile
from pathlib import Path

import pytest
from alibabacloud_smc20190601.client import Client
from tests.conformance.smc_sdk import client_of
from tests.conformance.test_smc_sdk_diagnostics import job
from tests.unit.center.running import Center
from tests.unit.cli.conftest import Smc

__all__ = ["job"]


@pytest.fixture
def sdk(running: Center) -> Client:
    return client_of(running)


def test_logs_are_listed_and_the_archive_is_written_for_its_owner(smc: Smc, job: str, tmp_path: Path) -> None:
    assert "console.txt" in smc("job", "diagnostics", job)[1]
    file = tmp_path / "why.tar.gz"
    assert smc("job", "diagnostics", job, "--into", str(file))[0] == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with tarfile.open(file) as tar:
        assert f"{job}/job.json" in tar.getnames()
