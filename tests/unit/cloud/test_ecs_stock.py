"""Which instance type and image an intermediate instance gets, asked of a fake of the SDK's calls."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from alibabacloud_ecs20140526 import models

from smc.base.errors import UserError
from smc.cloud.driver import DiskSpec, InstanceSpec
from smc.cloud.ecs.inventory import Inventory
from smc.cloud.ecs.launch import Launcher
from smc.cloud.ecs.stock import Stock
from smc.model.server import Architecture

SIZES = {
    "ecs.g7.xlarge": (4, 16.0),
    "ecs.t5-lc1m2.small": (1, 2.0),
    "ecs.t6-c1m2.large": (2, 4.0),
    "ecs.n4.large": (2, 4.0),
    "ecs.e-c1m4.large": (2, 8.0),
    "ecs.n4.small": (1, 2.0),
    "ecs.tiny": (1, 0.5),
    "ecs.n4.medium": (2, 2.0),
    "ecs.n1.medium": (1, 4.0),
}
LADDER = [
    "ecs.n4.small",
    "ecs.n1.medium",
    "ecs.n4.medium",
    "ecs.n4.large",
    "ecs.t6-c1m2.large",
    "ecs.t5-lc1m2.small",
    "ecs.e-c1m4.large",
    "ecs.g7.xlarge",
]


class FakeCalls:
    """`Calls` with answers of its own; a method is known by its name."""

    region = "cn-test"

    def __init__(self, sold: Sequence[str] = tuple(SIZES), no_stock: Sequence[str] = ()) -> None:
        self.ecs = self.vpc = _Names()
        self.sold, self.no_stock = sold, no_stock
        self.instances: list[Any] = []
        self.asked: list[Any] = []
        self.images: list[Any] = []

    def ask(self, method: str, request: Any) -> Any:
        answer: Callable[[Any], Any] = getattr(self, method.removesuffix("_with_options"))
        return answer(request)

    def pages(self, method: str, request: Any, rows: Callable[[Any], Any]) -> Any:
        return iter(rows(self.ask(method, request)))

    def describe_available_resource(self, request: Any) -> Any:
        values = [{"Value": name, "Status": "Available", "StatusCategory": "WithStock"} for name in self.sold]
        resource = {"SupportedResources": {"SupportedResource": values}}
        zone = {"ZoneId": "z", "AvailableResources": {"AvailableResource": [resource]}}
        body = models.DescribeAvailableResourceResponseBody()
        return body.from_map({"AvailableZones": {"AvailableZone": [zone]}})

    def describe_instance_types(self, request: Any) -> Any:
        rows = [
            {"InstanceTypeId": name, "CpuCoreCount": cpus, "MemorySize": memory, "CpuArchitecture": "X86"}
            for name, (cpus, memory) in SIZES.items()
        ]
        return models.DescribeInstanceTypesResponseBody().from_map({"InstanceTypes": {"InstanceType": rows}})

    def describe_images(self, request: Any) -> Any:
        assert request.image_owner_alias == "system"
        return models.DescribeImagesResponseBody().from_map({"Images": {"Image": self.images}})

    def describe_instances(self, request: Any) -> Any:
        tags = {tag.key: tag.value for tag in request.tag}
        found = [row for row in self.instances if tags.items() <= row["tags"].items()]
        return SimpleNamespace(
            instances=SimpleNamespace(instance=[SimpleNamespace(instance_id=row["id"]) for row in found])
        )

    def run_instances(self, request: Any) -> Any:
        self.asked.append(request)
        if request.instance_type in self.no_stock:
            raise UserError("sold out", code="OperationDenied.NoStock")
        made = f"i-{len(self.instances) + 1}"
        self.instances.append({"id": made, "tags": {tag.key: tag.value for tag in request.tag}})
        return SimpleNamespace(instance_id_sets=SimpleNamespace(instance_id_set=[made]))


class _Names:
    def __getattr__(self, name: str) -> str:
        return name


def stock(calls: FakeCalls) -> Stock:
    return Stock(calls)  # type: ignore[arg-type]  # a fake of what it uses


def launcher(calls: FakeCalls) -> Launcher:
    return Launcher(calls, Inventory(calls), stock(calls))  # type: ignore[arg-type]  # as above


SPEC = InstanceSpec(
    name="No_Delete_SMC_Transition_Instance",
    zone="z",
    vswitch="vsw-1",
    security_group="sg-1",
    image="m-1",
    user_data="#!/bin/sh\n",
    data_disks=(DiskSpec(name="smc-j-1-0", size_gib=40), DiskSpec(name="smc-j-1-1", size_gib=1)),
)


def test_the_ladder_goes_from_the_cheapest_up() -> None:
    assert stock(FakeCalls()).types("z", Architecture.X86_64, "") == LADDER


def test_only_what_is_in_stock_is_tried() -> None:
    calls = FakeCalls(sold=["ecs.g7.xlarge", "ecs.n4.large"])
    assert stock(calls).types("z", Architecture.X86_64, "") == ["ecs.n4.large", "ecs.g7.xlarge"]


def test_nothing_in_stock_says_what_to_do() -> None:
    with pytest.raises(UserError) as refused:
        stock(FakeCalls(sold=[])).types("z", Architecture.X86_64, "")
    assert refused.value.code == "OperationDenied.NoStock"
    assert refused.value.hint


def test_the_next_type_is_tried_with_another_client_token() -> None:
    calls = FakeCalls(no_stock=LADDER[:2])
    made = launcher(calls).launch(SPEC, {"smc:job": "j-1"}, "t" * 64)
    assert made == "i-1"
    assert [request.instance_type for request in calls.asked] == LADDER[:3]
    tokens = {request.client_token for request in calls.asked}
    assert len(tokens) == 3
    assert all(len(token) <= 64 for token in tokens)


def test_stock_that_comes_back_does_not_make_a_second_instance() -> None:
    calls = FakeCalls(no_stock=LADDER[:1])
    first = launcher(calls).launch(SPEC, {"smc:job": "j-1"}, "token")
    calls.no_stock = ()
    assert launcher(calls).launch(SPEC, {"smc:job": "j-1"}, "token") == first
    assert len(calls.instances) == 1


def test_a_wished_type_is_the_only_one_tried() -> None:
    calls = FakeCalls(no_stock=["ecs.n4.large"])
    spec = InstanceSpec(
        name="n", zone="z", vswitch="v", security_group="s", image="m", instance_type="ecs.n4.large"
    )
    with pytest.raises(UserError):
        launcher(calls).launch(spec, {}, "token")
    assert len(calls.asked) == 1


def test_an_intermediate_instance_pays_as_it_goes_and_can_be_reached() -> None:
    calls = FakeCalls()
    launcher(calls).launch(SPEC, {"smc:job": "j-1"}, "token")
    (request,) = calls.asked
    assert request.instance_charge_type == "PostPaid"
    assert request.internet_max_bandwidth_out > 10
    assert [disk.disk_name for disk in request.data_disk] == ["smc-j-1-0", "smc-j-1-1"]
    assert [disk.performance_level for disk in request.data_disk] == [None, "PL0"]
    assert all(disk.delete_with_instance for disk in request.data_disk)


def test_a_system_disk_without_a_size_has_the_images() -> None:
    calls = FakeCalls()
    launcher(calls).launch(SPEC, {}, "one")
    launcher(calls).launch(msgspec.structs.replace(SPEC, system_disk_gib=0), {}, "two")
    assert [request.system_disk.size for request in calls.asked] == ["20", None]


def image(image_id: str, platform: str, os_name: str, created: str) -> dict[str, object]:
    return {"ImageId": image_id, "Platform": platform, "OSName": os_name, "CreationTime": created}


def test_the_image_is_the_newest_debian_by_version_then_by_date() -> None:
    calls = FakeCalls()
    calls.images = [
        image("u24", "Ubuntu", "Ubuntu  24.04 64 bit", "2026-05-01T00:00:00Z"),
        image("d11", "Debian", "Debian  11.9 64 bit", "2026-06-01T00:00:00Z"),
        image("d12-old", "Debian", "Debian  12.6 64 bit", "2025-01-01T00:00:00Z"),
        image("d12-new", "Debian", "Debian  12.6 64 bit", "2026-01-01T00:00:00Z"),
    ]
    assert stock(calls).system_image(Architecture.X86_64) == "d12-new"
    calls.images = calls.images[:1]
    assert stock(calls).system_image(Architecture.X86_64) == "u24"
    calls.images = []
    with pytest.raises(UserError):
        stock(calls).system_image(Architecture.X86_64)
