"""Access keys: who may call the API."""

from collections.abc import Sequence

from sqlalchemy import Connection, Row, delete, insert, select, update

from smc.base.errors import UserError
from smc.base.secret import Secret
from smc.center.access import Role
from smc.center.clock import Clock
from smc.center.store.database import Database
from smc.center.store.ids import random_text
from smc.center.store.tables import access_keys as table
from smc.center.store.values import AccessKey

ID_LENGTH = 20
SECRET_LENGTH = 32  # base62: 190 bits
MOST_KEYS = 1000


class AccessKeys:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def create(self, name: str, role: Role = Role.ADMIN) -> AccessKey:
        """Raises `UserError` (`QuotaExceeded.AccessKey`)."""
        key = AccessKey(
            id=f"SMC{random_text(ID_LENGTH)}",
            secret=Secret(random_text(SECRET_LENGTH)),
            name=name,
            role=role,
            disabled=False,
            created=self._clock.now(),
        )
        with self._database.write() as connection:
            if len(connection.execute(select(table.c.id)).fetchall()) >= MOST_KEYS:
                raise UserError(
                    f"There are {MOST_KEYS} access keys.",
                    code="QuotaExceeded.AccessKey",
                    hint="Delete keys that nobody uses.",
                )
            connection.execute(
                insert(table).values(
                    id=key.id,
                    secret=key.secret.reveal(),
                    name=key.name,
                    role=role.value,
                    disabled=False,
                    created=key.created,
                )
            )
        return key

    def find(self, key_id: str) -> AccessKey | None:
        with self._database.read() as connection:
            row = connection.execute(select(table).where(table.c.id == key_id)).one_or_none()
        return _value(row) if row else None

    def list(self) -> Sequence[AccessKey]:
        """Oldest first."""
        with self._database.read() as connection:
            rows = connection.execute(select(table).order_by(table.c.created, table.c.id))
            return [_value(row) for row in rows]

    def admin_named(self, name: str) -> AccessKey | None:
        """The oldest good key of that name with which everything may be done."""
        good = (table.c.name == name) & (table.c.role == Role.ADMIN.value) & table.c.disabled.is_(False)
        query = select(table).where(good).order_by(table.c.created).limit(1)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return _value(row) if row else None

    def disable(self, key_id: str, *, disabled: bool = True) -> None:
        """Raises `UserError` (`InvalidAccessKeyId.NotFound`, `AccessKey.LastAdmin`)."""
        with self._database.write() as connection:
            if disabled:
                _keep_an_admin(connection, key_id)
            done = connection.execute(update(table).where(table.c.id == key_id).values(disabled=disabled))
            if not done.rowcount:
                raise _unknown(key_id)

    def delete(self, key_id: str) -> None:
        """Raises `UserError` (`InvalidAccessKeyId.NotFound`, `AccessKey.LastAdmin`)."""
        with self._database.write() as connection:
            _keep_an_admin(connection, key_id)
            if not connection.execute(delete(table).where(table.c.id == key_id)).rowcount:
                raise _unknown(key_id)

    def secret_of(self, key_id: str) -> str | None:
        """Raises `UserError` (`InvalidAccessKeyId.Inactive`) for one that is disabled."""
        key = self.find(key_id)
        if key is not None and key.disabled:
            raise UserError(
                "This access key is disabled.",
                code="InvalidAccessKeyId.Inactive",
                hint="An admin enables it again, or makes another.",
            )
        return key.secret.reveal() if key else None


def _keep_an_admin(connection: Connection, key_id: str) -> None:
    """Nobody else changes the admins' keys before the end of the transaction."""
    admins = select(table.c.id).where(table.c.role == Role.ADMIN.value, table.c.disabled.is_(False))
    if [row.id for row in connection.execute(admins.with_for_update())] == [key_id]:
        raise UserError(
            "This is the last access key with which keys can be managed.",
            code="AccessKey.LastAdmin",
            hint="Make another key with the role admin first.",
        )


def _unknown(key_id: str) -> UserError:
    return UserError(
        f"There is no access key {key_id}.",
        code="InvalidAccessKeyId.NotFound",
        hint="DescribeAccessKeys lists the keys.",
    )


def _value(row: Row[tuple[object, ...]]) -> AccessKey:
    return AccessKey(
        id=row.id,
        secret=Secret(row.secret),
        name=row.name,
        role=Role(row.role),
        disabled=bool(row.disabled),
        created=row.created,
    )
