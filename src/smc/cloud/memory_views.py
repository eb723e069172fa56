"""Things of the memory cloud as values of the Driver contract."""

from smc.cloud.driver import Image, ImageState, Instance, Power, Snapshot
from smc.cloud.memory_catalogue import DEFAULT_TYPES, intermediate
from smc.cloud.memory_world import AVAILABLE, Thing, World
from smc.model.server import Architecture, Firmware

BANDWIDTH = 100


def image_of(thing: Thing) -> Image:
    state = ImageState(thing.state)
    traits = thing.image_spec
    return Image(
        id=thing.id,
        name=thing.name,
        state=state,
        percent=100 if state is ImageState.AVAILABLE else 50,
        snapshots=tuple(thing.uses),
        platform=traits.platform if traits else "",
        architecture=traits.architecture if traits else Architecture.X86_64,
        firmware=traits.firmware if traits else Firmware.BIOS,
    )


def public_image(name: str) -> Image | None:
    """One of the images for intermediate instances: nobody made them, and they are always there."""
    found = [architecture for architecture in Architecture if intermediate(architecture) == name]
    if not found:
        return None
    return Image(id=name, name=name, state=ImageState.AVAILABLE, percent=100, architecture=found[0])


def snapshot_of(thing: Thing) -> Snapshot:
    ready = thing.state == AVAILABLE
    percent = 100 if ready else int(thing.state)
    return Snapshot(id=thing.id, name=thing.name, disk=thing.parent, ready=ready, percent=percent)


def instance_of(world: World, thing: Thing) -> Instance | None:
    spec, number = thing.spec, int(thing.id.rsplit("-", 1)[1])
    if spec is None:
        return None
    return Instance(
        id=thing.id,
        name=thing.name,
        power=Power(thing.state),
        image=thing.image,
        public_address=f"192.0.2.{number % 256}" if spec.public_address else "",
        bandwidth_mbit=(spec.bandwidth_mbit or BANDWIDTH) if spec.public_address else 0,
        private_address=thing.address,
        security_groups=tuple(world.groups_of(thing)),
        vswitch=thing.parent,
        vpc=world.things[thing.parent].parent,
        zone=thing.zone,
        mac=f"00:16:3e:00:{number >> 8:02x}:{number & 255:02x}",
        instance_type=spec.instance_type or DEFAULT_TYPES[spec.architecture],
        host_name=spec.host_name or thing.id,
        resource_group=thing.group,
        tags=dict(thing.tags),
    )
