"""The receiver as a program of its own, with disks given by file instead of serial, and a small conversion.

receiver_program.py CENTER FINGERPRINT STATE MOUNTS [INDEX=DEVICE ...]
"""

import logging
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from tests.unit.receiver.fake_center import TICKET

from smc.base import log
from smc.base.run import Run
from smc.guest.convert import Converted
from smc.guest.journal import Journal
from smc.guest.volumes import Copy
from smc.model.plan import Plan, TargetDisk
from smc.receiver.containers.layers import LAYER_BYTES
from smc.receiver.enrol import enrol
from smc.receiver.home import Home
from smc.receiver.loop import Loop
from smc.receiver.work import Bench
from smc.wire.control import Control

QUIET = "etc/quiet"  # a file that the conversion changes and leaves with its size and time
HANG = "hang-here"  # a file of the copy at which the conversion stops for ever


def convert(
    copy: Copy,
    plan: Plan,
    *,
    note: Callable[[str], None],
    run: Run,
    journal: Journal | None = None,
    image_check: bool = True,
    fresh: bool = False,
) -> Converted:
    assert journal is not None
    name = copy.root / "etc" / "hostname"
    before = name.read_text()
    name.write_text("converted\n")
    journal.record("/etc/hostname", "a test", before, "converted\n")
    quiet = copy.root / QUIET
    if quiet.exists():
        times = quiet.stat()
        quiet.write_bytes(quiet.read_bytes()[::-1])
        os.utime(quiet, ns=(times.st_atime_ns, times.st_mtime_ns))
    note("half way")
    if (copy.root / HANG).exists():
        (copy.root / HANG).unlink()
        threading.Event().wait()
    (copy.root / "srv" / "data" / "converted").touch()
    return Converted(changes=journal.changes, checks=())


def main(center: str, fingerprint: str, state: str, mounts: str, *given: str) -> None:
    log.set_up(level=logging.INFO)
    devices = {int(pair.split("=")[0]): Path(pair.split("=")[1]) for pair in given}

    def find(disk: TargetDisk) -> Path:
        return devices[disk.index]

    home = Home(Path(state))
    home.make()
    with home.alone():
        stop = threading.Event()
        enrolment = enrol(center, fingerprint, TICKET, home, stop)
        assert enrolment
        bench = Bench(
            home=home,
            mounts=Path(mounts),
            find=find,
            convert=convert,
            layer_bytes=int(os.environ.get("LAYER_BYTES", LAYER_BYTES)),
            host="127.0.0.1",
        )
        with Control(enrolment.url, enrolment.ca, enrolment.credential) as control:
            Loop(control, enrolment.job, bench).run(stop)


if __name__ == "__main__":
    main(*sys.argv[1:])
