"""Target instances that jobs have taken over: what they were, and what has become of them."""

from msgspec import structs
from sqlalchemy import delete, insert, select, update

from smc.base.errors import UserError
from smc.base.secret import Secret
from smc.center.store.database import Database
from smc.center.store.jobs import is_current
from smc.center.store.tables import takeovers as table
from smc.center.store.values import Run, Takeover
from smc.model.codec import decode, encode


class Takeovers:
    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, job: str) -> Takeover | None:
        with self._database.read() as connection:
            row = connection.execute(select(table.c.document).where(table.c.job == job)).scalar()
        return decode(row, Takeover) if row else None

    def user_data(self, job: str) -> Secret:
        """Of the instance before it was taken over."""
        with self._database.read() as connection:
            text = connection.execute(select(table.c.user_data).where(table.c.job == job)).scalar()
        return Secret(text or "")

    def begin(self, run: Run, takeover: Takeover, user_data: Secret) -> bool:
        """In place of what was known before. False, and nothing changes, when a newer run has begun.

        Raises `UserError` (`TargetInstance.InUse`) while another job has the instance.
        """
        with self._database.write() as connection:
            if not is_current(connection, run):
                return False
            for job, text in connection.execute(select(table.c.job, table.c.document)):
                other = decode(text, Takeover)
                if job != run.job and other.instance == takeover.instance and not _is_over(other):
                    raise UserError(
                        f"The job {job} has {takeover.instance} for its target.",
                        code="TargetInstance.InUse",
                        hint="Wait until that job is finished or deleted, or delete this one.",
                    )
            connection.execute(delete(table).where(table.c.job == run.job))
            values = {"document": encode(takeover).decode(), "user_data": user_data.reveal()}
            connection.execute(insert(table).values(job=run.job, **values))
        return True

    def note(self, run: Run, takeover: Takeover) -> bool:
        """False, and nothing changes, when a newer run has begun."""
        with self._database.write() as connection:
            if not is_current(connection, run):
                return False
            here = update(table).where(table.c.job == run.job)
            connection.execute(here.values(document=encode(takeover).decode()))
        return True

    def note_restored(self, job: str) -> None:
        """The instance is again what it was; for a job that is being deleted."""
        self._change(job, restored=True)

    def note_started(self, job: str) -> None:
        """It runs again as it ran before: whoever stops it from now on means it."""
        self._change(job, ran=False)

    def _change(self, job: str, **changes: bool) -> None:
        with self._database.write() as connection:
            row = connection.execute(select(table.c.document).where(table.c.job == job)).scalar()
            if row:
                known = structs.replace(decode(row, Takeover), **changes)
                here = update(table).where(table.c.job == job)
                connection.execute(here.values(document=encode(known).decode()))


def _is_over(takeover: Takeover) -> bool:
    return takeover.delivered or takeover.restored
