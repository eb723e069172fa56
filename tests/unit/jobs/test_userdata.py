"""The script that starts a receiver."""

import msgspec
from tests.unit.center.servers import server

from smc.base.secret import Secret
from smc.center.jobs.userdata import LARGEST, LVM, TOOLS, Tool, tools_of, user_data
from smc.model.planner import plan
from smc.model.wishes import Limits, Wishes
from smc.receiver import filesystems


def made(host: str = "gateway", ticket: str = "ticket-1", tools: tuple[Tool, ...] = ()) -> str:
    return user_data(
        host=host,
        port=8701,
        fingerprint="ab" * 32,
        agent_sha256="cd" * 32,
        ticket=Secret(ticket),
        tools=tools,
    )


def test_the_same_run_gets_the_same_bytes() -> None:
    assert made() == made()
    assert made(ticket="ticket-2") != made()


def test_it_is_a_shell_script_that_ecs_takes() -> None:
    script = made()
    assert script.startswith("#!/bin/sh\n")
    assert len(script.encode()) <= LARGEST
    assert "@" not in script


def test_it_brings_what_the_plan_needs_before_the_receiver_starts() -> None:
    script = made(tools=(*TOOLS.values(), LVM))
    assert script.index("bring lvm lvm2\n") < script.index("systemctl enable")
    assert script.index("bring mkfs.xfs xfsprogs\n") < script.index("systemctl enable")
    assert "bring mkfs" not in made()
    assert len(script.encode()) <= LARGEST


def test_what_a_plan_needs_are_the_programs_of_its_filesystems_and_lvm() -> None:
    source = msgspec.structs.replace(server(), tools=("lvm2",))
    assert tools_of(plan(source, Wishes(), Limits())) == ()
    made = plan(source, Wishes(lvm=frozenset({1})), Limits())
    assert tools_of(made) == (LVM,)
    system, *others = made.disks
    parts = tuple(
        msgspec.structs.replace(part, filesystem=kind)
        for part, kind in zip(system.partitions, ("vfat", "btrfs"), strict=True)
    )
    mixed = msgspec.structs.replace(made, disks=(msgspec.structs.replace(system, partitions=parts), *others))
    assert tools_of(mixed) == (LVM, TOOLS["btrfs"], TOOLS["vfat"])


def test_every_format_has_its_tool_or_every_system_has_it() -> None:
    assert filesystems.TOOLS.keys() - TOOLS.keys() == {"ext2", "ext3", "ext4"}


def test_it_says_where_the_center_is_and_what_to_trust() -> None:
    script = made(host="203.0.113.5")
    assert "host=203.0.113.5\n" in script
    assert f"--ca-fingerprint {'ab' * 32}" in script
    assert f"sha256={'cd' * 32}\n" in script
    assert "host='[2001:db8::1]'\n" in made(host="2001:db8::1")


def test_what_is_put_in_cannot_leave_its_place() -> None:
    assert "host='x; reboot'\n" in made(host="x; reboot")
