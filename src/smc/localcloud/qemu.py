"""Machines as QEMU processes: start, find again, press the power button, look at the screen.

A machine outlives the program that started it and is found again by process id, start time and socket.
"""

import io
import os
import select
import shutil
import signal
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import msgspec
from PIL import Image

from smc.base.errors import Broken, Transient, UserError
from smc.base.process import start_time
from smc.base.run import spawn
from smc.localcloud import qmp
from smc.localcloud.machine import (
    NETDEV,
    Accelerator,
    Forward,
    MachineSpec,
    command_line,
    firmware_files,
    forward_rule,
    monitor_argument,
    needs_flash,
)

START_SECONDS = 30.0  # until the monitor answers; measured 0.3 s on an idle machine
KILL_SECONDS = 10.0
LOG_TAIL = 2000  # characters of qemu.log that go into an error
JPEG_QUALITY = 85


class Handle(msgspec.Struct, frozen=True, kw_only=True):
    """A running machine. `start_time` is field 22 of /proc/PID/stat: with it a pid is never mistaken."""

    pid: int
    start_time: int
    qmp: Path


def start(spec: MachineSpec, accelerator: Accelerator) -> Handle:
    """Power a machine on; returns when its monitor answers.

    Raises `Broken` with the end of QEMU's own words when it ends at once (a port in use, a locked disk).
    """
    argv = command_line(spec, accelerator)
    spec.folder.mkdir(parents=True, exist_ok=True)
    spec.runtime.mkdir(parents=True, exist_ok=True, mode=0o700)
    spec.monitor.unlink(missing_ok=True)
    if needs_flash(spec) and not spec.nvram.exists():
        shutil.copyfile(firmware_files(spec.architecture)[1], spec.nvram)
    with spec.log.open("wb") as log:
        process = spawn(*argv, output=log)
    # reaps QEMU when it ends, for as long as this program lives; afterwards init does
    threading.Thread(target=process.wait, name=f"reap {spec.name}", daemon=True).start()
    handle = Handle(pid=process.pid, start_time=start_time(process.pid) or 0, qmp=spec.monitor)
    try:
        _await_monitor(spec, handle)
    except BaseException:
        kill(handle)
        raise
    return handle


def find(spec: MachineSpec) -> Handle | None:
    """The machine that runs with this monitor, when whoever started it died before it could note the pid."""
    argument = monitor_argument(spec).encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(FileNotFoundError, ProcessLookupError, PermissionError):  # ended meanwhile, or not ours
            if argument in (entry / "cmdline").read_bytes().split(b"\0"):
                started = start_time(int(entry.name))
                if started is not None:
                    return Handle(pid=int(entry.name), start_time=started, qmp=spec.monitor)
    return None


def is_alive(handle: Handle) -> bool:
    return start_time(handle.pid) == handle.start_time


def power_down(handle: Handle) -> None:
    """Press the power button once (ACPI); whether the guest obeys shows in `wait`."""
    qmp.execute(handle.qmp, "system_powerdown")


def kill(handle: Handle) -> None:
    """Pull the plug; a machine that is already off is fine. Returns when the process has ended."""
    process = _open(handle)
    if process is None:
        return
    try:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(process, signal.SIGKILL)
        if not _ended(process, KILL_SECONDS):
            raise Broken(f"QEMU (process {handle.pid}) does not end after SIGKILL.", code="Qemu.Stuck")
    finally:
        os.close(process)
    handle.qmp.unlink(missing_ok=True)


def wait(handle: Handle, timeout: float) -> bool:
    """Whether the machine was off within `timeout` seconds."""
    process = _open(handle)
    if process is None:
        return True
    try:
        return _ended(process, timeout)
    finally:
        os.close(process)


def screenshot(handle: Handle) -> bytes:
    """The screen as a JPEG. QEMU writes PPM in every version and build, PNG in some only."""
    with tempfile.TemporaryDirectory(prefix="screen-", dir=handle.qmp.parent) as folder:
        picture = Path(folder) / "screen.ppm"
        qmp.execute(handle.qmp, "screendump", filename=str(picture))
        with Image.open(picture) as image:
            jpeg = io.BytesIO()
            image.save(jpeg, "JPEG", quality=JPEG_QUALITY)
    return jpeg.getvalue()


def add_forward(handle: Handle, forward: Forward) -> None:
    """Raises `UserError` when the host's port is taken."""
    answer = qmp.human(handle.qmp, f"hostfwd_add {NETDEV} {forward_rule(forward)}")
    if answer:
        raise UserError(
            f"Port {forward.host_port} of {forward.host_address} cannot be forwarded: {answer}",
            code="LocalCloud.PortTaken",
            hint="Choose another port, or stop the program that listens there.",
        )


def remove_forward(handle: Handle, forward: Forward) -> None:
    """Connections that exist stay; a rule that does not exist is fine."""
    qmp.human(handle.qmp, f"hostfwd_remove {NETDEV} tcp:{forward.host_address}:{forward.host_port}")


def _await_monitor(spec: MachineSpec, handle: Handle) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        if not is_alive(handle):
            words = spec.log.read_text(errors="replace")[-LOG_TAIL:].strip()
            raise Broken(f"The machine {spec.name} did not start: {words}", code="Qemu.StartFailed")
        if spec.monitor.exists():
            with suppress(Transient):
                qmp.execute(spec.monitor, "query-status")
                return
        if time.monotonic() > end:
            raise Broken(f"QEMU is silent after {START_SECONDS:g} s: {spec.name}", code="Qemu.StartFailed")
        time.sleep(0.05)


def _open(handle: Handle) -> int | None:
    """A pidfd, which stays this process even when its number is used again."""
    try:
        process = os.pidfd_open(handle.pid)
    except ProcessLookupError:
        return None
    if is_alive(handle):
        return process
    os.close(process)
    return None


def _ended(process: int, timeout: float) -> bool:
    poll = select.poll()
    poll.register(process, select.POLLIN)
    return bool(poll.poll(timeout * 1000))
