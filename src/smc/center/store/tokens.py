"""Activation codes: each lets a number of servers be imported for a number of days."""

import hashlib
import hmac
from collections.abc import Collection, Sequence

from sqlalchemy import Connection, Row, delete, insert, select, update

from smc.base.errors import UserError
from smc.center.clock import Clock
from smc.center.store import workgroups
from smc.center.store.database import Database
from smc.center.store.ids import new_id, random_text
from smc.center.store.tables import activation_codes as table
from smc.center.store.values import ActivationCode

CODE_LENGTH = 32
NEW_CODE = "Make a new activation code at the center and import with the command it gives."


def hash_of(secret: str) -> str:
    """How codes, tickets and credentials are kept: they are random, so a plain SHA-256 is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


class ActivationCodes:
    def __init__(self, database: Database, region: str, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._region = region

    def create(
        self, name: str, description: str, count: int, ttl_days: int, workgroup: str = ""
    ) -> tuple[ActivationCode, str]:
        """The code as stored, and its text, which is shown once.

        Raises `UserError` (`InvalidWorkgroupId.NotFound`).
        """
        text = random_text(CODE_LENGTH)
        code = ActivationCode(
            id=new_id("at", self._region),
            name=name,
            description=description,
            code_hash=hash_of(text),
            count=count,
            registered=0,
            ttl_days=ttl_days,
            disabled=False,
            created=self._clock.now(),
            workgroup=workgroup,
        )
        with self._database.write() as connection:
            if workgroup:
                workgroups.lock(connection, workgroup)
            connection.execute(insert(table).values(**_columns(code)))
        return code, text

    def list(self, ids: Collection[str] = (), name: str = "") -> Sequence[ActivationCode]:
        """Newest first; an empty filter takes all."""
        query = select(table).order_by(table.c.created.desc(), table.c.id)
        if ids:
            query = query.where(table.c.id.in_(ids))
        if name:
            query = query.where(table.c.name == name)
        with self._database.read() as connection:
            return [_value(row) for row in connection.execute(query)]

    def disable(self, code_id: str) -> bool:
        """False when there is no such code."""
        with self._database.write() as connection:
            done = connection.execute(update(table).where(table.c.id == code_id).values(disabled=True))
            return done.rowcount > 0

    def delete(self, code_id: str) -> bool:
        with self._database.write() as connection:
            return connection.execute(delete(table).where(table.c.id == code_id)).rowcount > 0

    def find(self, code_id: str) -> ActivationCode | None:
        with self._database.read() as connection:
            row = connection.execute(select(table).where(table.c.id == code_id)).one_or_none()
        return _value(row) if row else None


def check(code: ActivationCode | None, text: str, now: float) -> None:
    """Raises `UserError` with the reason why `text` does not let its holder in (see docs/design/center.md).

    Whether a code exists, is disabled or has expired is told only to who knows it.
    """
    known = code.code_hash if code else hash_of("")
    if not hmac.compare_digest(known, hash_of(text)) or code is None:
        raise UserError(
            "The activation code is wrong.",
            code="ActivationCode.Invalid",
            hint="Check both its id and its text. " + NEW_CODE,
        )
    if code.disabled:
        raise UserError(
            f"The activation code {code.id} is disabled.", code="ActivationCode.Disabled", hint=NEW_CODE
        )
    if now >= code.expires:
        raise UserError(
            f"The activation code {code.id} expired: it was good for {code.ttl_days} days.",
            code="ActivationCode.Expired",
            hint=NEW_CODE,
        )


def spend(connection: Connection, code: ActivationCode) -> None:
    """Count one more server within the caller's transaction. Raises `UserError` when none is left."""
    left = update(table).where(table.c.id == code.id, table.c.registered < table.c.count)
    if not connection.execute(left.values(registered=table.c.registered + 1)).rowcount:
        raise UserError(
            f"The activation code {code.id} is used up: it was good for {code.count} servers.",
            code="ActivationCode.UsedUp",
            hint=NEW_CODE,
        )


def _columns(code: ActivationCode) -> dict[str, str | int | float | bool]:
    return {name: getattr(code, name) for name in ActivationCode.__struct_fields__}


def _value(row: Row[tuple[object, ...]]) -> ActivationCode:
    return ActivationCode(**row._mapping)
