"""Tags of a job."""

from msgspec.structs import replace

from smc.center.api import tag_rules
from smc.center.api.asked.draft import Draft, Sent


def check_tags(asking: Sent, draft: Draft) -> Draft:
    return replace(draft, tags=tag_rules.given(asking.sent.tag)) if asking.sent.tag else draft
