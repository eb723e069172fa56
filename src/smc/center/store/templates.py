"""Templates: presets of a job's parameters, as one JSON object each."""

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select, update

from smc.base.errors import UserError
from smc.center.clock import Clock
from smc.center.quotas import Quota, Quotas, exceeded
from smc.center.store.database import Database
from smc.center.store.idempotence import made_before
from smc.center.store.ids import new_id
from smc.center.store.tables import templates as table


class NewTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """`parameters` is JSON; `token_hash` is of the request: a repeated one gives the same template."""

    name: str
    description: str
    parameters: str
    client_token: str = ""
    token_hash: str = ""


class Template(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    description: str
    parameters: str
    created: float
    changed: float


class Templates:
    def __init__(self, database: Database, region: str, clock: Clock, quotas: Quotas) -> None:
        self._database = database
        self._region = region
        self._clock = clock
        self._quotas = quotas

    def create(self, new: NewTemplate) -> str:
        """The id of the template, of the one made before when the client token is known.

        Raises `UserError`: `IdempotentParameterMismatch`, `TemplateName.Duplicate`, `QuotaExceeded.Template`.
        """
        with self._database.write() as connection:
            made = made_before(connection, table, new.client_token, new.token_hash)
            if made:
                return made
            _refuse_taken_name(connection, new.name)
            count = connection.execute(select(func.count()).select_from(table)).scalar_one()
            if count >= self._quotas.templates:
                raise exceeded(Quota.TEMPLATES, self._quotas.templates)
            template = new_id("t", self._region)
            now = self._clock.now()
            connection.execute(
                insert(table).values(
                    id=template,
                    name=new.name,
                    description=new.description,
                    parameters=new.parameters,
                    created=now,
                    changed=now,
                    client_token=new.client_token or None,
                    client_token_hash=new.token_hash or None,
                )
            )
        return template

    def find(self, template: str) -> Template:
        """Raises `UserError` (`InvalidTemplateId.NotFound`)."""
        with self._database.read() as connection:
            row = connection.execute(select(table).where(table.c.id == template)).one_or_none()
        if row is None:
            raise _unknown(template)
        return _value(row)

    def page(self, ids: tuple[str, ...], name: str, *, offset: int, limit: int) -> tuple[int, list[Template]]:
        """How many there are, and one page of them, newest first; an empty filter takes all."""
        conditions: list[ColumnElement[bool]] = [table.c.id.in_(ids)] if ids else []
        if name:
            conditions.append(table.c.name == name)
        query = select(table).where(*conditions).order_by(table.c.created.desc(), table.c.id)
        with self._database.read() as connection:
            total = connection.execute(
                select(func.count()).select_from(table).where(*conditions)
            ).scalar_one()
            return total, [_value(row) for row in connection.execute(query.offset(offset).limit(limit))]

    def change(self, before: Template, after: Template) -> bool:
        """False when it was changed meanwhile. Raises `UserError` (`TemplateName.Duplicate`)."""
        here = (table.c.id == before.id) & (table.c.changed == before.changed)
        values = {"name": after.name, "description": after.description, "parameters": after.parameters}
        with self._database.write() as connection:
            if after.name != before.name:
                _refuse_taken_name(connection, after.name)
            done = connection.execute(update(table).where(here).values(**values, changed=self._clock.now()))
            return done.rowcount > 0

    def delete(self, template: str) -> None:
        """Jobs that were created with it stay. Raises `UserError` (`InvalidTemplateId.NotFound`)."""
        with self._database.write() as connection:
            if not connection.execute(delete(table).where(table.c.id == template)).rowcount:
                raise _unknown(template)


def _unknown(template: str) -> UserError:
    return UserError(
        f"There is no template {template}.",
        code="InvalidTemplateId.NotFound",
        hint="DescribeTemplates lists the templates.",
    )


def _refuse_taken_name(connection: Connection, name: str) -> None:
    if connection.execute(select(table.c.id).where(table.c.name == name)).first():
        raise UserError(
            f"Another template is already named {name}.",
            code="TemplateName.Duplicate",
            hint="Choose another name.",
        )


def _value(row: Row[tuple[object, ...]]) -> Template:
    return Template(
        id=row.id,
        name=row.name,
        description=row.description,
        parameters=row.parameters,
        created=row.created,
        changed=row.changed,
    )
