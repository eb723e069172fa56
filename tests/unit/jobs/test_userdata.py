"""The script that starts a receiver."""

from smc.base.secret import Secret
from smc.center.jobs.userdata import LARGEST, user_data


def made(host: str = "gateway", ticket: str = "ticket-1") -> str:
    return user_data(
        host=host, port=8701, fingerprint="ab" * 32, agent_sha256="cd" * 32, ticket=Secret(ticket)
    )


def test_the_same_run_gets_the_same_bytes() -> None:
    assert made() == made()
    assert made(ticket="ticket-2") != made()


def test_it_is_a_shell_script_that_ecs_takes() -> None:
    script = made()
    assert script.startswith("#!/bin/sh\n")
    assert len(script.encode()) <= LARGEST
    assert "@" not in script


def test_it_says_where_the_center_is_and_what_to_trust() -> None:
    script = made(host="203.0.113.5")
    assert "host=203.0.113.5\n" in script
    assert f"--ca-fingerprint {'ab' * 32}" in script
    assert f"sha256={'cd' * 32}\n" in script
    assert "host='[2001:db8::1]'\n" in made(host="2001:db8::1")


def test_what_is_put_in_cannot_leave_its_place() -> None:
    assert "host='x; reboot'\n" in made(host="x; reboot")
