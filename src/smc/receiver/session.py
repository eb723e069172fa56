"""REPLICATE: lay out the disks, listen, and take the data over as many connections as it needs."""

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from smc.base.errors import SmcError, SourceReadError, TargetWriteError, Transient, WireError
from smc.base.units import GIB, MIB, gib_rounded_up
from smc.model.plan import trees_of
from smc.model.progress import Phase
from smc.receiver import layout, lvm, mounts
from smc.receiver.home import Kept
from smc.receiver.work import Bench, Work, partition_nodes
from smc.transfer.memory import Memory
from smc.transfer.tally import WriterProgress
from smc.transfer.writer import TargetTree, receive
from smc.wire.channel import Channel
from smc.wire.listener import Listener
from smc.wire.orders import Task
from smc.wire.tls import Identity

log = logging.getLogger(__name__)

ACCEPT_SECONDS = 1.0  # between two looks at whether to stop
AGAIN_SECONDS = 5.0  # before laying out is tried again
ROOM_PERCENT = 5  # a full target is asked to be so much larger than what is known to be missing
ROOM_BYTES = 256 * MIB
NEARLY_NOTHING = 32 * MIB  # the kernel keeps up to 16 MiB back, and a piece may not have fitted


class Session(Work):
    """Ends in SYNCED with everything unmounted, or in FAILED.

    What the agent does wrong ends its connection only: it says itself why it ended, and may come again.
    """

    def __init__(self, task: Task, bench: Bench) -> None:
        super().__init__(task, bench, Phase.LAYING_OUT)
        self._memory = Memory(bench.home.root / "index")

    def work(self) -> None:
        try:
            self._work()
        finally:
            self._memory.close()

    def _work(self) -> None:
        if self.bench.home.kept(self.task.run).proof:
            self.show(phase=Phase.SYNCED)  # the receiver was started again after all had come
            return
        while not self.stopping.is_set():
            try:
                self._replicate()
            except Transient as e:
                self.show(phase=Phase.LAYING_OUT, note=e.message)
                log.warning("run %s: %s", self.task.run, e.message)
                self.stopping.wait(AGAIN_SECONDS)
            else:
                return

    def _replicate(self) -> None:
        began = time.monotonic()
        devices = self.bench.devices(self.plan)
        self.bench.home.keep(Kept(run=self.task.run))  # what an earlier run proved is not so any more
        self._lay_out(devices)
        nodes = partition_nodes(self.plan, devices)
        seconds = {"lay_out": time.monotonic() - began}
        with (
            mounts.trees(self.plan, nodes, self.bench.mounts / "trees", self.bench.run) as places,
            self._listener() as listener,
        ):
            self.note("waiting for the agent")
            self.show(phase=Phase.LISTENING)
            began = time.monotonic()
            try:
                kept = self._take(listener, self._trees(places))
            finally:
                self._memory.let_go()
        if kept is not None:
            seconds["copy"] = time.monotonic() - began
            self.bench.home.keep(msgspec.structs.replace(kept, seconds=seconds))
            self.show(phase=Phase.SYNCED)

    def _lay_out(self, devices: Mapping[int, Path]) -> None:
        mounts.unmount_below(self.bench.mounts, self.bench.run)
        for device in devices.values():  # one may hold a group by the name that another is to get
            lvm.let_go(device, self.bench.run)
        for disk in self.plan.disks:
            self.note(f"laying out disk {disk.index}")
            layout.lay_out(disk, devices[disk.index], self.bench.run)

    def _listener(self) -> Listener:
        key = self.bench.home.key().to_pem()
        identity = Identity(ca=self.task.ca, certificate=self.task.certificate, key=key)
        try:
            return Listener(self.bench.host, self.task.port, identity)
        except OSError as e:
            raise Transient(
                f"the receiver cannot listen on port {self.task.port}: {e.strerror or e}",
                code="Receiver.Port",
            ) from e

    def _trees(self, places: Mapping[str, Path]) -> list[TargetTree]:
        return [
            TargetTree(tree.name, disk.index, part.number, places[tree.name])
            for disk in self.plan.disks
            for part in disk.partitions
            for tree in trees_of(part)
            if tree.name in places and part.copied
        ]

    def _take(self, listener: Listener, trees: list[TargetTree]) -> Kept | None:
        """None when it was stopped before everything had come."""
        while not self.stopping.is_set():
            try:
                channel = listener.accept(ACCEPT_SECONDS)
            except Transient as e:
                if "turned away" in e.message:
                    log.warning("run %s: %s", self.task.run, e.message)
                continue
            with channel:
                kept = self._serve(channel, listener, trees)
            if kept is not None:
                return kept
        return None

    def _serve(self, channel: Channel, listener: Listener, trees: list[TargetTree]) -> Kept | None:
        """None when the connection ended before everything had come."""
        self.note("the agent is connected")
        self.show(phase=Phase.SYNCING)
        try:
            received = receive(channel, listener, trees, self.stopping, self._advance, self._memory)
        except TargetWriteError as e:
            raise self._explained(e, trees) from e
        except (Transient, WireError, SourceReadError) as e:
            self.note(f"the agent's connection ended: {e.message}")
            return None
        return Kept(run=self.task.run, proof=received.proof, resent=received.resent)

    def _advance(self, now: WriterProgress) -> None:
        self.show(
            disks=now.disks,
            files_done=now.files_done,
            files_total=now.files_total,
            wire=now.wire,
            resent=now.resent,
            note=now.note or self._progress.note,
        )

    def _explained(self, error: TargetWriteError, trees: list[TargetTree]) -> SmcError:
        """A full filesystem, with the size that its disk would have to have."""
        full = {tree.disk for tree in trees if _is_full(tree.path)}
        if error.code != "Target.Full" or not full:
            return error
        missing = {disk.index: disk.total - disk.done for disk in self._progress.disks}
        wanted = [
            f"disk {disk.index} at least {self._enough(disk.size, missing.get(disk.index, 0))} GiB"
            for disk in self.plan.disks
            if disk.index in full
        ]
        return TargetWriteError(
            f"{error.message}; the source holds more than when the job was created",
            code=error.code,
            hint=f"Make {' and '.join(wanted)} large, and start the job again.",
        )

    @staticmethod
    def _enough(size: int, missing: int) -> int:
        wanted = size + max(missing, 0) * (100 + ROOM_PERCENT) // 100 + ROOM_BYTES
        return max(gib_rounded_up(wanted), size // GIB + 1)


def _is_full(path: Path) -> bool:
    room = os.statvfs(path)
    return room.f_bfree * room.f_frsize < NEARLY_NOTHING or not room.f_ffree
