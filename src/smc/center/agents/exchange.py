"""One message in, one answer or one refusal out: JSON bodies of bounded size."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from smc.base.errors import SmcError, Transient, UserError
from smc.model.codec import decode, encode
from smc.wire.orders import Refusal

log = logging.getLogger(__name__)

M = TypeVar("M", bound=msgspec.Struct)

UNAUTHORIZED = "Credential.Invalid"
STATUSES = {  # of refusals that are not 400
    UNAUTHORIZED: 401,
    "ActivationCode.Invalid": 403,
    "ActivationCode.Disabled": 403,
    "ActivationCode.Expired": 403,
    "ActivationCode.UsedUp": 403,
    "Ticket.Invalid": 403,
    "Ticket.Used": 403,
    "Ticket.Expired": 403,
    "Agent.NotBuilt": 404,
    "Source.OtherMachine": 409,
    "Run.Outdated": 409,
    "Message.TooLarge": 413,
    "Message.TooSlow": 408,
    "Enrolment.TooMany": 429,
}
BODY_SECONDS = 120.0  # a megabyte over the slowest line anybody migrates over


def post(
    path: str, kind: type[M], handler: Callable[[M, Request], Awaitable[msgspec.Struct]], *, largest: int
) -> Route:
    """A route that takes a `kind` of at most `largest` bytes; what the handler raises becomes a refusal."""

    async def serve(request: Request) -> Response:
        try:
            body = await asyncio.wait_for(_body(request, largest), BODY_SECONDS)
            message = decode(body, kind)
            return json(await handler(message, request))
        except TimeoutError:
            return refuse(Transient("The message did not arrive in time.", code="Message.TooSlow"))
        except ClientDisconnect:
            return Response(status_code=499)  # nobody reads it
        except Exception as e:  # noqa: BLE001  the edge: each failure becomes an answer
            return refuse(e)

    return Route(path, serve, methods=["POST"])


def json(value: msgspec.Struct, status: int = 200) -> Response:
    return Response(encode(value), status, media_type="application/json")


def refuse(error: Exception) -> Response:
    match error:
        case UserError():
            status = STATUSES.get(error.code, 400)
        case Transient():
            status = STATUSES.get(error.code, 503)
        case _:
            log.error("a message could not be handled", exc_info=error)
            status = 500
            error = SmcError("The center failed.", code="InternalError", hint="Its log has the cause.")
    return json(Refusal(code=error.code, message=error.message, hint=error.hint), status)


def credential_of(request: Request) -> str:
    """Raises `UserError` (`Credential.Invalid`) when there is none."""
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not credential:
        raise UserError("The message has no credential.", code=UNAUTHORIZED)
    return credential


def address_of(request: Request) -> str:
    """The sender's as this center sees it."""
    host = request.client.host if request.client else ""
    return host.removeprefix("::ffff:")  # IPv4 on a socket for both


async def _body(request: Request, largest: int) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > largest:
            raise UserError(f"The message is larger than {largest} bytes.", code="Message.TooLarge")
    return bytes(body)
