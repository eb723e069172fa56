"""Whether an instance of the cloud can be moved into another zone, and as what."""

from collections.abc import Mapping, Sequence

import msgspec

from smc.base.errors import UserError
from smc.base.units import GIB
from smc.center.store.resources import TEMPORARY
from smc.center.target.examine import STEADY
from smc.cloud.catalogue import InstanceType, VSwitch
from smc.cloud.driver import TAG_FORWARD, TAG_JOB, TAG_PURPOSE, CloudDisk, DiskKind, Driver, Instance
from smc.model.plan import Plan, TargetDisk

CATEGORY = "cloud_essd"
NOT_OWN = ("smc:", "acs:", "aliyun")  # prefixes of tags: ours and the cloud's
LEVELS = ("PL0", "PL1", "PL2", "PL3")  # of that category alone
MOST_TAGS = 16  # of an owner's: the cloud allows 20, and four are ours
MOST_TOLD = 5  # types that could be had


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """`instance_type` "": the one it has."""

    instance: str
    zone: str
    vswitch: str
    instance_type: str = ""
    disks: Mapping[str, DiskKind] = {}


class Possible(msgspec.Struct, frozen=True, kw_only=True):
    vpc: str
    instance_type: str
    plan: Plan


def examine_crossing(driver: Driver, wanted: Wanted, busy: Mapping[str, str]) -> Possible:
    """`busy`: instance -> the unfinished job that has it. Raises `UserError` for the first reason against it.

    Codes: `InvalidInstanceId.NotFound`, `CrossZone.*`, `InvalidZoneId.NotFound`, `InvalidVSwitchId.NotFound`,
    `InvalidVSwitchId.IpNotEnough`, `VSwitchIdVpcId.Mismatch`, `InvalidInstanceType.NotFound`,
    `OperationDenied.NoStock`, `InvalidDiskId.NotFound`, `InvalidDiskCategory.ValueNotSupported`,
    `InvalidPerformanceLevel.ValueNotSupported`, `NumberExceed.Tags`.
    """
    instance = driver.instance(wanted.instance)
    if instance is None:
        raise UserError(
            f"There is no instance {wanted.instance} in the region.",
            code="InvalidInstanceId.NotFound",
            hint="Give the id of one that is there.",
        )
    _check_free(instance, busy)
    _check_place(driver, instance, wanted)
    kind = _instance_type(driver, instance, wanted)
    image = driver.image(instance.image) if instance.image else None
    if image is None:
        raise unknown_image(instance.id)
    disks = disks_in_order(driver, instance.id)
    _check_disks(disks, wanted)
    plan = Plan(
        architecture=image.architecture,
        firmware=image.firmware,
        disks=tuple(TargetDisk(index=at, size=disk.size_gib * GIB) for at, disk in enumerate(disks)),
    )
    return Possible(vpc=instance.vpc, instance_type=kind, plan=plan)


def disks_in_order(driver: Driver, instance: str) -> list[CloudDisk]:
    """The system disk, then the others as the guest sees them."""
    return sorted(driver.disks(instance), key=lambda disk: (not disk.system, disk.device))


def own_tags(instance: Instance) -> dict[str, str]:
    """Those of its owner, and which ports a local cloud forwards."""
    return {
        key: value
        for key, value in instance.tags.items()
        if not key.startswith(NOT_OWN) or key.startswith(TAG_FORWARD)
    }


def unknown_image(instance: str) -> UserError:
    return UserError(
        f"The image that {instance} was made from is gone: whether it boots by BIOS or UEFI is not known.",
        code="CrossZone.ImageUnknown",
        hint="Make an image of it in the cloud, and an instance of that in the other zone.",
    )


def _check_free(instance: Instance, busy: Mapping[str, str]) -> None:
    job = busy.get(instance.id, "")
    if not job and instance.tags.get(TAG_PURPOSE) == TEMPORARY:
        job = instance.tags.get(TAG_JOB, "")
    if job:
        raise UserError(
            f"The job {job} works with {instance.id}.",
            code="CrossZone.InstanceInUse",
            hint=f"Finish or delete {job} first.",
        )
    if instance.power not in STEADY:
        raise UserError(
            f"{instance.id} is {instance.power.value}.",
            code="CrossZone.Unsteady",
            hint="Wait until it is Running or Stopped.",
        )
    if len(own_tags(instance)) > MOST_TAGS:
        raise UserError(
            f"{instance.id} has more than {MOST_TAGS} tags: there is no room for those of the job.",
            code="NumberExceed.Tags",
            hint="Take some off until it is moved.",
        )


def _check_place(driver: Driver, instance: Instance, wanted: Wanted) -> None:
    zones = driver.zones()
    if wanted.zone not in zones:
        raise UserError(
            f"There is no zone {wanted.zone} in the region.",
            code="InvalidZoneId.NotFound",
            hint=f"Zones: {', '.join(zones)}.",
        )
    if wanted.zone == instance.zone:
        raise UserError(
            f"{instance.id} is in {wanted.zone} already.",
            code="CrossZone.SameZone",
            hint=f"Choose another zone: {', '.join(zone for zone in zones if zone != instance.zone)}.",
        )
    vswitch = driver.catalogue.vswitch(wanted.vswitch)
    if vswitch is None:
        raise UserError(
            f"There is no vSwitch {wanted.vswitch} in the region.",
            code="InvalidVSwitchId.NotFound",
            hint=_fitting(driver, instance, wanted.zone),
        )
    _check_vswitch(driver, instance, wanted.zone, vswitch)


def _check_vswitch(driver: Driver, instance: Instance, zone: str, vswitch: VSwitch) -> None:
    if vswitch.vpc != instance.vpc:
        raise UserError(
            f"The vSwitch {vswitch.id} is in {vswitch.vpc}, {instance.id} in {instance.vpc}.",
            code="VSwitchIdVpcId.Mismatch",
            hint=_fitting(driver, instance, zone),
        )
    if vswitch.zone != zone:
        raise UserError(
            f"The vSwitch {vswitch.id} is in {vswitch.zone}, not in {zone}.",
            code="CrossZone.VSwitchMismatch",
            hint=_fitting(driver, instance, zone),
        )
    if vswitch.free < 1:
        raise UserError(
            f"The vSwitch {vswitch.id} has no free address.",
            code="InvalidVSwitchId.IpNotEnough",
            hint=_fitting(driver, instance, zone),
        )


def _fitting(driver: Driver, instance: Instance, zone: str) -> str:
    there = [one.id for one in driver.catalogue.vswitches(instance.vpc) if one.zone == zone and one.free]
    if there:
        return f"Those of its VPC in {zone}: {', '.join(there)}."
    return f"Make a vSwitch in {zone} in its VPC {instance.vpc}."


def _instance_type(driver: Driver, instance: Instance, wanted: Wanted) -> str:
    """Of the same family: then it has the same processor and the same kinds of devices."""
    name = wanted.instance_type or instance.instance_type
    types = driver.catalogue.instance_types(wanted.zone)
    family = _family(instance.instance_type)
    there = [kind for kind in types if _family(kind.id) == family and kind.zones]
    found = [kind for kind in types if kind.id == name]
    if not found:
        raise UserError(
            f"There is no instance type {name}.", code="InvalidInstanceType.NotFound", hint=_types(there)
        )
    if _family(name) != family:
        raise UserError(
            f"{name} is of the family {_family(name)}, {instance.id} of {family}.",
            code="CrossZone.OtherFamily",
            hint=_types(there),
        )
    own = next((kind for kind in types if kind.id == instance.instance_type), found[0])
    if found[0].architecture is not own.architecture:
        raise UserError(
            f"{name} is {found[0].architecture.value}, {instance.id} {own.architecture.value}.",
            code="CrossZone.OtherFamily",
            hint=_types([kind for kind in there if kind.architecture is own.architecture]),
        )
    if not found[0].zones:
        raise UserError(
            f"The instance type {name} is out of stock in {wanted.zone}.",
            code="OperationDenied.NoStock",
            hint=_types(there),
        )
    return name


def _types(there: Sequence[InstanceType]) -> str:
    cheapest = sorted(there, key=lambda kind: (kind.memory_gib, kind.cpus, kind.id))[:MOST_TOLD]
    return f"Of its family there are in stock: {', '.join(kind.id for kind in cheapest) or 'none'}."


def _check_disks(disks: Sequence[CloudDisk], wanted: Wanted) -> None:
    known = {disk.id for disk in disks}
    for name, kind in wanted.disks.items():
        if name not in known:
            raise UserError(
                f"{wanted.instance} has no disk {name}.",
                code="InvalidDiskId.NotFound",
                hint=f"Its disks are: {', '.join(sorted(known))}.",
            )
        if kind.category not in ("", CATEGORY):
            raise UserError(
                f"A disk cannot become {kind.category} on its way.",
                code="InvalidDiskCategory.ValueNotSupported",
                hint=f"Category is {CATEGORY}, or left out: then it stays as it is.",
            )
        if kind.performance_level not in ("", *LEVELS) or (kind.performance_level and not kind.category):
            raise UserError(
                f"{kind.performance_level} is no performance level of a disk whose category is "
                f"{kind.category or 'not given'}.",
                code="InvalidPerformanceLevel.ValueNotSupported",
                hint=f"{', '.join(LEVELS)}, with Category={CATEGORY}.",
            )


def _family(name: str) -> str:
    """`ecs.g7.large` -> `ecs.g7`."""
    return name.rpartition(".")[0]
