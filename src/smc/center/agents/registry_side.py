"""The part of a registry (distribution-spec 1.0) with which a receiver pushes the container image of its job.

Each receiver has the folder of its own job, whatever repository it names.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from smc.base.errors import UserError
from smc.center.agents.exchange import UNAUTHORIZED, credential_of, refuse
from smc.center.containers.layout import Layout
from smc.center.store.store import Store

BASE = "/receiver/v1/registry/v2/{repository:path}"
LARGEST_CHUNK = 16 << 20
LARGEST_MANIFEST = 4 << 20

Handler = Callable[[Layout, Request], Awaitable[Response]]


class RegistrySide:
    """`folder` has a layout for each job."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder

    def routes(self) -> list[Route]:
        return [
            self._route("/blobs/uploads/", "POST", _begin),
            self._route("/blobs/uploads/{upload}", "PATCH", _append),
            self._route("/blobs/uploads/{upload}", "PUT", _finish),
            self._route("/blobs/{digest}", "HEAD", _head),
            self._route("/manifests/{tag}", "PUT", _tag),
        ]

    def _route(self, path: str, method: str, handler: Handler) -> Route:
        async def serve(request: Request) -> Response:
            try:
                layout = await run_in_threadpool(self._layout, credential_of(request))
                return await handler(layout, request)
            except ClientDisconnect:
                return Response(status_code=499)  # nobody reads it
            except Exception as e:  # noqa: BLE001  the edge: each failure becomes an answer
                return refuse(e)

        return Route(BASE + path, serve, methods=[method])

    def _layout(self, credential: str) -> Layout:
        receiver = self._store.receivers.authenticate(credential)
        if receiver is None:
            raise UserError("This receiver is not known here any more.", code=UNAUTHORIZED)
        return Layout(self._folder / receiver.job)


async def _begin(layout: Layout, request: Request) -> Response:
    upload = await run_in_threadpool(layout.begin)
    return Response(status_code=202, headers={"Location": f"{request.url.path}{upload}"})


async def _append(layout: Layout, request: Request) -> Response:
    chunk = await _body(request, LARGEST_CHUNK)
    first = request.headers.get("content-range", "0-").partition("-")[0]
    offset = int(first) if first.isdecimal() else 0
    here = await run_in_threadpool(layout.append, request.path_params["upload"], offset, chunk)
    return Response(status_code=202, headers={"Location": request.url.path, "Range": f"0-{here - 1}"})


async def _finish(layout: Layout, request: Request) -> Response:
    digest = request.query_params.get("digest", "")
    await run_in_threadpool(layout.finish, request.path_params["upload"], digest)
    return Response(status_code=201, headers={"Docker-Content-Digest": digest})


async def _head(layout: Layout, request: Request) -> Response:
    size = await run_in_threadpool(layout.size, request.path_params["digest"])
    if size is None:
        return Response(status_code=404)
    return Response(status_code=200, headers={"Content-Length": str(size)})


async def _tag(layout: Layout, request: Request) -> Response:
    manifest = await _body(request, LARGEST_MANIFEST)
    kind = request.headers.get("content-type", "")
    digest = await run_in_threadpool(layout.tag, request.path_params["tag"], manifest, kind)
    return Response(status_code=201, headers={"Docker-Content-Digest": digest})


async def _body(request: Request, largest: int) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > largest:
            raise UserError(f"The message is larger than {largest} bytes.", code="Message.TooLarge")
    return bytes(body)
