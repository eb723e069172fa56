"""How much a center takes: limits an operator can change, and the refusal that names one."""

from enum import Enum

import msgspec

from smc.base.errors import UserError


class Quotas(msgspec.Struct, frozen=True, kw_only=True):
    """Defaults are the public service's where they are known (service-facts, 7)."""

    jobs: int = 1000
    sources: int = 1000  # its present number is not published; one unfinished job a source, so as many
    concurrent_jobs: int = 20
    workgroups: int = 50
    workgroup_sources: int = 50  # of one workgroup
    templates: int = 100  # ours


class Quota(Enum):
    """The word behind `QuotaExceeded.`."""

    JOBS = "ReplicationJob"
    SOURCES = "SourceServer"
    CONCURRENT_JOBS = "ConcurrentReplicationJob"
    WORKGROUPS = "Workgroup"
    WORKGROUP_SOURCES = "WorkgroupSourceServer"
    TEMPLATES = "Template"


_TEXTS = {  # what there is as many of as may be, and what to do
    Quota.JOBS: ("replication jobs", "Delete jobs that are finished"),
    Quota.SOURCES: ("migration sources", "Delete sources that are not needed any more"),
    Quota.CONCURRENT_JOBS: ("running replication jobs", "Wait until one ends"),
    Quota.WORKGROUPS: ("workgroups", "Delete one that is not needed"),
    Quota.WORKGROUP_SOURCES: ("migration sources in the workgroup", "Put the others into another one"),
    Quota.TEMPLATES: ("templates", "Delete one that is not needed"),
}


def exceeded(quota: Quota, most: int) -> UserError:
    what, cure = _TEXTS[quota]
    return UserError(
        f"There are {most} {what}, and there may be no more.",
        code=code_of(quota),
        hint=f"{cure}, or raise the limit ({option(quota)}).",
    )


def code_of(quota: Quota) -> str:
    return f"QuotaExceeded.{quota.value}"


def option(quota: Quota) -> str:
    """How `smc serve` is told another number."""
    return f"--quota {quota.name.lower()}=N"


def with_changes(quotas: Quotas, texts: list[str]) -> Quotas:
    """`jobs=500`, as the command line takes them. Raises `UserError` (`InvalidQuota`)."""
    names = Quotas.__struct_fields__
    for text in texts:
        name, _, number = text.partition("=")
        if name not in names or not number.isdecimal() or not 1 <= int(number) <= 1_000_000:
            raise UserError(
                f"--quota {text}: NAME=NUMBER is wanted",
                code="InvalidQuota",
                hint=f"Names: {', '.join(names)}; a number is at least 1. For example --quota jobs=500.",
            )
        quotas = msgspec.structs.replace(quotas, **{name: int(number)})
    return quotas
