"""Launch templates: what RunInstances takes where its request says nothing (API ECS 2014-05-26).

Each has the one version that it was made with, and of its fields those that this cloud knows.
"""

from typing import Annotated

import msgspec

from smc.localcloud.api.asking import Name, Regional, Token, choose, get, once
from smc.localcloud.api.launch import TEMPLATE_VERSION, check_user_data
from smc.localcloud.cloud import Cloud
from smc.localcloud.things import LaunchTemplate, new_id, stamp
from smc.rpc.dispatch import Reply

NameOfTemplate = Annotated[str, msgspec.Meta(min_length=2, max_length=128)]


class CreateLaunchTemplate(Regional, frozen=True, kw_only=True):
    launch_template_name: NameOfTemplate
    image_id: str = ""
    instance_type: str = ""
    v_switch_id: str = ""
    security_group_id: str = ""
    host_name: str = ""
    user_data: str = ""
    client_token: Token = ""


def create_launch_template(cloud: Cloud, request: CreateLaunchTemplate) -> Reply:
    check_user_data(request.user_data)

    def make() -> Reply:
        template = LaunchTemplate(
            id=new_id("lt"),
            name=request.launch_template_name,
            created=stamp(cloud.now()),
            image=request.image_id,
            instance_type=request.instance_type,
            vswitch=request.v_switch_id,
            security_group=request.security_group_id,
            host_name=request.host_name,
            user_data=request.user_data,
        )
        cloud.store.put(template)
        return {"LaunchTemplateId": template.id, "LaunchTemplateVersionNumber": TEMPLATE_VERSION}

    return once(cloud, request, request.client_token, make)


class DescribeLaunchTemplates(Regional, frozen=True, kw_only=True):
    launch_template_id: tuple[str, ...] = ()
    launch_template_name: tuple[Name, ...] = ()


def describe_launch_templates(cloud: Cloud, request: DescribeLaunchTemplates) -> Reply:
    found = choose(cloud.store.all(LaunchTemplate), request.launch_template_id or None, ())
    names = request.launch_template_name
    found = [template for template in found if not names or template.name in names]
    rows = [
        {
            "LaunchTemplateId": template.id,
            "LaunchTemplateName": template.name,
            "CreateTime": template.created,
            "DefaultVersionNumber": TEMPLATE_VERSION,
            "LatestVersionNumber": TEMPLATE_VERSION,
        }
        for template in found
    ]
    return {"TotalCount": len(rows), "LaunchTemplateSets": {"LaunchTemplateSet": rows}}


class DeleteLaunchTemplate(Regional, frozen=True, kw_only=True):
    launch_template_id: str


def delete_launch_template(cloud: Cloud, request: DeleteLaunchTemplate) -> Reply:
    with cloud.store.transaction():
        cloud.store.remove(get(cloud, LaunchTemplate, request.launch_template_id))
    return {}
