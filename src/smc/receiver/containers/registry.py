"""Pushing to a registry (OCI distribution specification 1.0): blobs in chunks, then the manifest."""

import http.client
import ssl
from collections.abc import Mapping
from urllib.parse import SplitResult, urljoin, urlsplit

from smc.base.errors import Broken, SmcError, Transient, UserError
from smc.receiver.containers.tokens import Credentials, authorization
from smc.wire.dial import dial, has_ended

CHUNK = 8 << 20  # bytes in one request; registries refuse chunks below 5 MiB, but for the last
ANSWER_SECONDS = 300.0  # a registry may hash a large blob before it answers
LARGEST_ANSWER = 1 << 20
CLOSED = (
    http.client.RemoteDisconnected,
    BrokenPipeError,
    ConnectionResetError,
    ssl.SSLEOFError,
    ssl.SSLZeroReturnError,
)
# 416: of a chunk that was sent once more the first one had arrived; the layer is begun anew.
PASSING = frozenset({408, 416, 429, 500, 502, 503, 504})
TELLING = 300  # characters of a refusal that are told
REACH_IT = "See that the intermediate instance reaches it."


class Answer:
    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self.body = answer.read(LARGEST_ANSWER)


class Registry:
    """One repository of a registry; for one thread.

    `url` is `https://HOST[:PORT][/PREFIX]`, or `http://` where the operator trusts the line; `ca` is the PEM
    of the authority to trust instead of the system's. Over https nothing is sent where a registry leads by
    http: not a password to its token server, not a token to its uploads. Raises `Transient` for what may work
    later, `UserError` for what the operator must change.
    """

    def __init__(
        self,
        url: str,
        repository: str,
        credentials: Credentials | None = None,
        *,
        ca: str = "",
        context: ssl.SSLContext | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UserError(
                f"{url!r} is not the address of a registry",
                code="Registry.InvalidAddress",
                hint="Give it as https://HOST[:PORT].",
            )
        self.host = parts.hostname
        self._url = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}/v2/{repository}/"
        self._repository = repository
        self._credentials = credentials
        self._context = context or (_trusting(ca) if parts.scheme == "https" else None)
        self._authorization = credentials.first() if credentials else ""
        self._connections: dict[tuple[str, str, int], http.client.HTTPConnection] = {}

    def has(self, digest: str) -> bool:
        return self.ask("HEAD", self._url + f"blobs/{digest}", fine=(200, 404)).status == 200

    def upload(self) -> "BlobUpload":
        return BlobUpload(self, self._place(self.ask("POST", self._url + "blobs/uploads/", fine=(202,))))

    def put(self, data: bytes, digest: str) -> None:
        """A small blob, if it is not there."""
        if self.has(digest):
            return
        upload = self.upload()
        upload.write(data)
        upload.finish(digest)

    def tag(self, tag: str, manifest: bytes, media_type: str) -> None:
        headers = {"Content-Type": media_type}
        self.ask("PUT", self._url + f"manifests/{tag}", manifest, headers, fine=(201,))

    def close(self) -> None:
        while self._connections:
            self._connections.popitem()[1].close()

    def __enter__(self) -> "Registry":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(
        self,
        method: str,
        url: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        fine: tuple[int, ...],
    ) -> Answer:
        """One request, with credentials as the registry asks for them."""
        answer = self._exchange(method, url, body, headers or {})
        if answer.status == http.client.UNAUTHORIZED and self._credentials and self._credentials.user:
            self._authorization = authorization(self._credentials, answer.headers, self._token)
            answer = self._exchange(method, url, body, headers or {})
        if answer.status not in fine:
            raise self._refused(method, answer)
        return answer

    def _place(self, answer: Answer) -> str:
        location = answer.headers.get("Location")
        if not location:
            raise Broken("the registry does not say where to go on", code="Registry.NoSense")
        return urljoin(self._url, location)

    def _token(self, url: str, basic: str) -> bytes:
        """What the registry's authorization server answers."""
        answer = self._exchange("GET", url, b"", {"Authorization": basic} if basic else {}, bare=True)
        if answer.status != http.client.OK:
            raise self._refused("GET", answer)
        return answer.body

    def _exchange(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str], *, bare: bool = False
    ) -> Answer:
        parts = urlsplit(url)
        if self._url.startswith("https:") and parts.scheme != "https":
            raise Broken(
                f"the registry {self.host} leads from https to {parts.scheme}://{parts.hostname}",
                code="Registry.NotPrivate",
                hint="Tell the registry, or the proxy before it, that it is reached by https.",
            )
        here = parts.hostname == self.host
        sent = dict(headers)
        if self._authorization and here and not bare:  # where blobs are stored elsewhere the URL is enough
            sent["Authorization"] = self._authorization
        sent["Content-Length"] = str(len(body))
        try:
            return self._send(method, parts, body, sent)
        except (OSError, http.client.HTTPException) as e:
            self.close()
            raise Transient(
                f"the registry {parts.hostname} gave no answer: {str(e) or type(e).__name__}",
                code="Registry.Unreachable",
                hint=REACH_IT,
            ) from e

    def _send(self, method: str, parts: SplitResult, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Once more over a new connection, where a kept one is closed in the very moment."""
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        kept = [*self._connections.values()]
        connection = self._connected(parts.scheme, parts.hostname or "", parts.port)
        try:
            return _once(connection, method, path, body, headers)
        except CLOSED:
            if connection not in kept:
                raise
        self.close()
        connection = self._connected(parts.scheme, parts.hostname or "", parts.port)
        return _once(connection, method, path, body, headers)

    def _connected(self, scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
        at = port or (443 if scheme == "https" else 80)
        known = self._connections.get((scheme, host, at))
        if known is not None and known.sock is not None and not has_ended(known.sock):
            return known
        if known is not None:
            known.close()
            del self._connections[scheme, host, at]
        connection = http.client.HTTPConnection(host, at)
        connection.auto_open = 0  # only this method opens one
        plain = dial(host, at)
        plain.settimeout(ANSWER_SECONDS)
        try:
            if scheme == "https":
                context = self._context if host == self.host and self._context else _trusting("")
                plain = context.wrap_socket(plain, server_hostname=host)
        except ssl.SSLCertVerificationError as e:
            plain.close()
            raise UserError(
                f"the registry {host} shows a certificate that is not trusted: {e.verify_message}",
                code="Registry.NotTrusted",
                hint="Give the center the registry's CA with --registry-ca.",
            ) from e
        except OSError as e:
            plain.close()
            raise Transient(
                f"the registry {host} cannot be reached: {e}", code="Registry.Unreachable", hint=REACH_IT
            ) from e
        connection.sock = plain
        self._connections[scheme, host, at] = connection
        return connection

    def _refused(self, method: str, answer: Answer) -> SmcError:
        told = answer.body[:TELLING].decode(errors="replace").strip()
        sentence = f"the registry {self.host} answered {method} with {answer.status}: {told}".rstrip(": ")
        if answer.status in PASSING:
            return Transient(sentence, code="Registry.Unreachable")
        if answer.status in (401, 403):
            return UserError(
                sentence,
                code="Registry.Forbidden",
                hint=f"The center's registry account must be allowed to push to {self._repository}.",
            )
        return UserError(
            sentence, code="Registry.Refused", hint="See that the namespace and repository exist there."
        )


class BlobUpload:
    """One blob, in chunks of a size that every registry takes."""

    def __init__(self, registry: Registry, place: str) -> None:
        self._registry = registry
        self._place = place
        self._held = bytearray()
        self._sent = 0

    def write(self, data: bytes) -> None:
        self._held += data
        while len(self._held) >= CHUNK:
            self._send(bytes(self._held[:CHUNK]))
            del self._held[:CHUNK]

    def finish(self, digest: str) -> None:
        if self._held:
            self._send(bytes(self._held))
            self._held.clear()
        mark = "&" if urlsplit(self._place).query else "?"
        self._registry.ask("PUT", f"{self._place}{mark}digest={digest}", fine=(201,))

    def _send(self, chunk: bytes) -> None:
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Range": f"{self._sent}-{self._sent + len(chunk) - 1}",
        }
        answer = self._registry.ask("PATCH", self._place, chunk, headers, fine=(202,))
        self._sent += len(chunk)
        self._place = urljoin(self._place, answer.headers.get("Location") or self._place)


def _once(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes, headers: Mapping[str, str]
) -> Answer:
    connection.request(method, path, body or None, dict(headers))
    return Answer(connection.getresponse())


def _trusting(ca: str) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=ca or None)
