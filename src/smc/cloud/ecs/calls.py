"""Calls of the official SDKs: one door with time limits, our errors, and paging."""

import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec
from alibabacloud_ecs20140526.client import Client as EcsClient
from alibabacloud_tea_openapi.models import Config
from alibabacloud_vpc20160428.client import Client as VpcClient
from darabonba.runtime import RuntimeOptions
from Tea.exceptions import TeaException

from smc.base.errors import SmcError, Transient
from smc.base.secret import Secret
from smc.cloud.ecs.errors import is_gone, translate

CONNECT_MS = 10_000
READ_MS = 60_000  # RunInstances with many disks takes the longest, some ten seconds
PAGE = 50  # the greatest size that every Describe action takes
MOST_PAGES = 200
UNREACHABLE = "Cloud.Unreachable"

T = TypeVar("T")


class EcsAccess(msgspec.Struct, frozen=True, kw_only=True):
    """`endpoint` "" : the vendor's of that region; the local cloud's is 127.0.0.1:PORT with protocol HTTP."""

    region: str
    key_id: str
    key_secret: Secret
    endpoint: str = ""
    vpc_endpoint: str = ""  # "": ecs.<region>... has a vpc.<region>... beside it; else as `endpoint`
    protocol: str = "HTTPS"


class Calls:
    """The two clients; `ask` runs one call of either."""

    def __init__(self, access: EcsAccess) -> None:
        self.region = access.region
        self.ecs = EcsClient(_config(access, access.endpoint))
        self.vpc = VpcClient(_config(access, access.vpc_endpoint or _beside(access.endpoint)))

    def ask(self, method: Callable[..., Any], request: object) -> Any:  # Any: the SDKs are not typed
        """The body of the answer. Raises our errors with the cloud's code."""
        runtime = RuntimeOptions(autoretry=False, connect_timeout=CONNECT_MS, read_timeout=READ_MS)
        try:
            return method(request, runtime).body
        except TeaException as e:
            raise _ours(e) from e

    def ask_of_gone(self, method: Callable[..., Any], request: object) -> bool:
        """Like `ask` for an action on a thing; False when that does not exist any more."""
        try:
            self.ask(method, request)
        except SmcError as e:
            if is_gone(e.code):
                return False
            raise
        return True

    def pages(
        self, method: Callable[..., Any], request: Any, rows: Callable[[Any], list[T] | None]
    ) -> Iterator[T]:  # Any: as above
        """All rows of a Describe action, page by page."""
        request.page_size = PAGE
        for number in range(1, MOST_PAGES + 1):
            request.page_number = number
            body = self.ask(method, request)
            found = rows(body) or []
            yield from found
            if number * PAGE >= (body.total_count or 0) or not found:
                return


def _beside(endpoint: str) -> str:
    return "vpc" + endpoint.removeprefix("ecs") if re.match(r"ecs[.-]", endpoint) else endpoint


def _config(access: EcsAccess, endpoint: str) -> Config:
    return Config(
        access_key_id=access.key_id,
        access_key_secret=access.key_secret.reveal(),
        region_id=access.region,
        endpoint=endpoint or None,
        protocol=access.protocol,
    )


def _ours(error: Any) -> SmcError:  # Any: TeaException and what the newer core derives from it
    """An error of the API has a code; without one the cloud was not reached or did not answer."""
    code = getattr(error, "code", None)
    if not code or not isinstance(code, str):
        cause = getattr(error, "inner_exception", None) or error.__cause__ or error
        return Transient(
            f"The cloud does not answer: {cause}"[:500],
            code=UNREACHABLE,
            hint="Check that the center reaches the endpoint of the cloud.",
        )
    data = getattr(error, "data", None) or {}
    message = data.get("Message") or getattr(error, "message", "") or code
    return translate(code, str(message), str(data.get("RequestId", "")))
