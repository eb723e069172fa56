"""RunInstances: a type in stock, an image, disks with names, and never a second instance for one token."""

import base64
import hashlib
import logging
from collections.abc import Sequence

from alibabacloud_ecs20140526 import models

from smc.base.errors import Broken, UserError
from smc.cloud.driver import DiskSpec, InstanceSpec, Kind, Tags
from smc.cloud.ecs.calls import Calls
from smc.cloud.ecs.errors import NO_STOCK
from smc.cloud.ecs.inventory import Inventory
from smc.cloud.ecs.stock import Stock
from smc.model.codec import encode

TAG_REQUEST = "smc:request"  # finds what a token made, whichever instance type it was
CATEGORY = "cloud_essd"
SMALLEST_PL1 = 20  # GiB; smaller disks exist as PL0 alone
MOST_TYPES = 12  # tried before giving up
BANDWIDTH = (
    100  # Mbit/s out; below 11 the cloud cuts what comes in as well. Paid by traffic, and little goes out
)

log = logging.getLogger(__name__)


class Launcher:
    def __init__(self, calls: Calls, inventory: Inventory, stock: Stock, resource_group: str = "") -> None:
        self._group = resource_group or None
        self._calls = calls
        self._inventory = inventory
        self._stock = stock

    def launch(self, spec: InstanceSpec, tags: Tags, token: str) -> str:
        digest = hashlib.sha256(encode(spec)).hexdigest()[:16]
        made = self._made_before(token, digest)
        if made:
            return made
        zone = spec.zone or self._zone(spec.vswitch)
        image = spec.image or self._stock.system_image(spec.architecture)
        kinds = self._kinds(spec, zone)
        for kind in kinds[:MOST_TYPES]:
            try:
                return self._run(spec, {**tags, TAG_REQUEST: f"{token}.{digest}"}, token, zone, image, kind)
            except UserError as e:
                if not e.code.startswith(NO_STOCK) or kind == kinds[-1]:
                    raise
                log.info("instance type %s cannot be had in %s (%s): trying the next", kind, zone, e.code)
        raise UserError(
            f"None of {MOST_TYPES} instance types can be had in {zone}.",
            code="OperationDenied.NoStock",
            hint="Choose a vSwitch in another zone or an instance type, or try later.",
        )

    def _kinds(self, spec: InstanceSpec, zone: str) -> Sequence[str]:
        """ "" leaves it to the launch template."""
        if spec.launch_template and not spec.instance_type:
            return [""]
        return self._stock.types(zone, spec.architecture, spec.instance_type)

    def _made_before(self, token: str, digest: str) -> str:
        """The stock changes between two attempts: the cloud's own token would not stop a second type."""
        rows = self._inventory.tagged(Kind.INSTANCE, {TAG_REQUEST: f"{token}.{digest}"})
        return next((str(row.instance_id) for row in rows), "")

    def _zone(self, vswitch: str) -> str:
        row = self._inventory.row(Kind.VSWITCH, vswitch)
        if row is None:
            raise UserError(
                f"There is no vSwitch {vswitch}.",
                code="InvalidVSwitchId.NotFound",
                hint="Choose a vSwitch that exists in the region of the job.",
            )
        return str(row.zone_id)

    def _run(self, spec: InstanceSpec, tags: Tags, token: str, zone: str, image: str, kind: str) -> str:
        request = models.RunInstancesRequest(
            region_id=self._calls.region,
            zone_id=zone,
            image_id=image,
            resource_group_id=self._group,
            launch_template_id=spec.launch_template or None,
            launch_template_version=spec.launch_template_version or None,
            instance_type=kind or None,
            instance_name=spec.name,
            v_switch_id=spec.vswitch,
            security_group_ids=[spec.security_group, *spec.more_groups],
            host_name=spec.host_name or None,
            password_inherit=spec.keeps_password or None,
            instance_charge_type="PostPaid",
            internet_charge_type="PayByTraffic",
            internet_max_bandwidth_out=(spec.bandwidth_mbit or BANDWIDTH) if spec.public_address else 0,
            system_disk=models.RunInstancesRequestSystemDisk(
                category=spec.system_disk_kind.category or CATEGORY,
                performance_level=spec.system_disk_kind.performance_level or None,
                size=str(spec.system_disk_gib) if spec.system_disk_gib else None,
                disk_name=f"{spec.name}-system",
            ),
            data_disk=[_data_disk(disk) for disk in spec.data_disks],
            user_data=base64.b64encode(spec.user_data.encode()).decode() if spec.user_data else None,
            tag=[models.RunInstancesRequestTag(key=key, value=value) for key, value in tags.items()],
            client_token=hashlib.sha256(f"{token}/{kind}".encode()).hexdigest(),
            amount=1,
        )
        body = self._calls.ask(self._calls.ecs.run_instances_with_options, request)
        made = body.instance_id_sets.instance_id_set if body.instance_id_sets else []
        if not made:
            raise Broken("The cloud made no instance and gave no reason.", code="Cloud.UnknownError")
        return str(made[0])


def _data_disk(disk: DiskSpec) -> models.RunInstancesRequestDataDisk:
    category = disk.kind.category or CATEGORY
    small = category == CATEGORY and 0 < disk.size_gib < SMALLEST_PL1
    return models.RunInstancesRequestDataDisk(
        category=category,
        performance_level=disk.kind.performance_level or ("PL0" if small else None),
        disk_name=disk.name,
        size=disk.size_gib or None,
        snapshot_id=disk.snapshot or None,
        delete_with_instance=not disk.stays,
    )
