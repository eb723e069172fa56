"""Rows of the SDKs' answers as values of the Driver contract."""

from typing import Any

from smc.cloud.driver import CloudDisk, DiskKind, Image, ImageState, Instance, Power, Snapshot, Tags
from smc.model.server import Architecture, Firmware

IMAGE_STATES = {"Available": ImageState.AVAILABLE, "CreateFailed": ImageState.FAILED}
ARCHITECTURES = {architecture.value: architecture for architecture in Architecture}
POWERS = {power.value: power for power in Power}


def tags(kind: Any, wanted: Tags) -> list[Any]:  # Any: each request of the SDK has a Tag class of its own
    return [kind(key=key, value=value) for key, value in wanted.items()]


def instance(row: Any) -> Instance:  # Any: a row of the SDK, here and below
    public = listed(row.public_ip_address, "ip_address")
    elastic = row.eip_address.ip_address if row.eip_address else ""
    network = row.vpc_attributes
    private = listed(network.private_ip_address, "ip_address") if network else []
    cards = listed(row.network_interfaces, "network_interface")
    primary = [card for card in cards if card.type in (None, "", "Primary")] or cards
    return Instance(
        id=row.instance_id,
        name=row.instance_name or "",
        power=POWERS.get(row.status, Power.PENDING),
        image=row.image_id or "",
        public_address=elastic or (public[0] if public else ""),
        elastic=bool(elastic),
        bandwidth_mbit=row.internet_max_bandwidth_out or 0,
        private_address=private[0] if private else "",
        security_groups=tuple(listed(row.security_group_ids, "security_group_id")),
        vswitch=(network.v_switch_id or "") if network else "",
        vpc=(network.vpc_id or "") if network else "",
        zone=row.zone_id or "",
        mac=(primary[0].mac_address or "") if primary else "",
        instance_type=row.instance_type or "",
        host_name=row.host_name or "",
        resource_group=row.resource_group_id or "",
        os=row.ostype or "linux",
        tags={tag.tag_key: tag.tag_value or "" for tag in listed(row.tags, "tag")},
    )


def disk(row: Any) -> CloudDisk:
    return CloudDisk(
        id=row.disk_id,
        name=row.disk_name or "",
        size_gib=row.size or 0,
        serial=row.serial_number or "",
        instance=row.instance_id or "",
        system=row.type == "system",
        device=row.device or "",
        kind=DiskKind(category=row.category or "", performance_level=row.performance_level or ""),
        stays=row.delete_with_instance is False,
    )


def snapshot(row: Any) -> Snapshot:
    return Snapshot(
        id=row.snapshot_id,
        name=row.snapshot_name or "",
        disk=row.source_disk_id or "",
        ready=row.status == "accomplished",
        failed=row.status == "failed",
        percent=_percent(row.progress),
    )


def image(row: Any) -> Image:
    disks = listed(row.disk_device_mappings, "disk_device_mapping")
    return Image(
        id=row.image_id,
        name=row.image_name or "",
        state=IMAGE_STATES.get(row.status, ImageState.CREATING),
        percent=_percent(row.progress),
        snapshots=tuple(part.snapshot_id for part in disks if part.snapshot_id),
        platform=row.platform or "",
        architecture=ARCHITECTURES.get(row.architecture, Architecture.X86_64),
        firmware=Firmware.UEFI if (row.boot_mode or "").startswith("UEFI") else Firmware.BIOS,
    )


def listed(wrapper: Any, attribute: str) -> list[Any]:
    """The API wraps each list in an object, which can be missing."""
    return (getattr(wrapper, attribute) or []) if wrapper else []


def _percent(text: str | None) -> int:
    return int(text.rstrip("%")) if text and text.rstrip("%").isdecimal() else 0
