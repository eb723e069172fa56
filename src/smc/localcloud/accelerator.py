"""KVM where a guest really boots under it, otherwise emulation (TCG).

That /dev/kvm can be opened says little: inside some virtual machines it runs the firmware and even a boot
sector, and a Linux kernel then hangs while it unpacks itself (measured). So a real kernel is started once,
and what was found is remembered.
"""

import logging
import os
import platform
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from smc.base.errors import CommandFailed
from smc.base.files import write_atomic
from smc.base.run import Run, run
from smc.localcloud.machine import Accelerator

log = logging.getLogger(__name__)

DEVICE = Path("/dev/kvm")
PROBE_SECONDS = 20.0  # a kernel without a root panics after 2.3 s under TCG, after less under a good KVM
PROOF = "Kernel panic - not syncing: VFS"  # it came as far as looking for its root
MEMORY_MIB = 256


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """`key` is what the finding depends on; `note` says why, for the log."""

    key: str
    accelerator: Accelerator
    note: str


def find(kernel: Path, cache: Path, *, run: Run = run, device: Path = DEVICE) -> Finding:
    """`kernel` is a Linux kernel for this machine's architecture, `cache` the file that remembers."""
    if not device.exists():
        return Finding(key="", accelerator=Accelerator.TCG, note=f"There is no {device}.")
    if not os.access(device, os.R_OK | os.W_OK):
        note = f"{device} cannot be opened by this user (is it in the group kvm?)."
        return Finding(key="", accelerator=Accelerator.TCG, note=note)
    key = _key(run, device)
    known = _remembered(cache)
    if known and known.key == key:
        return known
    found = _probe(kernel, key, run)
    cache.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(cache, msgspec.json.encode(found))
    log.info("Accelerator %s: %s", found.accelerator.value, found.note)
    return found


def _key(run: Run, device: Path) -> str:
    """Kernel, QEMU, processor and device: a change in any of them asks for another look."""
    version = run("qemu-system-x86_64", "--version", timeout=10).stdout.splitlines()[0]
    cpu = next(
        (line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")),
        platform.machine(),
    )
    status = device.stat()
    return f"{platform.release()} | {version} | {cpu} | {status.st_dev}:{status.st_rdev}"


def _remembered(cache: Path) -> Finding | None:
    try:
        return msgspec.json.decode(cache.read_bytes(), type=Finding)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _probe(kernel: Path, key: str, run: Run) -> Finding:
    started = time.monotonic()
    with TemporaryDirectory(prefix="smc-probe-") as folder:
        console = Path(folder) / "console"
        why = "the guest's kernel did not come up"
        try:
            run(*_probe_command(kernel, console), timeout=PROBE_SECONDS)
        except CommandFailed as e:
            why = " ".join([e.message, *e.stderr.splitlines()[:1]])
        booted = console.exists() and PROOF in console.read_text(errors="replace")
    seconds = time.monotonic() - started
    if booted:
        note = f"A guest boots under KVM ({seconds:.1f} s)."
        return Finding(key=key, accelerator=Accelerator.KVM, note=note)
    note = f"No guest boots under KVM here ({why}), so machines are emulated, which is slower."
    return Finding(key=key, accelerator=Accelerator.TCG, note=note)


def _probe_command(kernel: Path, console: Path) -> list[str]:
    """The kernel finds no root, panics, restarts at once (panic=-1), and QEMU ends instead (-no-reboot)."""
    return [
        *("qemu-system-x86_64", "-machine", "pc", "-accel", "kvm", "-cpu", "host", "-m", f"{MEMORY_MIB}M"),
        *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-kernel", str(kernel), "-append", "console=ttyS0 panic=-1"),
        *("-serial", f"file:{console}"),
    ]
