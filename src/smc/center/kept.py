"""What a job has in the cloud, beside what it has delivered: what costs, and whom it owes an instance."""

from collections.abc import Sequence

from smc.center.store.resources import IMAGE, MOVED, ROLLBACK, TEMPORARY
from smc.center.store.store import Store
from smc.center.store.values import Made, Run


def kept_by(store: Store, job: str, runs: Sequence[Run]) -> list[Made]:
    """Oldest first; delivered images, their snapshots and an instance that has arrived are their owner's."""
    delivered = {run.number for run in runs if run.image_id}
    crossing = store.crossings.find(job)
    costs = {TEMPORARY, ROLLBACK}
    if crossing is not None and not crossing.delivered:
        costs.add(MOVED)
    return [
        made
        for made in reversed(store.resources.kept(job=job))
        if made.purpose in costs or (made.purpose == IMAGE and made.run not in delivered)
    ]


def owes_an_instance(store: Store, job: str) -> bool:
    """Whether one that it took off for another zone has neither arrived there nor come home."""
    crossing = store.crossings.find(job)
    return crossing is not None and not crossing.delivered and not crossing.home
