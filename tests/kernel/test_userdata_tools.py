"""The first boot of an intermediate instance brings the tools that its image lacks: judged by a shell."""

import subprocess
from pathlib import Path

import pytest

from smc.base.secret import Secret
from smc.center.jobs.userdata import LVM, Tool, user_data

pytestmark = pytest.mark.kernel

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"


LOCKED = "-o DPkg::Lock::Timeout=240"  # a first boot has other programs that install


def brought(folder: Path, *tools: Tool, works: bool = True) -> tuple[str, list[str]]:
    """What it prints, and how apt-get was called."""
    script = user_data(host="h", port=1, fingerprint="f", agent_sha256="s", ticket=Secret("t"), tools=tools)
    begin, end = script.index("bring() {"), script.index('mkdir -p "${ticket')
    programs = folder / "programs"
    programs.mkdir()
    calls = folder / "calls"
    calls.touch()
    apt = programs / "apt-get"
    apt.write_text(f'#!/bin/sh\necho "$(umask) $*" >>{calls}\nexit {0 if works else 100}\n')
    apt.chmod(0o755)
    text = f"set -eu\numask 077\n{script[begin:end]}echo done\n".replace(
        PATH, f"PATH={programs}:/usr/bin:/bin\n"
    )
    done = subprocess.run(["sh"], input=text, capture_output=True, text=True, check=True, timeout=20)
    return done.stdout, calls.read_text().splitlines()


def test_what_is_there_is_not_installed(tmp_path: Path) -> None:
    assert brought(tmp_path, Tool("cat", "coreutils")) == ("done\n", [])


def test_what_is_not_there_is_installed_after_one_look_for_what_there_is(tmp_path: Path) -> None:
    printed, calls = brought(tmp_path, Tool("lvm-of-nobody", LVM.package), Tool("cat", "c"), Tool("no", "n"))
    assert calls == [
        "0022 -q update",
        f"0022 -q -y {LOCKED} --no-install-recommends install {LVM.package}",
        f"0022 -q -y {LOCKED} --no-install-recommends install n",
    ]
    assert printed.endswith("done\n")


def test_the_receiver_starts_although_nothing_could_be_installed(tmp_path: Path) -> None:
    printed, calls = brought(tmp_path, Tool("no", "n"), works=False)
    assert printed.endswith("done\n")
    assert len(calls) == 2
