"""Tags of a job."""

from msgspec.structs import replace

from smc.base.errors import UserError
from smc.center.api.asked.draft import Asking, Draft
from smc.center.api.words import TagPair, invalid
from smc.center.store.values import Tag

MOST_TAGS = 20
RESERVED_TAGS = ("aliyun", "acs:", "http://", "https://", "smc:")


def check_tags(asking: Asking, draft: Draft) -> Draft:
    if not asking.sent.tag:
        return draft
    return replace(draft, request=replace(draft.request, tags=_tags(asking.sent.tag)))


def _tags(pairs: tuple[TagPair, ...]) -> tuple[Tag, ...]:
    if len(pairs) > MOST_TAGS:
        raise UserError(f"A job has at most {MOST_TAGS} tags.", code="NumberExceed.Tags")
    for pair in pairs:
        if not 1 <= len(pair.key) <= 128 or pair.key.startswith(RESERVED_TAGS):
            raise invalid(
                "Tag.Key",
                f"The tag key {pair.key[:130]!r} cannot be used.",
                f"It has 1 to 128 characters and does not start with {', '.join(RESERVED_TAGS)}.",
            )
        if len(pair.value) > 128 or pair.value.startswith(RESERVED_TAGS):
            raise invalid("Tag.Value", f"The value of the tag {pair.key} cannot be used.")
    return tuple(Tag(key=pair.key, value=pair.value) for pair in pairs)
