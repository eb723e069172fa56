"""People with a password, for faces of the center that have no access key; the password itself is nowhere."""

from collections.abc import Sequence

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from smc.base.errors import UserError
from smc.center.access import Role
from smc.center.clock import Clock
from smc.center.store.database import Database
from smc.center.store.tables import users as table

_HASHER = PasswordHasher()  # argon2id with the parameters of RFC 9106, 64 MiB and 3 passes
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$T0cfwr5JWgFPIu1hGwldcw$WFambJk9brKK4LfoYCS0z+QCn+A7auVsO40DcQToMDE"


class User(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    role: Role
    created: float


class Users:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def create(self, name: str, role: Role, password: str) -> None:
        """Raises `UserError` (`UserName.Duplicate`)."""
        values = {"name": name, "role": role.value, "password_hash": _HASHER.hash(password)}
        try:
            with self._database.write() as connection:
                connection.execute(insert(table).values(**values, created=self._clock.now()))
        except IntegrityError as e:
            raise UserError(
                f"There is a user {name} already.", code="UserName.Duplicate", hint="Choose another name."
            ) from e

    def list(self) -> Sequence[User]:
        """By name."""
        with self._database.read() as connection:
            return [_value(row) for row in connection.execute(select(table).order_by(table.c.name))]

    def set_password(self, name: str, password: str) -> None:
        """Raises `UserError` (`InvalidUserName.NotFound`)."""
        hashed = _HASHER.hash(password)
        with self._database.write() as connection:
            here = update(table).where(table.c.name == name).values(password_hash=hashed)
            if not connection.execute(here).rowcount:
                raise _unknown(name)

    def delete(self, name: str) -> None:
        """Raises `UserError` (`InvalidUserName.NotFound`)."""
        with self._database.write() as connection:
            if not connection.execute(delete(table).where(table.c.name == name)).rowcount:
                raise _unknown(name)

    def authenticate(self, name: str, password: str) -> User | None:
        """Takes as long for a name that is not known: nobody learns by it which ones are."""
        with self._database.read() as connection:
            row = connection.execute(select(table).where(table.c.name == name)).one_or_none()
        try:
            _HASHER.verify(row.password_hash if row else _NOBODY, password)
        except VerificationError:
            return None
        return _value(row) if row else None


def _unknown(name: str) -> UserError:
    return UserError(
        f"There is no user {name}.", code="InvalidUserName.NotFound", hint="DescribeUsers lists the users."
    )


def _value(row: Row[tuple[object, ...]]) -> User:
    return User(name=row.name, role=Role(row.role), created=row.created)
