"""What the region has to choose from, asked of the vendor's APIs."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from smc.cloud.catalogue import InstanceType, SecurityGroup, Vpc, VSwitch
from smc.cloud.driver import Kind
from smc.cloud.ecs import rows
from smc.cloud.ecs.inventory import Inventory
from smc.cloud.ecs.stock import Stock
from smc.model.server import Architecture

ARCHITECTURES = {"X86": Architecture.X86_64, "ARM": Architecture.ARM64}


class EcsCatalogue:
    def __init__(self, inventory: Inventory, stock: Stock) -> None:
        self._inventory = inventory
        self._stock = stock

    def vpcs(self) -> Sequence[Vpc]:
        return [
            Vpc(id=row.vpc_id, name=row.vpc_name or "", cidr=row.cidr_block or "")
            for row in self._inventory.rows(Kind.VPC)
        ]

    def vswitches(self, vpc: str = "") -> Sequence[VSwitch]:
        return [_vswitch(row) for row in self._inventory.rows(Kind.VSWITCH, vpc_id=vpc or None)]

    def vswitch(self, vswitch: str) -> VSwitch | None:
        row = self._inventory.row(Kind.VSWITCH, vswitch)
        return None if row is None else _vswitch(row)

    def security_groups(self, vpc: str = "") -> Sequence[SecurityGroup]:
        return [
            SecurityGroup(id=row.security_group_id, name=row.security_group_name or "", vpc=row.vpc_id or "")
            for row in self._inventory.rows(Kind.SECURITY_GROUP, vpc_id=vpc or None)
        ]

    def instance_types(self, zone: str = "") -> Sequence[InstanceType]:
        zones: defaultdict[str, list[str]] = defaultdict(list)
        for place, sold in self._stock.in_stock(zone).items():
            for kind in sold:
                zones[kind].append(place)
        found = [
            InstanceType(
                id=row.instance_type_id,
                cpus=row.cpu_core_count or 0,
                memory_gib=row.memory_size or 0.0,
                architecture=ARCHITECTURES[row.cpu_architecture],
                zones=tuple(sorted(zones[row.instance_type_id])),
            )
            for row in self._stock.kinds()
            if row.cpu_architecture in ARCHITECTURES
        ]
        return sorted(found, key=lambda kind: kind.id)

    def intermediate_image(self, architecture: Architecture) -> str:
        return self._stock.system_image(architecture)

    def addresses_in_use(self, vswitch: str) -> Mapping[str, str]:
        found: dict[str, str] = {}
        for row in self._inventory.rows(Kind.INSTANCE, v_switch_id=vswitch):
            seen = rows.instance(row)
            addresses = [seen.private_address]
            for card in rows.listed(row.network_interfaces, "network_interface"):
                sets = rows.listed(card.private_ip_sets, "private_ip_set")
                addresses += [one.private_ip_address for one in sets]
            found |= {address: seen.id for address in addresses if address}
        return found


def _vswitch(row: Any) -> VSwitch:  # Any: a row of the SDK
    return VSwitch(
        id=row.v_switch_id,
        name=row.v_switch_name or "",
        vpc=row.vpc_id or "",
        zone=row.zone_id or "",
        cidr=row.cidr_block or "",
        free=row.available_ip_address_count or 0,
    )
