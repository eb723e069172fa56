"""ClientToken: a request that is sent again makes nothing new."""

from sqlalchemy import Connection, Table, select

from smc.base.errors import UserError


def made_before(connection: Connection, table: Table, client_token: str, token_hash: str) -> str:
    """The id of the row that was made with this client token, "" when there is none.

    Raises `UserError` (`IdempotentParameterMismatch`) when it was made with other parameters.
    """
    if not client_token:
        return ""
    query = select(table.c.id, table.c.client_token_hash).where(table.c.client_token == client_token)
    row = connection.execute(query).one_or_none()
    if row is None:
        return ""
    if row.client_token_hash != token_hash:
        raise UserError(
            f"The ClientToken was used before, with other parameters, for {row.id}.",
            code="IdempotentParameterMismatch",
            hint="Use a new ClientToken for a new request.",
        )
    return str(row.id)
