"""A source whose clock is wrong: certificates of center and run are good years away (openssl judges)."""

import subprocess
import time
from pathlib import Path

import pytest

from smc.center.trust.center_ca import open_trust
from smc.center.trust.run_ca import AGENT, RECEIVER, issue, new_authority
from smc.wire.trust import Key

pytestmark = pytest.mark.kernel

HOUR, YEAR = 3600, 365 * 24 * 3600


@pytest.mark.parametrize("off", [0, -2 * HOUR, 2 * HOUR, -YEAR, YEAR, -5 * YEAR, 5 * YEAR])
def test_what_a_source_with_a_wrong_clock_is_shown_is_valid_for_it(tmp_path: Path, off: int) -> None:
    center = open_trust(tmp_path / "pki", ["127.0.0.1", "center.example"])
    assert judge(center.ca_file, center.certificate_file, "sslserver", off) == ""
    run = new_authority()
    (tmp_path / "run-ca.pem").write_text(run.certificate)
    for name in (AGENT, RECEIVER):
        certificate = tmp_path / f"{name}.pem"
        certificate.write_text(issue(run, Key.generate().request(name), name))
        for purpose in ("sslserver", "sslclient"):
            assert judge(tmp_path / "run-ca.pem", certificate, purpose, off) == ""


def test_the_judge_goes_by_the_clock_it_is_given(tmp_path: Path) -> None:
    center = open_trust(tmp_path / "pki", ["127.0.0.1"])
    assert "not yet valid" in judge(center.ca_file, center.certificate_file, "sslserver", -40 * YEAR)


def judge(ca: Path, certificate: Path, purpose: str, off: int) -> str:
    """What openssl has against a certificate when the clock is `off` by so many seconds, "" for nothing."""
    words = ["openssl", "verify", "-attime", str(int(time.time()) + off), "-purpose", purpose, "-x509_strict"]
    done = subprocess.run(
        [*words, "-CAfile", ca, certificate], capture_output=True, text=True, check=False, timeout=20
    )
    return done.stderr if done.returncode else ""
