"""What a job keeps in the cloud, and what costs, beside what it has delivered."""

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
