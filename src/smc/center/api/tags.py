"""Tags: TagResources, UntagResources, ListTagResources."""

import base64
import binascii
from collections.abc import Sequence

from smc.base.errors import UserError
from smc.center.api import tag_rules
from smc.center.api.context import Context
from smc.center.api.words import MOST_IDS, TagPair, invalid
from smc.center.store.tags import Tagged, TagRow
from smc.model.codec import decode, encode
from smc.rpc.dispatch import Actions, Caller, Reply, action
from smc.rpc.params import Request

PAGE = 100  # rows; ListTagResources takes no page size


class TagResources(Request, frozen=True, kw_only=True):
    resource_type: str = ""
    resource_id: tuple[str, ...] = ()
    tag: tuple[TagPair, ...] = ()


class UntagResources(Request, frozen=True, kw_only=True):
    resource_type: str = ""
    resource_id: tuple[str, ...] = ()
    tag_key: tuple[str, ...] = ()
    all: bool = False


class ListTagResources(Request, frozen=True, kw_only=True):
    resource_type: str = ""
    resource_id: tuple[str, ...] = ()
    tag: tuple[TagPair, ...] = ()
    next_token: str = ""


class TagActions:
    def __init__(self, context: Context) -> None:
        self._tags = context.store.tags

    def actions(self) -> Actions:
        return {
            "TagResources": action(TagResources, self._tag),
            "UntagResources": action(UntagResources, self._untag),
            "ListTagResources": action(ListTagResources, self._list),
        }

    def _tag(self, request: TagResources, _caller: Caller) -> Reply:
        kind, ids = _kind(request.resource_type), _ids(request.resource_id, required=True)
        if not request.tag:
            raise _missing("Tag", "Give at least one tag.")
        self._tags.put(kind, ids, tag_rules.given(request.tag))
        return {}

    def _untag(self, request: UntagResources, _caller: Caller) -> Reply:
        """`All` counts only where no TagKey is given, as in the public API."""
        kind, ids = _kind(request.resource_type), _ids(request.resource_id, required=True)
        keys = tag_rules.keys_given(request.tag_key)
        if not keys and not request.all:
            raise _missing("TagKey", "Give the keys to take away, or set All.")
        self._tags.take(kind, ids, keys or None)
        return {}

    def _list(self, request: ListTagResources, _caller: Caller) -> Reply:
        """All tags of those things that carry all the tags of the filter."""
        kind, ids = _kind(request.resource_type), _ids(request.resource_id, required=False)
        rows = self._tags.page(
            kind,
            ids,
            tag_rules.wanted(request.tag),
            after=_read_token(request.next_token) if request.next_token else None,
            limit=PAGE + 1,
        )
        more = len(rows) > PAGE
        shown = rows[:PAGE]
        return {
            "NextToken": _token(shown[-1]) if more else "",
            "TagResources": {"TagResource": [_described(kind, row) for row in shown]},
        }


def _kind(word: str) -> Tagged:
    if not word:
        raise _missing("ResourceType", f"Give one of {', '.join(kind.value for kind in Tagged)}.")
    try:
        return Tagged(word.lower())
    except ValueError as e:
        raise UserError(
            f"There is no resource type {word[:100]!r}.",
            code="InvalidResourceType.NotFound",
            hint=f"It is one of {', '.join(kind.value for kind in Tagged)}.",
        ) from e


def _ids(ids: Sequence[str], *, required: bool) -> Sequence[str]:
    if required and not ids:
        raise _missing("ResourceId", "Give at least one id.")
    if len(ids) > MOST_IDS:
        raise UserError(
            f"ResourceId has {len(ids)} ids; {MOST_IDS} are allowed.",
            code="NumberExceed.ResourceIds",
            hint=f"Ask for {MOST_IDS} at a time.",
        )
    if repeated := [found for found in ids if ids.count(found) > 1]:
        raise UserError(
            f"{repeated[0]} is given twice.", code="Duplicate.ResourceId", hint="Give each id once."
        )
    return ids


def _described(kind: Tagged, row: TagRow) -> dict[str, str]:
    return {
        "ResourceId": row.resource,
        "ResourceType": f"ALIYUN::SMC::{kind.value.upper()}",
        "TagKey": row.key,
        "TagValue": row.value,
    }


def _token(row: TagRow) -> str:
    """Where the next page begins; to the caller a text without a meaning."""
    return base64.urlsafe_b64encode(encode((row.resource, row.key))).decode()


def _read_token(text: str) -> tuple[str, str]:
    try:
        return decode(base64.urlsafe_b64decode(text), tuple[str, str])
    except (binascii.Error, ValueError, UserError) as e:
        raise invalid("NextToken", "The NextToken is none of ours.", "Begin again without one.") from e


def _missing(parameter: str, cure: str) -> UserError:
    return UserError(f"{parameter} is missing.", code=f"MissingParameter.{parameter}", hint=cure)
