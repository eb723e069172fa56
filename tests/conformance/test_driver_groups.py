"""Resource groups and launch templates are handed over to the cloud."""

from pathlib import Path
from typing import Any

import pytest
from alibabacloud_ecs20140526 import models
from alibabacloud_ecs20140526.client import Client
from alibabacloud_tea_openapi.models import Config
from msgspec import structs
from tests.conformance.clouds import eventually
from tests.conformance.localcloud import local_cloud
from tests.conformance.site import Site

from smc.base.errors import UserError
from smc.base.secret import Secret
from smc.cloud.driver import TAG_JOB, Kind, Power
from smc.cloud.ecs.calls import EcsAccess
from smc.cloud.ecs.driver import LOCAL_PORTS, EcsDriver

GROUP = "rg-shop"


def groups(site: Site) -> dict[Kind, set[str]]:
    found: dict[Kind, set[str]] = {}
    for one in site.driver.find({TAG_JOB: site.job}):
        found.setdefault(one.kind, set()).add(one.resource_group)
    return found


def test_what_is_made_is_in_the_group_it_is_made_through(site: Site) -> None:
    plain = groups(site)
    assert plain == {Kind.VPC: {""}, Kind.VSWITCH: {""}, Kind.SECURITY_GROUP: {""}}
    own, site.driver = site.driver, site.driver.grouped(GROUP)
    site.driver.create_security_group(site.vpc, f"{site.job}-more", site.tags, site.token("more"))
    site.driver.alterations.create_disk(site.zone, "disk", 20, site.tags, site.token("disk"))
    image = site.imaged()
    (seen,) = [found for found in own.instances() if found.tags.get(TAG_JOB) == site.job]
    assert seen.resource_group == GROUP
    assert image.snapshots
    assert groups(site) == plain | {
        Kind.SECURITY_GROUP: {"", GROUP},
        Kind.INSTANCE: {GROUP},
        Kind.DISK: {GROUP},
        Kind.SNAPSHOT: {GROUP},
        Kind.IMAGE: {GROUP},
    }


def test_a_group_is_left_again(site: Site) -> None:
    driver = site.driver.grouped(GROUP).grouped("")
    made = driver.create_security_group(site.vpc, f"{site.job}-more", site.tags, site.token("more"))
    (seen,) = [found for found in driver.find({TAG_JOB: site.job}) if found.id == made]
    assert seen.resource_group == ""


class Shelf:
    """The local cloud with a launch template, and the driver on it."""

    def __init__(self, access: Any) -> None:  # Any: what local_cloud gives
        self.site = Site(
            EcsDriver(
                EcsAccess(
                    region=access.region,
                    key_id=access.access_key_id,
                    key_secret=Secret(access.access_key_secret),
                    endpoint=access.endpoint,
                    protocol="HTTP",
                ),
                ports=LOCAL_PORTS,
            )
        )
        config = Config(
            access_key_id=access.access_key_id,
            access_key_secret=access.access_key_secret,
            endpoint=access.endpoint,
            protocol="HTTP",
        )
        self.ecs = Client(config)
        asked = models.CreateLaunchTemplateRequest(
            region_id="local", launch_template_name="web", instance_type="ecs.l1.large", host_name="web-1"
        )
        made = self.ecs.create_launch_template(asked).body
        self.template, self.version = made.launch_template_id, str(made.launch_template_version_number)

    def launch(self, token: str, **changes: Any) -> str:  # Any: fields of InstanceSpec
        spec = structs.replace(self.site.spec(), data_disks=(), **changes)
        return self.site.driver.launch(spec, self.site.tags, self.site.token(token))


def test_a_launch_template_fills_in_what_is_not_said(tmp_path: Path) -> None:
    with local_cloud(tmp_path) as access:
        shelf = Shelf(access)
        made = shelf.launch("a", launch_template=shelf.template, launch_template_version=shelf.version)
        eventually(lambda: shelf.site.power(made) is Power.RUNNING)
        seen = shelf.site.driver.instance(made)
        assert seen
        assert (seen.instance_type, seen.host_name) == ("ecs.l1.large", "web-1")
        other = shelf.launch(
            "b", launch_template=shelf.template, instance_type="ecs.l1.small", host_name="mine"
        )
        seen = shelf.site.driver.instance(other)
        assert seen
        assert (seen.instance_type, seen.host_name) == ("ecs.l1.small", "mine")
        shelf.site.clear()


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"launch_template": "lt-none"}, "InvalidLaunchTemplate.NotFound"),
        ({"launch_template_version": "7"}, "InvalidLaunchTemplateVersion.NotFound"),
    ],
)
def test_a_template_that_is_not_there_is_refused(tmp_path: Path, wrong: dict[str, str], code: str) -> None:
    with local_cloud(tmp_path) as access:
        shelf = Shelf(access)
        with pytest.raises(UserError) as refused:
            shelf.launch("a", **{"launch_template": shelf.template, **wrong})
        assert refused.value.code == code
        named = models.DescribeLaunchTemplatesRequest(region_id="local", launch_template_name=["web"])
        assert shelf.ecs.describe_launch_templates(named).body.total_count == 1
        gone = models.DeleteLaunchTemplateRequest(region_id="local", launch_template_id=shelf.template)
        shelf.ecs.delete_launch_template(gone)
        assert shelf.ecs.describe_launch_templates(named).body.total_count == 0
        shelf.site.clear()
