"""Makes the machines match what is written: starts, stops, forwards and removes instances.

The API writes a status that is on the way (Starting, Stopping) or a wish (released); this worker goes the
way one step at a time and never waits for a guest. A restarted cloud simply goes on.
"""

import base64
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

from smc.base.errors import SmcError, Transient
from smc.base.units import MIB
from smc.localcloud import network, types
from smc.localcloud.cloud import Cloud, with_changes
from smc.localcloud.layers import of_disk
from smc.localcloud.machine import Forward, MachineDisk, MachineSpec
from smc.localcloud.things import (
    Disk,
    DiskStatus,
    Instance,
    InstanceStatus,
    Process,
    VSwitch,
    stamp,
)

log = logging.getLogger(__name__)

STOP_SECONDS = 180.0  # a guest under emulation shuts down within 60 s; then the plug is pulled
PRESS_AGAIN_SECONDS = 15.0  # a guest that is still booting does not hear the power button
REFUSED_SECONDS = 30.0  # until a port that was taken is tried again


class Power:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._store = cloud.store
        self._known: set[str] = set()  # instances whose forwards are as written
        self._pressed: dict[str, float] = {}
        self._refused: dict[tuple[str, Forward], float] = {}

    def step(self) -> None:
        """Take each instance one step further; one that fails does not hold up the others."""
        for instance in self._store.all(Instance):
            try:
                self._advance(instance)
            except (SmcError, OSError) as e:
                log.error("instance %s (%s): %s", instance.id, instance.status.value, e)
            except Exception:  # the edge of a step
                log.exception("instance %s (%s)", instance.id, instance.status.value)

    def _advance(self, instance: Instance) -> None:
        match instance.status:
            case InstanceStatus.PENDING:
                if all(disk.status is DiskStatus.IN_USE for disk in self._cloud.disks_of(instance.id)):
                    self._note(instance, InstanceStatus.PENDING, status=InstanceStatus.STARTING)
                    self._cloud.stir()
            case InstanceStatus.STARTING:
                self._start(instance)
            case InstanceStatus.RUNNING:
                self._tend(instance)
            case InstanceStatus.STOPPING:
                self._stop(instance)
            case InstanceStatus.STOPPED:
                if instance.released:
                    self._remove(instance)

    def _start(self, instance: Instance) -> None:
        disks = self._cloud.disks_of(instance.id)
        if self._cloud.is_being_copied(disks) or any(disk.status is not DiskStatus.IN_USE for disk in disks):
            return
        spec = self._spec(instance, disks)
        try:
            process = self._cloud.hypervisor.find(spec)
            if process is None:
                self._write_seed(instance, spec.seed)
                process = self._cloud.hypervisor.start(spec)
        except (SmcError, OSError) as e:
            log.error("instance %s does not start: %s", instance.id, e)
            self._note(instance, InstanceStatus.STARTING, status=InstanceStatus.STOPPED, failure=str(e))
            return
        self._known.discard(instance.id)
        self._note(instance, InstanceStatus.STARTING, status=InstanceStatus.RUNNING, process=process)
        fresh = self._store.get(Instance, instance.id)
        if fresh:
            self._advance(fresh)

    def _tend(self, instance: Instance) -> None:
        """Running: notice that it ended by itself; keep its forwards as its rules say."""
        process = instance.process
        if process is None or not self._cloud.hypervisor.is_alive(process):
            self._off(instance)
            return
        wanted = network.forwards(instance, self._cloud.rules_of(instance), self._cloud.host_address)
        if instance.id not in self._known:  # started just now, or by a cloud that ended: make sure
            for forward in {*wanted, *instance.forwards}:
                self._cloud.hypervisor.remove_forward(process, forward)
            self._known.add(instance.id)
            instance = with_changes(instance, forwards=())
        done = self._forward(instance, process, wanted)
        if done != instance.forwards:
            log.info("instance %s forwards %s", instance.id, _readable(done))
            self._note(instance, InstanceStatus.RUNNING, forwards=done)

    def _forward(
        self, instance: Instance, process: Process, wanted: Sequence[Forward]
    ) -> tuple[Forward, ...]:
        for forward in set(instance.forwards) - set(wanted):
            self._cloud.hypervisor.remove_forward(process, forward)
        done = [forward for forward in instance.forwards if forward in wanted]
        for forward in wanted:
            if forward not in done and self._try(instance.id, process, forward):
                done.append(forward)
        return tuple(done)

    def _try(self, instance: str, process: Process, forward: Forward) -> bool:
        now = self._cloud.now()
        if now - self._refused.get((instance, forward), 0.0) < REFUSED_SECONDS:
            return False
        try:
            self._cloud.hypervisor.add_forward(process, forward)
        except SmcError as e:
            if (instance, forward) not in self._refused:
                log.warning("instance %s: port %d is not forwarded: %s", instance, forward.guest_port, e)
            self._refused[instance, forward] = now
            return False
        self._refused.pop((instance, forward), None)
        return True

    def _stop(self, instance: Instance) -> None:
        """One press of the power button, more while it boots, and the plug when it takes too long."""
        process, now = instance.process, self._cloud.now()
        if process is None:  # it was on its way up: perhaps a machine runs that is not written down yet
            process = self._cloud.hypervisor.find(self._spec(instance, self._cloud.disks_of(instance.id)))
        if process is None or not self._cloud.hypervisor.is_alive(process):
            self._off(instance)
        elif instance.force or (instance.stop_asked and now - instance.stop_asked > STOP_SECONDS):
            self._cloud.hypervisor.kill(process)
            self._off(instance)
        elif now - self._pressed.get(instance.id, 0.0) > PRESS_AGAIN_SECONDS:
            self._pressed[instance.id] = now
            if not instance.stop_asked:
                self._note(instance, InstanceStatus.STOPPING, stop_asked=now)
            try:
                self._cloud.hypervisor.power_down(process)
            except Transient as e:
                log.warning("instance %s does not hear the power button: %s", instance.id, e)

    def _off(self, instance: Instance) -> None:
        with self._store.transaction():
            fresh = self._store.get(Instance, instance.id)
            if fresh is None or fresh.status is not instance.status:
                return
            again = fresh.start_again and not fresh.released
            self._store.put(
                with_changes(
                    fresh,
                    status=InstanceStatus.STARTING if again else InstanceStatus.STOPPED,
                    process=None,
                    forwards=(),
                    stop_asked=0.0,
                    force=False,
                    start_again=False,
                )
            )
        self._pressed.pop(instance.id, None)
        self._known.discard(instance.id)
        self._cloud.stir()

    def _remove(self, instance: Instance) -> None:
        disks = self._cloud.disks_of(instance.id)
        if self._cloud.is_being_copied(disks):
            return
        folder = self._cloud.machine_folder(instance.id)
        if folder.exists():
            shutil.rmtree(folder)
        with self._store.transaction():
            for disk in disks:
                if disk.delete_with_instance:
                    self._store.remove(disk)
                else:
                    self._store.put(detached(disk))
            self._store.remove(instance)
        self._cloud.stir()

    def _spec(self, instance: Instance, disks: Sequence[Disk]) -> MachineSpec:
        kind = types.find(instance.instance_type)
        folder = self._cloud.machine_folder(instance.id)
        return MachineSpec(
            folder=folder,
            runtime=self._cloud.runtime,
            name=instance.id,
            cpus=kind.cpus,
            memory_mib=kind.memory // MIB,
            architecture=instance.architecture,
            firmware=instance.firmware,
            disks=tuple(
                MachineDisk(path=self._cloud.layers.path(of_disk(disk.id)), serial=disk.serial)
                for disk in disks
            ),
            seed=folder / "seed.iso" if _says_something(instance.user_data) else None,
            network=network.user_network(instance, self._vswitch(instance), self._cloud.rules_of(instance)),
        )

    def _write_seed(self, instance: Instance, seed: Path | None) -> None:
        if seed:
            seed.parent.mkdir(parents=True, exist_ok=True)
            self._cloud.make_seed(seed, instance.id, instance.host_name, base64.b64decode(instance.user_data))

    def _vswitch(self, instance: Instance) -> VSwitch:
        vswitch = self._store.get(VSwitch, instance.vswitch)
        assert vswitch is not None, "a vSwitch with instances cannot be deleted"
        return vswitch

    def _note(self, instance: Instance, expected: InstanceStatus, **changes: object) -> None:
        """Write what happened; when the API changed its mind meanwhile, the new status stays."""
        with self._store.transaction():
            fresh = self._store.get(Instance, instance.id)
            if fresh is None:
                return
            if fresh.status is not expected:
                changes.pop("status", None)
            elif changes.get("status") is InstanceStatus.RUNNING:
                changes |= {
                    "started": stamp(self._cloud.now()),
                    "failure": "",
                    "stopped_mode": "",
                    "address_changed": False,
                }
            self._store.put(with_changes(fresh, **changes))


def detached(disk: Disk) -> Disk:
    return with_changes(
        disk,
        instance="",
        device="",
        system=False,
        delete_with_instance=False,
        status=DiskStatus.AVAILABLE,
    )


def _says_something(user_data: str) -> bool:
    """Neither nothing nor an empty `#cloud-config`: a seed disk makes a copied cloud-init run again."""
    lines = [line.strip() for line in base64.b64decode(user_data).decode(errors="replace").splitlines()]
    return bool(lines) and not (
        lines[0] == "#cloud-config" and all(line in ("", "{}") or line[0] == "#" for line in lines)
    )


def _readable(forwards: Sequence[Forward]) -> str:
    return ", ".join(f"{forward.host_port}->{forward.guest_port}" for forward in forwards) or "nothing"
