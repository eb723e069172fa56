"""How the public API writes things: times, lists, pages, names."""

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import msgspec

from smc.base.errors import UserError
from smc.center.store.values import Tag
from smc.model.codec import encode
from smc.rpc.params import Request

MOST_IDS = 50  # ids in one filter
PageNumber = Annotated[int, msgspec.Meta(ge=1)]
PageSize = Annotated[int, msgspec.Meta(ge=1, le=50)]
Text = Annotated[str, msgspec.Meta(max_length=256)]
ResourceGroup = Annotated[str, msgspec.Meta(max_length=64)]
Short = Annotated[str, msgspec.Meta(max_length=128)]
ClientToken = Annotated[str, msgspec.Meta(max_length=64)]

_LETTER = r"A-Za-z\u4e00-\u9fff"  # English and Chinese
_NAME = re.compile(rf"[{_LETTER}][{_LETTER}0-9:_-]{{1,127}}")
_TIME = "%Y-%m-%dT%H:%M:%SZ"


class TagPair(Request, frozen=True, kw_only=True):
    key: str = ""
    value: str = ""


def written(seconds: float | None) -> str:
    """`2026-11-22T10:00:00Z`; "" for None."""
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime(_TIME)


def read_time(text: str, parameter: str) -> float:
    """Raises `UserError` (`InvalidParameter.<parameter>`)."""
    try:
        return datetime.strptime(text, _TIME).replace(tzinfo=UTC).timestamp()
    except ValueError as e:
        raise invalid(parameter, f"{text!r} is not a time like 2026-11-22T10:00:00Z, in UTC.") from e


def check_name(text: str, parameter: str) -> str:
    """The rule for names of jobs, sources, images and activation codes (service-facts, 1.2)."""
    if not _NAME.fullmatch(text):
        raise invalid(
            parameter,
            f"{parameter} must have 2 to 128 characters: it starts with a letter and goes on with "
            "letters, digits, colons, underscores and hyphens.",
        )
    return text


def check_free_text(text: str, parameter: str) -> str:
    if text.startswith(("http://", "https://")):
        raise invalid(parameter, f"{parameter} must not start with http:// or https://.")
    return text


def check_ids(ids: Sequence[str], parameter: str) -> tuple[str, ...]:
    if len(ids) > MOST_IDS:
        raise invalid(parameter, f"{parameter} has {len(ids)} ids; {MOST_IDS} are allowed.")
    return tuple(ids)


def request_hash(request: Request) -> str:
    """Of all that a repeated request has in common with the first: leave its ClientToken out."""
    return hashlib.sha256(encode(request)).hexdigest()


def tags_shown(tags: Sequence[Tag]) -> dict[str, object]:
    return {"Tag": [{"Key": tag.key, "Value": tag.value} for tag in tags]}


def invalid(parameter: str, message: str, hint: str = "") -> UserError:
    return UserError(message, code=f"InvalidParameter.{parameter}", hint=hint)


def unsupported(parameter: str, why: str) -> UserError:
    """What the public API has and this center does not have yet is refused, never accepted silently."""
    return UserError(
        f"The parameter {parameter} is not supported: {why}",
        code=f"UnsupportedParameter.{parameter}",
        hint=f"Leave {parameter} out.",
    )


def offset(number: int, size: int) -> int:
    return (number - 1) * size


def page(number: int, size: int, total: int) -> dict[str, object]:
    return {"PageNumber": number, "PageSize": size, "TotalCount": total}
