"""A hypervisor without machines: the fake of `Hypervisor`, for tests of the cloud."""

import itertools
from dataclasses import dataclass, field

from smc.base.errors import Broken, Transient, UserError
from smc.localcloud.machine import Forward, MachineSpec
from smc.localcloud.things import Process

PICTURE = b"\xff\xd8\xff fake"


@dataclass
class FakeMachine:
    spec: MachineSpec
    alive: bool = True
    presses: int = 0
    forwards: set[Forward] = field(default_factory=set)


class FakeHypervisor:
    """Guests obey the power button at once unless `deaf`; ports in `taken` cannot be forwarded."""

    def __init__(self) -> None:
        self.machines: dict[int, FakeMachine] = {}
        self.deaf = False
        self.broken = False
        self.taken: set[int] = set()
        self._pids = itertools.count(1000)

    def start(self, spec: MachineSpec) -> Process:
        if self.broken:
            raise Broken("the machine did not start", code="Qemu.StartFailed")
        missing = [disk.path for disk in spec.disks if not disk.path.exists()]
        if missing:
            raise Broken(f"no file {missing[0]}", code="Qemu.StartFailed")
        spec.folder.mkdir(parents=True, exist_ok=True)
        spec.console.write_text(f"{spec.name} login: ")
        pid = next(self._pids)
        self.machines[pid] = FakeMachine(spec)
        return Process(pid=pid, start_time=pid, monitor=str(spec.monitor))

    def find(self, spec: MachineSpec) -> Process | None:
        for pid, machine in self.machines.items():
            if machine.alive and machine.spec.monitor == spec.monitor:
                return Process(pid=pid, start_time=pid, monitor=str(spec.monitor))
        return None

    def is_alive(self, process: Process) -> bool:
        return process.pid in self.machines and self.machines[process.pid].alive

    def power_down(self, process: Process) -> None:
        machine = self._running(process)
        machine.presses += 1
        machine.alive = self.deaf

    def kill(self, process: Process) -> None:
        self.machines[process.pid].alive = False

    def screenshot(self, process: Process) -> bytes:
        self._running(process)
        return PICTURE

    def add_forward(self, process: Process, forward: Forward) -> None:
        machine = self._running(process)
        used = {item.host_port for other in self.machines.values() if other.alive for item in other.forwards}
        if forward.host_port in self.taken | used:
            raise UserError(f"Port {forward.host_port} is taken.", code="LocalCloud.PortTaken")
        machine.forwards.add(forward)

    def remove_forward(self, process: Process, forward: Forward) -> None:
        self._running(process).forwards.discard(forward)

    def machine(self, name: str) -> FakeMachine:
        """The last one of that name, running or not."""
        return [machine for machine in self.machines.values() if machine.spec.name == name][-1]

    def _running(self, process: Process) -> FakeMachine:
        if not self.is_alive(process):
            raise Transient("the machine is off", code="Qemu.NoAnswer")
        return self.machines[process.pid]
