"""The sample source: a server that has nothing to do with us, built once, started afresh for each run.

It has no Python; the judge logs in as root with a key that belongs to the build.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from contextlib import ExitStack
from pathlib import Path

import msgspec

from demo import judge_boot
from demo.sample_content import DATA, NIC_SLOT, PAGE_MARKER, PROVISIONED, SYSTEM, recipe
from demo.ssh import Shell, make_key
from demo.stages import Failed, say, wait_until
from smc.base.lock import exclusively
from smc.localcloud import accelerator, qemu
from smc.localcloud.bake import CACHE, Baked, bake
from smc.localcloud.machine import Forward, MachineDisk, MachineSpec, UserNetwork

SHELF = CACHE / "sample"
PROVISION_SECONDS = 400.0  # measured 60 s under emulation on an idle machine
STOP_SECONDS = 60.0
CPUS, MEMORY_MIB = 2, 1024


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """Its finished disks, which nobody writes any more, and the judge's private key."""

    system: Path
    data: Path
    kernel: Path
    key: Path


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A running sample; its ports are this host's, on loopback."""

    handle: qemu.Handle
    ssh_port: int
    web_port: int
    console: Path

    def ready(self, shell: Shell) -> bool:
        """Whether somebody can log in, the page is served and the writer writes."""
        if not judge_boot.banner(self.ssh_port) or PAGE_MARKER.encode() not in judge_boot.page(self.web_port):
            return False
        try:
            return shell.run("systemctl is-active writer", timeout=15).strip() == "active"
        except Failed:
            return False

    def wait_ready(self, shell: Shell, seconds: float) -> None:
        wait_until("the sample source is ready", seconds, lambda: self.ready(shell))

    def stop(self) -> None:
        """Switch it off as a person would; pull the plug when it does not listen."""
        if qemu.is_alive(self.handle):
            qemu.power_down(self.handle)
            qemu.wait(self.handle, STOP_SECONDS)
        qemu.kill(self.handle)


def build() -> Sample:
    """The sample's disks; made when they are not there or their recipe has changed."""
    key = make_key(SHELF)
    baked = bake(recipe(key.with_suffix(".pub").read_text()), say=lambda line: say(f"    {line}"))
    finished = SHELF / f"{baked.folder.name}-provisioned"
    with exclusively(SHELF / ".first-boot.lock"):
        if not finished.exists():
            _provision(baked, finished)
    return Sample(
        system=finished / f"{SYSTEM}.qcow2", data=finished / f"{DATA}.qcow2", kernel=baked.kernel, key=key
    )


def boot(sample: Sample, folder: Path) -> Source:
    """Start a fresh copy whose changes go to `folder`; what an earlier one left there is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    disks = {SYSTEM: sample.system, DATA: sample.data}
    ssh_port, web_port = free_ports(2)
    forwards = (
        Forward(host_port=ssh_port, guest_port=22),
        Forward(host_port=web_port, guest_port=80),
    )
    spec = _machine(folder.resolve(), disks, forwards)
    handle = qemu.start(spec, accelerator.find(sample.kernel, CACHE / "accelerator.json").accelerator)
    return Source(handle=handle, ssh_port=ssh_port, web_port=web_port, console=spec.console)


def _provision(baked: Baked, finished: Path) -> None:
    """The first boot, which ends by itself; its disks become the sample's."""
    say("    first boot of the sample, to make what only a running system can make")
    found = accelerator.find(baked.kernel, CACHE / "accelerator.json")
    say(f"    {found.note}")
    with ExitStack() as undo:
        work = Path(tempfile.mkdtemp(prefix=".first-boot-", dir=SHELF))
        undo.callback(shutil.rmtree, work, ignore_errors=True)
        disks = {name: baked.disk(name) for name in (SYSTEM, DATA)}
        spec = _machine(work, disks, ())
        handle = qemu.start(spec, found.accelerator)
        undo.callback(qemu.kill, handle)
        off = qemu.wait(handle, PROVISION_SECONDS)
        console = spec.console.read_text(errors="replace")
        if not off or PROVISIONED not in console:
            raise Failed(f"the sample's first boot did not finish; its console ends: {console[-1500:]}")
        work.rename(finished)


def _machine(folder: Path, disks: dict[str, Path], forwards: tuple[Forward, ...]) -> MachineSpec:
    """The same folder is the same machine: its uuid and MAC follow from the path."""
    identity = uuid.uuid5(uuid.NAMESPACE_URL, folder.as_uri())
    overlays = []
    for name, base in disks.items():
        overlay = folder / f"{name}.qcow2"
        subprocess.run(
            ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(base), "-F", "qcow2", str(overlay)],
            check=True,
        )
        overlays.append(MachineDisk(path=overlay, serial=f"sample-{name}"))
    return MachineSpec(
        folder=folder,
        runtime=Path(tempfile.gettempdir()) / f"smc-sample-{os.getuid()}",
        name=identity.hex[:12],
        cpus=CPUS,
        memory_mib=MEMORY_MIB,
        uuid=str(identity),
        disks=tuple(overlays),
        network=UserNetwork(
            cidr="10.0.2.0/24",
            gateway="10.0.2.2",
            address="10.0.2.15",
            mac="52:54:00:" + ":".join(f"{byte:02x}" for byte in identity.bytes[:3]),
            forwards=forwards,
            pci_slot=NIC_SLOT,
        ),
    )


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody listens on now."""
    with ExitStack() as open_sockets:
        found = []
        for _ in range(count):
            listener = open_sockets.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            port: int = listener.getsockname()[1]
            found.append(port)
        return found
