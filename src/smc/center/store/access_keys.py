"""Access keys: who may call the API."""

from sqlalchemy import Row, insert, select

from smc.base.secret import Secret
from smc.center.clock import Clock
from smc.center.store.database import Database
from smc.center.store.ids import random_text
from smc.center.store.tables import access_keys as table
from smc.center.store.values import AccessKey

ID_LENGTH = 20
SECRET_LENGTH = 32  # base62: 190 bits


class AccessKeys:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def create(self, name: str) -> AccessKey:
        key = AccessKey(
            id=f"SMC{random_text(ID_LENGTH)}",
            secret=Secret(random_text(SECRET_LENGTH)),
            name=name,
            created=self._clock.now(),
        )
        with self._database.write() as connection:
            connection.execute(
                insert(table).values(
                    id=key.id, secret=key.secret.reveal(), name=key.name, created=key.created
                )
            )
        return key

    def find(self, key_id: str) -> AccessKey | None:
        with self._database.read() as connection:
            row = connection.execute(select(table).where(table.c.id == key_id)).one_or_none()
        return _value(row) if row else None

    def named(self, name: str) -> AccessKey | None:
        """The oldest key of that name."""
        query = select(table).where(table.c.name == name).order_by(table.c.created).limit(1)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return _value(row) if row else None

    def secret_of(self, key_id: str) -> str | None:
        key = self.find(key_id)
        return key.secret.reveal() if key else None


def _value(row: Row[tuple[object, ...]]) -> AccessKey:
    return AccessKey(id=row.id, secret=Secret(row.secret), name=row.name, created=row.created)
