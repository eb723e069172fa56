"""The local cloud by itself: its workers bring an instance up and take it away without being asked again."""

import json
from pathlib import Path

from alibabacloud_ecs20140526 import models
from alibabacloud_ecs20140526.client import Client as EcsClient
from alibabacloud_tea_openapi.models import Config
from alibabacloud_vpc20160428 import models as vpc_models
from alibabacloud_vpc20160428.client import Client as VpcClient
from tests.conformance.clouds import eventually
from tests.conformance.localcloud import Access, local_cloud


def config(access: Access) -> Config:
    return Config(
        access_key_id=access.access_key_id,
        access_key_secret=access.access_key_secret,
        endpoint=access.endpoint,
        protocol="HTTP",
    )


def test_an_instance_comes_up_and_goes_by_itself(tmp_path: Path) -> None:
    with local_cloud(tmp_path) as access:
        ecs, vpc = EcsClient(config(access)), VpcClient(config(access))
        made = vpc.create_vpc(vpc_models.CreateVpcRequest(region_id="local")).body.vpc_id
        switch = vpc.create_vswitch(
            vpc_models.CreateVSwitchRequest(
                region_id="local", zone_id="local-a", vpc_id=made, cidr_block="172.16.0.0/24"
            )
        ).body.v_switch_id
        group = ecs.create_security_group(
            models.CreateSecurityGroupRequest(region_id="local", vpc_id=made)
        ).body.security_group_id
        images = models.DescribeImagesRequest(
            region_id="local", image_owner_alias="system", ostype="linux", architecture="x86_64"
        )
        (image,) = ecs.describe_images(images).body.images.image
        name = ecs.run_instances(
            models.RunInstancesRequest(
                region_id="local",
                image_id=image.image_id,
                instance_type="ecs.l1.small",
                v_switch_id=switch,
                security_group_id=group,
            )
        ).body.instance_id_sets.instance_id_set[0]

        def statuses() -> list[str]:
            request = models.DescribeInstancesRequest(region_id="local", instance_ids=json.dumps([name]))
            return [item.status for item in ecs.describe_instances(request).body.instances.instance]

        eventually(lambda: statuses() == ["Running"])
        ecs.stop_instance(models.StopInstanceRequest(instance_id=name))
        eventually(lambda: statuses() == ["Stopped"])
        ecs.delete_instance(models.DeleteInstanceRequest(instance_id=name))
        eventually(lambda: statuses() == [])
        ecs.delete_security_group(
            models.DeleteSecurityGroupRequest(region_id="local", security_group_id=group)
        )
