"""What is done to existing instances of the memory cloud, with the refusals of a real one."""

import ipaddress

from smc.base.errors import Broken, Transient, UserError
from smc.cloud.driver import Kind, Power, Tags
from smc.cloud.memory_desk import Desk
from smc.cloud.memory_world import AVAILABLE, Thing


class MemoryAlterations:
    def __init__(self, desk: Desk, resource_group: str = "") -> None:
        self._desk, self._group = desk, resource_group

    def replace_system_disk(self, instance: str, image: str, size_gib: int, token: str) -> str:
        def replace() -> str:
            thing = self._stopped(instance)
            old = self._desk.world.disks_of(instance)[0]
            known = self._desk.world.things.get(image)
            if size_gib < max(old.size_gib, known.size_gib if known else 0):
                raise UserError(
                    f"{size_gib} GiB is less than the {old.size_gib} GiB that {old.id} has",
                    code="InvalidSystemDiskSize.ValueNotSupported",
                )
            self._release(old)
            thing.image = image
            new = Thing(kind=Kind.DISK, name=old.name, tags=old.tags, parent=instance, system=True)
            new.size_gib, new.content = size_gib, self._desk.world.content_of(image)
            new.zone, new.disk_kind = old.zone, old.disk_kind
            return self._desk.world.add(new)

        return self._desk.once("replace_system_disk", token, [instance, image, size_gib], replace)

    def reset_disk(self, disk: str, snapshot: str) -> None:
        with self._desk.call("reset_disk"):
            thing, taken = self._desk.look(Kind.DISK, disk), self._desk.look(Kind.SNAPSHOT, snapshot)
            if thing.parent:
                self._stopped(thing.parent)
            if taken.parent != disk:
                raise Broken(f"{snapshot} was not taken of {disk}", code="InvalidParameter.Conflict")
            thing.content = taken.content

    def create_disk(self, zone: str, name: str, size_gib: int, tags: Tags, token: str) -> str:
        thing = Thing(kind=Kind.DISK, name=name, tags=dict(tags), zone=zone, state="Creating", stays=True)
        thing.coming, thing.size_gib, thing.group = [AVAILABLE], size_gib, self._group
        return self._desk.make("create_disk", token, (zone, name, size_gib), thing)

    def attach_disk(self, disk: str, instance: str) -> None:
        with self._desk.call("attach_disk"):
            thing = self._desk.look(Kind.DISK, disk)
            if thing.parent == instance:
                return
            self._stopped(instance)
            if thing.zone != self._desk.world.things[instance].zone:
                raise UserError(f"{disk} is in another zone", code="ResourcesNotInSameZone")
            if thing.parent or thing.state != AVAILABLE:
                raise Transient(f"disk {disk} is not Available", code="IncorrectDiskStatus")
            thing.parent = instance

    def detach_disk(self, disk: str) -> None:
        with self._desk.call("detach_disk") as world:
            thing = world.things.get(disk)
            if thing is None or not thing.parent:
                return
            self._stopped(thing.parent)
            thing.parent = ""

    def join_group(self, instance: str, group: str) -> None:
        with self._desk.call("join_group"):
            thing = self._desk.look(Kind.INSTANCE, instance)
            self._desk.look(Kind.SECURITY_GROUP, group)
            if group not in thing.uses:
                thing.uses.append(group)

    def leave_group(self, instance: str, group: str) -> None:
        with self._desk.call("leave_group") as world:
            thing = world.things.get(instance)
            if thing is not None and group in thing.uses:
                thing.uses.remove(group)

    def isolate_group(self, group: str) -> None:
        with self._desk.call("isolate_group"):
            self._desk.look(Kind.SECURITY_GROUP, group).isolated = True

    def user_data(self, instance: str) -> str:
        with self._desk.call("user_data"):
            return self._desk.look(Kind.INSTANCE, instance).user_data

    def set_user_data(self, instance: str, text: str) -> None:
        with self._desk.call("set_user_data"):
            self._stopped(instance).user_data = text

    def move_address(self, instance: str, vswitch: str, address: str) -> None:
        with self._desk.call("move_address") as world:
            thing = self._desk.look(Kind.INSTANCE, instance)
            if (thing.parent, thing.address) == (vswitch, address):
                return
            self._stopped(instance)
            place = self._desk.look(Kind.VSWITCH, vswitch)
            if ipaddress.ip_address(address) not in ipaddress.ip_network(place.cidr):
                raise UserError(f"{address} is not in {place.cidr}", code="InvalidPrivateIpAddress.Mismatch")
            if any(other.address == address and other.parent == vswitch for other in world.things.values()):
                raise UserError(f"{address} is in use", code="InvalidPrivateIpAddress.Duplicated")
            thing.uses = [vswitch if used == thing.parent else used for used in thing.uses]
            thing.parent, thing.address = vswitch, address

    def _stopped(self, instance: str) -> Thing:
        thing = self._desk.look(Kind.INSTANCE, instance)
        if thing.state != Power.STOPPED.value:
            raise Transient(f"instance {instance} is {thing.state}", code="IncorrectInstanceStatus")
        return thing

    def _release(self, disk: Thing) -> None:
        """With its automatic snapshots."""
        world = self._desk.world
        del world.things[disk.id]
        for taken in [one for one in world.things.values() if one.parent == disk.id and one.automatic]:
            del world.things[taken.id]
