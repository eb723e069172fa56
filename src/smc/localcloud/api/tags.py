"""Tags of all kinds of things; ECS and VPC each know their own kinds."""

from collections.abc import Mapping
from typing import Annotated

import msgspec

from smc.base.errors import UserError
from smc.localcloud.api.asking import Regional, Tag, has_tags
from smc.localcloud.cloud import Cloud, with_changes
from smc.localcloud.things import (
    Disk,
    Image,
    Instance,
    SecurityGroup,
    Snapshot,
    Thing,
    Vpc,
    VSwitch,
)
from smc.rpc.dispatch import Reply

KINDS: Mapping[str, type[Thing]] = {
    "instance": Instance,
    "disk": Disk,
    "snapshot": Snapshot,
    "image": Image,
    "securitygroup": SecurityGroup,
    "vpc": Vpc,
    "vswitch": VSwitch,
}
MOST_TAGS = 20
MOST_IDS = 50
PAGE = 50
Ids = tuple[str, ...]
Tags = tuple[Tag, ...]


class TagResources(Regional, frozen=True, kw_only=True):
    resource_type: str
    resource_id: Ids
    tags: Tags = msgspec.field(name="Tag")


def tag_resources(cloud: Cloud, request: TagResources) -> Reply:
    with cloud.store.transaction():
        for thing in _named(cloud, request.resource_type, request.resource_id):
            tags = thing.tags | {tag.key: tag.value for tag in request.tags}
            if len(tags) > MOST_TAGS:
                raise UserError(
                    f"{thing.id} would have more than {MOST_TAGS} tags.", code="NumberExceed.Tags"
                )
            cloud.store.put(with_changes(thing, tags=tags))
    cloud.stir()
    return {}


class UntagResources(Regional, frozen=True, kw_only=True):
    resource_type: str
    resource_id: Ids
    tag_key: tuple[str, ...] = ()
    all: bool = False


def untag_resources(cloud: Cloud, request: UntagResources) -> Reply:
    with cloud.store.transaction():
        for thing in _named(cloud, request.resource_type, request.resource_id):
            left = {key: value for key, value in thing.tags.items() if key not in request.tag_key}
            cleared = request.all and not request.tag_key
            cloud.store.put(with_changes(thing, tags={} if cleared else left))
    cloud.stir()
    return {}


class ListTagResources(Regional, frozen=True, kw_only=True):
    resource_type: str
    resource_id: Ids = ()
    tags: Tags = msgspec.field(name="Tag", default=())
    next_token: str = ""
    max_results: Annotated[int, msgspec.Meta(ge=1, le=50)] = PAGE


def list_tag_resources(cloud: Cloud, request: ListTagResources) -> Reply:
    """All tags of the things that carry all those asked for, 50 things a page."""
    if not request.resource_id and not request.tags:
        raise UserError("Give ResourceId or Tag.", code="MissingParameter.TagOwner")
    found = [
        thing
        for thing in cloud.store.all(_kind(request.resource_type))
        if (not request.resource_id or thing.id in request.resource_id) and has_tags(thing, request.tags)
    ]
    start = int(request.next_token) if request.next_token.isdecimal() else 0
    end = start + request.max_results
    rows = [
        {"ResourceId": thing.id, "ResourceType": request.resource_type, "TagKey": key, "TagValue": value}
        for thing in found[start:end]
        for key, value in thing.tags.items()
    ]
    return {"NextToken": str(end) if end < len(found) else "", "TagResources": {"TagResource": rows}}


def _kind(name: str) -> type[Thing]:
    if name.lower() not in KINDS:
        raise UserError(
            f"There is no resource type {name!r}.",
            code="InvalidResourceType.NotFound",
            hint="Types: " + ", ".join(KINDS),
        )
    return KINDS[name.lower()]


def _named(cloud: Cloud, kind: str, ids: Ids) -> list[Thing]:
    if len(ids) > MOST_IDS:
        raise UserError(f"More than {MOST_IDS} resources in one request.", code="NumberExceed.ResourceIds")
    found = []
    for name in ids:
        thing = cloud.store.get(_kind(kind), name)
        if thing is None:
            raise UserError(f"There is no {kind} {name!r}.", code="InvalidResourceId.NotFound")
        found.append(thing)
    return found
