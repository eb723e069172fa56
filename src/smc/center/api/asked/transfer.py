"""How the data moves, and what of it."""

from msgspec.structs import replace

from smc.center.api import replication_parameters
from smc.center.api.asked.draft import Asking, Draft

NOTHING = ("!",)  # as in a list of rsync's: what was said before is forgotten


def check_transfer(asking: Asking, draft: Draft) -> Draft:
    """`Excludes` are checked against the plan, when it is made. A job that is there can forget its own."""
    sent, request = asking.sent, draft.request
    if sent.replication_parameters:
        request = replace(
            request,
            replication_parameters=sent.replication_parameters,
            settings=replication_parameters.read(sent.replication_parameters),
        )
    excludes = sent.excludes or draft.excludes
    if not asking.is_new and sent.excludes == NOTHING:
        excludes = ()
    return replace(
        draft,
        request=request,
        excludes=excludes,
        ip_mode=sent.ip_mode or draft.ip_mode,
    )
