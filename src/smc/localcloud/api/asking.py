"""What many requests share: tags, pages, finding a thing by its id, ClientTokens."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, TypeVar

import msgspec

from smc.base.errors import UserError
from smc.localcloud.cloud import Cloud
from smc.localcloud.things import (
    Disk,
    Export,
    Image,
    Instance,
    LaunchTemplate,
    SecurityGroup,
    Snapshot,
    Thing,
    Vpc,
    VSwitch,
)
from smc.model import codec
from smc.rpc.dispatch import Reply
from smc.rpc.params import Request, id_list

Token = Annotated[str, msgspec.Meta(max_length=64)]
Name = Annotated[str, msgspec.Meta(max_length=128)]
T = TypeVar("T", bound=Thing)

NOT_FOUND: Mapping[type[Thing], str] = {
    Vpc: "InvalidVpcId.NotFound",
    VSwitch: "InvalidVSwitchId.NotFound",
    SecurityGroup: "InvalidSecurityGroupId.NotFound",
    LaunchTemplate: "InvalidLaunchTemplate.NotFound",
    Instance: "InvalidInstanceId.NotFound",
    Disk: "InvalidDiskId.NotFound",
    Snapshot: "InvalidSnapshotId.NotFound",
    Image: "InvalidImageId.NotFound",
    Export: "InvalidTaskId.NotFound",
}


def check_zone(cloud: Cloud, zone: str) -> None:
    """Raises `UserError` (`InvalidZoneId.NotFound`)."""
    if zone not in cloud.zones:
        raise UserError(
            f"There is no zone {zone!r}.",
            code="InvalidZoneId.NotFound",
            hint=f"Zones: {', '.join(cloud.zones)}",
        )


class Regional(Request, frozen=True, kw_only=True):
    region_id: str = ""


class Tag(Request, frozen=True, kw_only=True):
    key: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    value: Annotated[str, msgspec.Meta(max_length=128)] = ""


class Tagged(Regional, frozen=True, kw_only=True):
    """Makes something, or asks for what carries tags: key and value, or key with any value.

    In a resource group, or any; which there are is another service's matter, so none is refused.
    """

    tags: tuple[Tag, ...] = msgspec.field(name="Tag", default=())
    resource_group_id: Name = ""


class Paged(Tagged, frozen=True, kw_only=True):
    """By number and size, or by token and greatest number."""

    page_number: Annotated[int, msgspec.Meta(ge=1)] = 1
    page_size: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10
    max_results: Annotated[int, msgspec.Meta(ge=1, le=500)] | None = None
    next_token: str = ""


def get(cloud: Cloud, kind: type[T], name: str) -> T:
    """Raises `UserError` with the vendor's code for a thing of that kind that is not there."""
    thing = cloud.store.get(kind, name)
    if thing is None:
        raise UserError(f"There is no {kind.__name__} {name!r}.", code=NOT_FOUND[kind])
    return thing


def tags_of(request: Tagged) -> dict[str, str]:
    return {tag.key: tag.value for tag in request.tags}


def has_tags(thing: Thing, wanted: Sequence[Tag]) -> bool:
    return all(
        tag.key in thing.tags and (not tag.value or thing.tags[tag.key] == tag.value) for tag in wanted
    )


def ids_of(text: str, parameter: str) -> Sequence[str] | None:
    """None when the parameter was not given: all."""
    return id_list(text, parameter) if text else None


def choose(things: Sequence[T], ids: Sequence[str] | None, tags: Sequence[Tag], **equal: str) -> list[T]:
    """The things with one of `ids` (None: all), the tags, and these attributes where they are given."""
    return [
        thing
        for thing in things
        if (ids is None or thing.id in ids)
        and has_tags(thing, tags)
        and all(not value or getattr(thing, attribute) == value for attribute, value in equal.items())
    ]


def page(things: Sequence[T], request: Paged, view: Callable[[T], object]) -> tuple[Reply, list[object]]:
    """The counters of a reply and the views of the things on the page."""
    if request.max_results is not None or request.next_token:
        start = int(request.next_token) if request.next_token.isdecimal() else 0
        size = request.max_results or request.page_size
    else:
        start, size = (request.page_number - 1) * request.page_size, request.page_size
    end = start + size
    counters = {
        "TotalCount": len(things),
        "PageNumber": request.page_number,
        "PageSize": size,
        "NextToken": str(end) if end < len(things) and request.max_results is not None else "",
    }
    return counters, [view(thing) for thing in things[start:end]]


def ecs_tags(thing: Thing) -> Reply:
    return {"Tag": [{"TagKey": key, "TagValue": value} for key, value in thing.tags.items()]}


def once(cloud: Cloud, request: Request, token: str, make: Callable[[], Reply]) -> Reply:
    """Run `make` and remember its answer: the same token and parameters get the same answer again.

    All in one transaction. Raises `UserError` `IdempotentParameterMismatch` for other parameters.
    """
    action = type(request).__name__
    parameters = hashlib.sha256(codec.encode(request)).hexdigest()
    with cloud.store.transaction():
        if token:
            before = cloud.store.recall(action, token)
            if before:
                return _again(before, parameters, token)
        answer = make()
        if token:
            cloud.store.remember(action, token, parameters, codec.encode(answer), cloud.now())
    cloud.stir()
    return answer


def _again(before: tuple[str, bytes], parameters: str, token: str) -> Reply:
    if before[0] != parameters:
        raise UserError(
            f"The ClientToken {token} was used before with other parameters.",
            code="IdempotentParameterMismatch",
            hint="Use a new token for another request.",
        )
    return codec.decode(before[1], dict[str, object])
