"""From an HTTP request to the function that answers it: verify, find the action, parse, call, reply."""

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from smc.base.errors import UserError
from smc.rpc import errors, signature
from smc.rpc.nonces import Nonces
from smc.rpc.params import parse

LARGEST_BODY = 1 << 20
BODY_SECONDS = 60.0  # a stranger may not hold a connection open for ever
MOST_PARAMETERS = 5000
FORM = "application/x-www-form-urlencoded"

Reply = Mapping[str, object]
R = TypeVar("R", bound=msgspec.Struct)


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks; `address` is the client's as this server sees it."""

    access_key_id: str
    request_id: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """One call: `request` is None while its parameters are not read, `reply` None unless it was answered."""

    caller: Caller
    action: str
    request: msgspec.Struct | None = None
    reply: Reply | None = None


def anybody(_asked: Asked) -> None:
    """Whoever has a key may call everything."""


def unnoted(_asked: Asked, _error: Exception | None) -> None:
    """Nothing is written down."""


@dataclass(frozen=True, slots=True)
class Action:
    """A request type and the function that answers it; made by `action`, which checks that they fit."""

    request: type[msgspec.Struct]
    handler: Callable[[Any, Caller], Reply]  # Any: the handler takes just `request`


def action(request: type[R], handler: Callable[[R, Caller], Reply]) -> Action:
    return Action(request, handler)


Actions = Mapping[str, Action]


@dataclass(frozen=True, slots=True)
class Service:
    """What one endpoint offers: for each API version its actions.

    `secret_of` gives the secret of an access key id, None when there is none. `statuses` are HTTP statuses
    of the service's own error codes; a `UserError` without one is answered with 400. `admit` raises for a
    caller who may not call the action; `note` is told of each call of a known caller and of its error.
    """

    versions: Mapping[str, Actions]
    secret_of: Callable[[str], str | None]
    statuses: Mapping[str, int] = field(default_factory=dict)
    admit: Callable[[Asked], None] = anybody
    note: Callable[[Asked, Exception | None], None] = unnoted
    now: Callable[[], float] = time.time
    nonces: Nonces = field(default_factory=Nonces)

    def answer(self, message: signature.Message, request_id: str, address: str) -> Reply:
        """Raises `SmcError` as the request deserves."""
        claim = signature.read(message)
        self._verify(claim)
        found = self._find(claim.action, claim.version)
        caller = Caller(access_key_id=claim.access_key_id, request_id=request_id, address=address)
        asked = Asked(caller, claim.action)
        try:
            self.admit(asked)
            request = parse([*message.query, *message.form], found.request)
            asked = replace(asked, request=request)
            reply = found.handler(request, caller)
        except Exception as e:
            self.note(asked, e)
            raise
        self.note(replace(asked, reply=reply), None)
        return {"RequestId": request_id, **reply}

    def _verify(self, claim: signature.Claim) -> None:
        secret = self.secret_of(claim.access_key_id)
        if secret is None:
            raise UserError(
                "The AccessKey id is not known here.",
                code="InvalidAccessKeyId.NotFound",
                hint="Use a key of this service.",
            )
        now = self.now()
        signature.verify(claim, secret, now)
        self.nonces.use(claim.access_key_id, claim.nonce, now)

    def _find(self, name: str, version: str) -> Action:
        actions = self.versions.get(version)
        if actions is None:
            raise UserError(
                f"There is no version {version} here.",
                code="InvalidVersion",
                hint="Versions: " + ", ".join(self.versions),
            )
        if name not in actions:
            raise UserError(
                f"There is no action {name} in version {version}.",
                code="InvalidAction.NotFound",
                hint="The reference lists the actions.",
            )
        return actions[name]


def route(service: Service) -> Route:
    """The endpoint at `/`, to be put into an application with other routes."""

    async def serve(request: HttpRequest) -> Response:
        request_id = str(uuid.uuid4()).upper()
        try:
            message = await asyncio.wait_for(_read(request), BODY_SECONDS)
            address = request.client.host if request.client else ""
            reply = await run_in_threadpool(service.answer, message, request_id, address)
        except ClientDisconnect:
            return Response(status_code=499)  # nobody reads it
        except TimeoutError:
            late = UserError("The request did not arrive in time.", code="RequestTimeout")
            return _failed(late, request_id, request, service)
        except Exception as e:  # noqa: BLE001  the edge: each failure becomes an answer
            return _failed(e, request_id, request, service)
        return Response(msgspec.json.encode(reply), media_type="application/json")

    return Route("/", serve, methods=["GET", "POST"])


def application(service: Service) -> Starlette:
    return Starlette(routes=[route(service)])


def _failed(error: Exception, request_id: str, request: HttpRequest, service: Service) -> Response:
    host = request.headers.get("host", "")
    status, body = errors.answer(error, request_id=request_id, host=host, statuses=service.statuses)
    return Response(msgspec.json.encode(body), status, media_type="application/json")


async def _read(request: HttpRequest) -> signature.Message:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST_BODY:
            raise UserError(f"The body is larger than {LARGEST_BODY} bytes.", code="RequestTooLarge")
    is_form = request.headers.get("content-type", "").split(";")[0].strip().lower() == FORM
    return signature.Message(
        method=request.method,
        query=_pairs(request.scope["query_string"]),
        form=_pairs(bytes(body)) if is_form else (),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=bytes(body),
    )


def _pairs(encoded: bytes) -> signature.Pairs:
    try:
        return parse_qsl(
            encoded.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_PARAMETERS
        )
    except ValueError as e:  # too many fields, or not UTF-8
        raise UserError("The parameters are not valid URL encoding of UTF-8.", code="InvalidParameter") from e
