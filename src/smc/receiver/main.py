"""The receiver's command line: `smc-agent receive`, on the intermediate instance, as root."""

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from smc.base import log as logs
from smc.base.errors import SmcError
from smc.base.process import allow_many_files
from smc.base.run import run
from smc.receiver import mounts
from smc.receiver.enrol import enrol
from smc.receiver.home import Home, drop_file
from smc.receiver.loop import Loop
from smc.receiver.work import Bench
from smc.transfer.give_back import keep_what_is_loaded
from smc.wire.control import Control

log = logging.getLogger(__name__)

STATE = Path("/var/lib/smc-receiver")
MOUNTS = Path("/mnt/smc")


def main(words: Sequence[str]) -> int:
    options = parse(words)
    home = Home(options.state)
    home.make()
    logs.set_up(file=home.log)
    allow_many_files()
    keep_what_is_loaded()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        receive(options, stop)
    except SmcError as e:
        print(f"smc-agent receive: {e.message} ({e.code})\n{e.hint}".rstrip(), file=sys.stderr)
        return 1
    return 0


def parse(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="smc-agent receive",
        description="Receive a server: lay out the disks of this intermediate instance, take the data,"
        " make the copy bootable.",
    )
    parser.add_argument(
        "--center", required=True, metavar="URL", help="https://HOST:PORT of the center's agents"
    )
    parser.add_argument("--ca-fingerprint", required=True, metavar="HEX", help="SHA-256 of the center's CA")
    ticket = parser.add_mutually_exclusive_group()
    ticket.add_argument("--ticket", default="", help="the single-use ticket; needed at the first start only")
    ticket.add_argument("--ticket-file", type=Path, metavar="FILE", help="holds it; removed when it was used")
    parser.add_argument("--state", type=Path, default=STATE, metavar="DIR", help="default: %(default)s")
    parser.add_argument("--mounts", type=Path, default=MOUNTS, metavar="DIR", help="default: %(default)s")
    return parser.parse_args(words)


def receive(options: argparse.Namespace, stop: threading.Event) -> None:
    home = Home(options.state)
    home.make()
    with home.alone():
        enrolment = enrol(options.center, options.ca_fingerprint, _ticket(options), home, stop)
        if enrolment is None:
            return
        if options.ticket_file:
            drop_file(options.ticket_file)
        mounts.unmount_below(options.mounts, run)
        with Control(enrolment.url, enrolment.ca, enrolment.credential) as control:
            Loop(control, enrolment.job, Bench(home=home, mounts=options.mounts)).run(stop)


def _ticket(options: argparse.Namespace) -> str:
    if options.ticket_file and options.ticket_file.exists():
        return str(options.ticket_file.read_text()).strip()
    return str(options.ticket)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
