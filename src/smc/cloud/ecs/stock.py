"""What to make an intermediate instance of: the cheapest type in stock, the newest system image."""

import re
from collections.abc import Sequence
from typing import Any

from alibabacloud_ecs20140526 import models

from smc.base.errors import UserError
from smc.cloud.ecs.calls import Calls
from smc.model.server import Architecture

CPU = {Architecture.X86_64: "X86", Architecture.I386: "X86", Architecture.ARM64: "ARM"}
SYSTEMS = ("Debian", "Ubuntu")  # with the disk tools that a receiver needs in reach
IN_STOCK = "WithStock"
LEAST_MEMORY = 2.0  # GiB
LADDER = ((1, 2.0), (1, 4.0), (2, 2.0), (2, 4.0))  # vCPUs and GiB; service-facts 2.3
BURSTABLE = ("ecs.t6-", "ecs.t5-")
LAST = (2, 8.0)


class Stock:
    """Questions to one region; answers are not kept, for stock changes."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def zones(self) -> Sequence[str]:
        """Those with stock first, in the order of their names."""
        found = self._available("").available_zones
        rows = found.available_zone or [] if found else []
        ranked = sorted(rows, key=lambda zone: (zone.status_category != IN_STOCK, zone.zone_id))
        return [str(zone.zone_id) for zone in ranked]

    def types(self, zone: str, architecture: Architecture, wanted: str) -> Sequence[str]:
        """Instance types to try, the best first; only `wanted` when that is not ""."""
        if wanted:
            return [wanted]
        sold = set[str]().union(*self.in_stock(zone).values())
        usable = [
            kind
            for kind in self.kinds(CPU[architecture])
            if kind.instance_type_id in sold
            and kind.cpu_architecture == CPU[architecture]
            and kind.memory_size >= LEAST_MEMORY
        ]
        if not usable:
            raise UserError(
                f"No {architecture.value} instance type is in stock in {zone or 'the region'}.",
                code="OperationDenied.NoStock",
                hint="Choose a vSwitch in another zone, or try later.",
            )
        return [str(kind.instance_type_id) for kind in sorted(usable, key=_rank)]

    def kinds(self, cpu: str = "") -> list[Any]:  # Any: rows of the SDK
        """All instance types of the region, or those of one CPU architecture."""
        request = models.DescribeInstanceTypesRequest(cpu_architecture=cpu or None)
        kinds: list[Any] = []  # Any: as above
        while True:
            body = self._calls.ask(self._calls.ecs.describe_instance_types_with_options, request)
            kinds += (body.instance_types.instance_type or []) if body.instance_types else []
            if not body.next_token:
                return kinds
            request.next_token = body.next_token

    def in_stock(self, zone: str) -> dict[str, set[str]]:
        """Zone -> instance types that can be had there now; of one zone, or of all for ""."""
        zones = self._available(zone).available_zones
        return {
            str(row.zone_id): {
                str(supported.value)
                for resource in (row.available_resources.available_resource or [])
                for supported in (resource.supported_resources.supported_resource or [])
                if supported.status_category in (IN_STOCK, None)
            }
            for row in (zones.available_zone or [] if zones else [])
        }

    def system_image(self, architecture: Architecture) -> str:
        """The newest public image of Debian, else of Ubuntu. Raises `UserError` when there is none."""
        request = models.DescribeImagesRequest(
            region_id=self._calls.region,
            image_owner_alias="system",
            ostype="linux",
            architecture=architecture.value,
            status="Available",
        )
        rows = list(
            self._calls.pages(
                self._calls.ecs.describe_images_with_options,
                request,
                lambda body: body.images.image if body.images else [],
            )
        )
        for system in SYSTEMS:
            found = [row for row in rows if row.platform == system]
            if found:
                return str(max(found, key=_age).image_id)
        raise UserError(
            f"The cloud has no system image of {' or '.join(SYSTEMS)} for {architecture.value}.",
            code="InvalidImageId.NotFound",
            hint="In the local cloud: build the intermediate image.",
        )

    def _available(self, zone: str) -> Any:  # Any: the SDK's answer
        request = models.DescribeAvailableResourceRequest(
            region_id=self._calls.region,
            destination_resource="InstanceType",
            instance_charge_type="PostPaid",
            io_optimized="optimized",
            zone_id=zone or None,
        )
        return self._calls.ask(self._calls.ecs.describe_available_resource_with_options, request)


def _rank(kind: Any) -> tuple[int, float, int, str]:  # Any: a row of the SDK
    """The place on the ladder, then memory and vCPUs as a measure of the price."""
    size = (kind.cpu_core_count, kind.memory_size)
    name = str(kind.instance_type_id)
    burst = [step for step, prefix in enumerate(BURSTABLE) if name.startswith(prefix)]
    if burst:
        step = len(LADDER) + burst[0]
    elif size in LADDER:
        step = LADDER.index(size)
    else:
        step = len(LADDER) + len(BURSTABLE) + (size != LAST)
    return step, kind.memory_size, kind.cpu_core_count, name


def _age(image: Any) -> tuple[tuple[int, ...], str]:  # Any: a row of the SDK
    """By version of the system, then by date: an old release can have a younger image."""
    version = re.search(r"\d+(\.\d+)*", image.osname or "")
    return tuple(int(part) for part in version[0].split(".")) if version else (), image.creation_time or ""
