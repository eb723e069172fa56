"""All checks of a job's parameters, in their order."""

from collections.abc import Callable, Sequence

from smc.center.api.asked.container import check_container
from smc.center.api.asked.diagnosis import check_diagnosis
from smc.center.api.asked.disks import check_disks
from smc.center.api.asked.draft import Asking, Draft, Sent
from smc.center.api.asked.instance import check_instance
from smc.center.api.asked.instance_type import check_instance_type
from smc.center.api.asked.names import check_names
from smc.center.api.asked.network import check_network
from smc.center.api.asked.rounds import check_rounds
from smc.center.api.asked.tags import check_tags
from smc.center.api.asked.target import check_target
from smc.center.api.asked.times import check_times
from smc.center.api.asked.transfer import check_transfer

CHECKS: Sequence[Callable[[Asking, Draft], Draft]] = (
    check_target,
    check_container,
    check_names,
    check_times,
    check_rounds,
    check_network,
    check_instance_type,
    check_transfer,
    check_disks,
    check_instance,
    check_diagnosis,
    check_tags,
)

WITHOUT_SOURCE: Sequence[Callable[[Sent, Draft], Draft]] = (check_names, check_times, check_tags)


def checked(asking: Asking, draft: Draft) -> Draft:
    """`draft` with what was sent. Raises `UserError`, whose code names the parameter."""
    for check in CHECKS:
        draft = check(asking, draft)
    return draft


def checked_without_source(asking: Sent, draft: Draft) -> Draft:
    """The same for a job that has no source: those that ask nothing of one."""
    for check in WITHOUT_SOURCE:
        draft = check(asking, draft)
    return draft
