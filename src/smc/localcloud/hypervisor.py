"""What runs the machines: a contract, and QEMU behind it (`memory.py` is the fake)."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from smc.localcloud import qemu
from smc.localcloud.machine import Accelerator, Forward, MachineSpec
from smc.localcloud.things import Process


class Hypervisor(Protocol):
    """Machines outlive the program that starts them."""

    def start(self, spec: MachineSpec) -> Process:
        """Power on. Raises `SmcError` when it does not start."""
        ...

    def find(self, spec: MachineSpec) -> Process | None:
        """The machine that an earlier `start(spec)` left running, when its caller died before it knew."""
        ...

    def is_alive(self, process: Process) -> bool: ...

    def power_down(self, process: Process) -> None:
        """Press the power button. Raises `Transient` when the machine cannot be reached."""
        ...

    def kill(self, process: Process) -> None:
        """Pull the plug; returns when it is off."""
        ...

    def screenshot(self, process: Process) -> bytes:
        """A JPEG. Raises `Transient` when the machine cannot be reached."""
        ...

    def add_forward(self, process: Process, forward: Forward) -> None:
        """Raises `UserError` when the host's port is taken."""
        ...

    def remove_forward(self, process: Process, forward: Forward) -> None: ...


class Qemu:
    """`accelerator` is asked at each start: its first answer may take a probe of many seconds."""

    def __init__(self, accelerator: Callable[[], Accelerator]) -> None:
        self._accelerator = accelerator

    def start(self, spec: MachineSpec) -> Process:
        return _process(qemu.start(spec, self._accelerator()))

    def find(self, spec: MachineSpec) -> Process | None:
        handle = qemu.find(spec)
        return _process(handle) if handle else None

    def is_alive(self, process: Process) -> bool:
        return qemu.is_alive(_handle(process))

    def power_down(self, process: Process) -> None:
        qemu.power_down(_handle(process))

    def kill(self, process: Process) -> None:
        qemu.kill(_handle(process))

    def screenshot(self, process: Process) -> bytes:
        return qemu.screenshot(_handle(process))

    def add_forward(self, process: Process, forward: Forward) -> None:
        qemu.add_forward(_handle(process), forward)

    def remove_forward(self, process: Process, forward: Forward) -> None:
        qemu.remove_forward(_handle(process), forward)


def _handle(process: Process) -> qemu.Handle:
    return qemu.Handle(pid=process.pid, start_time=process.start_time, qmp=Path(process.monitor))


def _process(handle: qemu.Handle) -> Process:
    return Process(pid=handle.pid, start_time=handle.start_time, monitor=str(handle.qmp))
