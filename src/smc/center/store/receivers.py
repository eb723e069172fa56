"""Receivers: the ticket a job's intermediate instance was given, and who came with it."""

import hmac

from sqlalchemy import Row, delete, insert, select, update

from smc.base.errors import UserError
from smc.center.clock import Clock
from smc.center.store import runs, tokens
from smc.center.store.database import Database
from smc.center.store.ids import random_text
from smc.center.store.tables import receivers as table
from smc.center.store.values import Receiver

SILENT_SECONDS = 15.0  # it reports each second, which is written each other second
CREDENTIAL_LENGTH = 43  # base62: 256 bits


class Receivers:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def expect(self, job: str, ticket: str, *, valid_seconds: float) -> None:
        """A new intermediate instance of `job` comes with `ticket`; the one before it is shut out.

        Repeated with the same ticket (a step that runs again) nothing changes but the time it is good for.
        """
        wanted = tokens.hash_of(ticket)
        expires = self._clock.now() + valid_seconds
        with self._database.write() as connection:
            here = table.c.job == job
            row = connection.execute(select(table.c.ticket_hash).where(here).with_for_update()).one_or_none()
            if row is not None and row.ticket_hash == wanted:
                connection.execute(update(table).where(here).values(ticket_expires=expires))
                return
            connection.execute(delete(table).where(here))
            connection.execute(
                insert(table).values(job=job, ticket_hash=wanted, ticket_expires=expires, csr="")
            )

    def renew(self, job: str, *, valid_seconds: float) -> None:
        """The instance of `job` is still being waited for: its unused ticket stays good."""
        with self._database.write() as connection:
            unused = (table.c.job == job) & (table.c.csr == "")
            values = {"ticket_expires": self._clock.now() + valid_seconds}
            connection.execute(update(table).where(unused).values(**values))

    def enrol(self, ticket: str, csr: str) -> tuple[Receiver, str]:
        """The receiver and its credential. A used ticket is good for the same key again (a lost answer).

        Raises `UserError` (`Ticket.Invalid`, `Ticket.Used`, `Ticket.Expired`).
        """
        credential = random_text(CREDENTIAL_LENGTH)
        wanted = tokens.hash_of(ticket)
        now = self._clock.now()
        with self._database.write() as connection:
            query = select(table).where(table.c.ticket_hash == wanted).with_for_update()
            row = connection.execute(query).one_or_none()
            _check(row, wanted, csr, now)
            assert row is not None
            if not row.csr:
                runs.forget_receiver_certificates(connection, row.job)
            values = {"csr": csr, "credential_hash": tokens.hash_of(credential), "last_seen": now}
            connection.execute(update(table).where(table.c.job == row.job).values(**values))
        return Receiver(job=row.job, ticket_expires=row.ticket_expires, csr=csr, last_seen=now), credential

    def authenticate(self, credential: str) -> Receiver | None:
        wanted = tokens.hash_of(credential)
        with self._database.read() as connection:
            row = connection.execute(select(table).where(table.c.credential_hash == wanted)).one_or_none()
        return _value(row) if row and hmac.compare_digest(row.credential_hash, wanted) else None

    def find(self, job: str) -> Receiver | None:
        with self._database.read() as connection:
            row = connection.execute(select(table).where(table.c.job == job)).one_or_none()
        return _value(row) if row else None

    def is_heard(self, job: str) -> bool:
        """Whether it reported lately, so that its speeds are of now."""
        receiver = self.find(job)
        heard = receiver.last_seen if receiver else None
        return heard is not None and self._clock.now() - heard < SILENT_SECONDS

    def seen(self, times: dict[str, float]) -> None:
        """When the receiver of each job reported last, in one transaction."""
        if not times:
            return
        with self._database.write() as connection:
            for job, moment in times.items():
                connection.execute(update(table).where(table.c.job == job).values(last_seen=moment))

    def dismiss(self, job: str) -> None:
        """Its ticket and credential are void: the instance is released."""
        with self._database.write() as connection:
            connection.execute(delete(table).where(table.c.job == job))


def _check(row: Row[tuple[object, ...]] | None, wanted: str, csr: str, now: float) -> None:
    if row is None or not hmac.compare_digest(row.ticket_hash, wanted):
        raise UserError("This ticket is not known.", code="Ticket.Invalid")
    if row.csr and row.csr != csr:
        raise UserError("This ticket was used by another receiver.", code="Ticket.Used")
    if now >= row.ticket_expires:
        raise UserError(
            "This ticket has expired.", code="Ticket.Expired", hint="Start the job again: it makes a new one."
        )


def _value(row: Row[tuple[object, ...]]) -> Receiver:
    return Receiver(job=row.job, ticket_expires=row.ticket_expires, csr=row.csr, last_seen=row.last_seen)
